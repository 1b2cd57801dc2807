"""Changes of keys, made where the keys are: the next root, and the list of targets once more.

Needs no repository: it works on the present root and list, as bytes, on any machine.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Root, Targets

from coordinator.releases.changes import Change
from coordinator.releases.keys import KeyProblem, sign_with
from coordinator.releases.metadata import Holders
from coordinator.releases.roots import as_bytes, holders_of, next_root, online_of, targets_again
from coordinator.releases.signatures import NotPublished, parsed, standing

LEAST_TYPED = 8
"""So many digits of a fingerprint are enough to name a key."""


def renewal(root: bytes, targets: bytes, now: dt.datetime) -> Change:
    """Return the change that only gives root and targets a new expiry. Raises `KeyProblem`."""
    return replacement(root, targets, holders_of(_root(root)), now)


def replacement(root: bytes, targets: bytes, people: Holders, now: dt.datetime) -> Change:
    """Return the change to other keys, or another number of them. Raises `KeyProblem`."""
    present = _root(root)
    following = next_root(present, now, people)
    return Change((as_bytes(following),), targets_again(_targets(targets, present), now))


def online_replacement(root: bytes, online: Key, now: dt.datetime) -> Change:
    """Return the change to another online key: one root with both, one with the new alone."""
    old = _root(root)
    both = next_root(old, now, online=[*online_of(old), online])
    return Change((as_bytes(both), as_bytes(next_root(both, now, online=[online]))))


def public_key(keyid: str, raw: Mapping[str, Any]) -> Key:
    """Return a public key from what was told of it. Raises `KeyProblem`."""
    try:
        return Key.from_dict(keyid, dict(raw))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise KeyProblem("cannot read the online key that the coordinator gave") from None


def without(root: bytes, typed: str, new: CryptoSigner) -> Holders:
    """Return who signs once a key has been replaced by a new one. Raises `KeyProblem`."""
    present = holders_of(_root(root))
    gone = named_key(root, typed)
    left = tuple(key for key in present.keys if key.keyid != gone)
    return replace(present, keys=(*left, new.public_key))


def holders(roots: Sequence[bytes]) -> list[str]:
    """Return the fingerprints of all who sign by one of these roots. Raises `NotPublished`."""
    return [key.keyid for raw in roots for key in holders_of(parsed(Root, raw).signed).keys]


def named_key(root: bytes, typed: str) -> str:
    """Return the fingerprint of the one key of a root that was meant. Raises `KeyProblem`."""
    said = "".join(typed.lower().split())
    known = [key.keyid for key in holders_of(_root(root)).keys]
    found = [keyid for keyid in known if keyid.startswith(said)]
    if len(said) < LEAST_TYPED or len(found) != 1:
        raise KeyProblem(
            f"cannot find the key {typed!r}: give at least {LEAST_TYPED} digits of a fingerprint "
            "that roundsman keys list shows"
        )
    return found[0]


def sign_change(change: Change, signer: CryptoSigner) -> Change:
    """Return the change with one signature more on each part of it."""
    roots = tuple(sign_with(raw, signer) for raw in change.roots)
    return Change(roots, sign_with(change.targets, signer) if change.targets else b"")


def _root(raw: bytes) -> Root:
    """Return the present root, which must be signed by those that it names."""
    try:
        root = parsed(Root, raw)
    except NotPublished:
        raise KeyProblem("cannot read the present root: it is none") from None
    if not standing(root, Root.type, [root.signed])[0]:
        raise KeyProblem("cannot use the present root: it is not signed by its own keys")
    return root.signed


def _targets(raw: bytes, root: Root) -> Targets:
    """Return the present list, which must be signed by those whom the root names."""
    try:
        listed = parsed(Targets, raw)
    except NotPublished:
        raise KeyProblem("cannot read the present list of targets: it is none") from None
    if not standing(listed, Targets.type, [root])[0]:
        raise KeyProblem("cannot sign the present list of targets anew: it is not signed rightly")
    return listed.signed
