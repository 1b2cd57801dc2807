"""A change of keys: kept while it is being signed, then carried out so that any cut is harmless.

The list of targets in it is the published one, signed by those who sign before the change and by
those who sign after it. It is published first, the root that takes old keys away last: whichever
of the two an agent has, it accepts what it finds. A change of the online key is two roots, the
first of which takes both keys. What a power cut left half done is finished at the next start.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tuf.api.metadata import Key, Metadata, Root, Targets, VerificationResult

from agent.wire.atomic import write_whole
from coordinator.releases.keys import fingerprint, online_key, open_online_key
from coordinator.releases.roots import NOT_NEXT, check_next, online_of
from coordinator.releases.shelf import NEXT_ONLINE_KEY, ONLINE_KEY, Shelf
from coordinator.releases.signatures import (
    NotPublished,
    Progress,
    counted,
    is_worthless,
    parsed,
    progress,
    standing,
    together,
)

_FILE = "change.json"
_MOST_ROOTS = 2
_NONE_WAITS = "cannot sign: no change of keys waits; it was published, dropped or overtaken"


@dataclass(frozen=True, slots=True)
class Change:
    """The roots to come, in order, and the list of targets as they want it signed."""

    roots: tuple[bytes, ...]
    targets: bytes = b""  # none when only the online key changes


class Changes:
    """The one change of keys that may wait in a repository."""

    def __init__(self, shelf: Shelf, lock: threading.RLock) -> None:
        self._shelf = shelf
        self._lock = lock
        self._file = shelf.folder / _FILE

    def waiting(self) -> Change | None:
        """Return the change that waits for signatures, with those that it has."""
        with self._lock:
            if not self._file.exists():
                return None
            raw = json.loads(self._file.read_bytes())
        return Change(tuple(r.encode() for r in raw["roots"]), raw["targets"].encode())

    def root(self) -> bytes:
        """Return the present root, as it was signed."""
        return self._shelf.root_bytes()

    def roots(self) -> list[bytes]:
        """Return every root there was, the first one first."""
        last = self._shelf.root_version()
        return [self._shelf.root_bytes(version) for version in range(1, last + 1)]

    def targets(self) -> bytes:
        """Return the present list of targets, as it was signed."""
        return self._shelf.targets_bytes()

    def progress(self) -> Progress | None:
        """Return how far the change that waits has come, None when none waits."""
        with self._lock:
            waits = self.waiting()
            return None if waits is None else progress(list(self._standings(waits)))

    def next_online_key(self) -> Key:
        """Return the public half of the online key to come; made when there is none."""
        with self._lock:
            return online_key(self._shelf.folder / NEXT_ONLINE_KEY).public_key

    def propose(self, change: Change) -> Progress:
        """Take a change, to be signed by who must; it replaces one that waits.

        Carried out at once when it has signatures enough. Raises `NotPublished`.
        """
        with self._lock:
            self._judge(change)
            return self._take(change)

    def sign(self, change: Change) -> Progress:
        """Add the signatures of a change to those of the same change that waits.

        Raises `NotPublished`.
        """
        with self._lock:
            waits = self.waiting()
            if waits is None:
                raise NotPublished(_NONE_WAITS)
            both = _together(waits, change)
            self._judge(both)
            reached = progress(list(self._standings(both)))
            kept, come = parsed(Root, waits.roots[0]), parsed(Root, change.roots[0])
            if is_worthless(kept, come, reached):
                raise NotPublished("cannot sign: this key may not sign this change")
            return self._take(both)

    def drop(self) -> bool:
        """Forget the change that waits; True when there was one."""
        with self._lock:
            waited = self._file.exists()
            self._file.unlink(missing_ok=True)
            return waited

    def forget_outdated(self) -> None:
        """Forget a change whose list of targets was overtaken by another."""
        waits = self.waiting()
        if waits is not None and waits.targets:
            version = parsed(Targets, waits.targets).signed.version
            if version <= self._shelf.targets().version:
                self.drop()

    def finish(self) -> None:
        """Carry a change out to its end that was cut while it was carried out."""
        waits = self.waiting()
        if waits is not None and not progress(list(self._standings(waits))).missing:
            self._carry_out(waits)

    def _take(self, change: Change) -> Progress:
        reached = progress(list(self._standings(change)))
        kept = self._counted(change)
        self._keep(kept)
        if reached.missing:
            return reached
        self._carry_out(kept)
        return replace(reached, published=True)

    def _keep(self, change: Change) -> None:
        raw = {"roots": [r.decode() for r in change.roots], "targets": change.targets.decode()}
        write_whole(self._file, json.dumps(raw).encode())

    # -- judging -------------------------------------------------------------------------

    def _judge(self, change: Change) -> None:
        if not 1 <= len(change.roots) <= _MOST_ROOTS:
            raise NotPublished("cannot change the keys: it is one new root, or two")
        if parsed(Root, change.roots[0]).signed.version != self._shelf.root_version() + 1:
            raise NotPublished(f"cannot change the keys: {NOT_NEXT}")
        chain = self._chain(change)
        for old, new in pairwise(chain):
            check_next(old, new, self._online_keys(), self._shelf.now())
        self._judge_online(chain)
        self._judge_targets(change, chain[-1])

    def _judge_online(self, chain: list[Root]) -> None:
        daily = [{key.keyid for key in online_of(root)} for root in chain]
        if len(daily[-1]) != 1 or not all(one & other for one, other in pairwise(daily)):
            raise NotPublished(
                "cannot change the keys: there must be one online key at the end, and no moment "
                "at which agents take neither the old nor the new one"
            )

    def _judge_targets(self, change: Change, last: Root) -> None:
        current = self._shelf.targets()
        if not change.targets:
            listed = parsed(Targets, self._shelf.targets_bytes())
            if not standing(listed, Targets.type, [last])[0]:
                raise NotPublished(
                    "cannot change the keys: the list of targets has to be signed anew with it"
                )
            return
        new = parsed(Targets, change.targets).signed
        if new.version != current.version + 1 or new.targets != current.targets:
            raise NotPublished(
                "cannot change the keys: the list of targets in it is not the published one; "
                "make the change anew"
            )
        if new.is_expired(self._shelf.now()):
            raise NotPublished("cannot change the keys: it lay too long; make it anew")

    def _online_keys(self) -> set[str]:
        files = (self._shelf.folder / name for name in (ONLINE_KEY, NEXT_ONLINE_KEY))
        return {fingerprint(open_online_key(file)) for file in files if file.exists()}

    def _chain(self, change: Change) -> list[Root]:
        """Return the root that the change begins from, and its own, in order."""
        roots = [parsed(Root, raw).signed for raw in change.roots]
        before = parsed(Root, self._shelf.root_bytes(roots[0].version - 1)).signed
        return [before, *roots]

    def _standings(self, change: Change) -> Iterator[VerificationResult]:
        chain = self._chain(change)
        for at, raw in enumerate(change.roots):
            yield from standing(parsed(Root, raw), Root.type, chain[at : at + 2])
        if change.targets:
            yield from standing(parsed(Targets, change.targets), Targets.type, _ends(chain))

    def _counted(self, change: Change) -> Change:
        chain = self._chain(change)
        roots = []
        for at, raw in enumerate(change.roots):
            root = parsed(Root, raw)
            roots.append(counted(root, standing(root, Root.type, chain[at : at + 2])))
        if not change.targets:
            return Change(tuple(roots))
        listed = parsed(Targets, change.targets)
        return Change(tuple(roots), counted(listed, standing(listed, Targets.type, _ends(chain))))

    # -- carrying out: each part looks whether it is done already ---------------------------

    def _carry_out(self, change: Change) -> None:
        if change.targets:
            version = parsed(Targets, change.targets).signed.version
            if version > self._shelf.targets().version:
                self._shelf.put_targets(version, change.targets)
        for raw in change.roots:
            root = parsed(Root, raw).signed
            self._take_over_online(root)
            if root.version > self._shelf.root_version():
                self._shelf.put_root(root.version, raw)
        self._file.unlink(missing_ok=True)

    def _take_over_online(self, root: Root) -> None:
        """Before a root that takes the new online key alone: sign with that one."""
        daily = {key.keyid for key in online_of(root)}
        following = self._shelf.folder / NEXT_ONLINE_KEY
        if fingerprint(self._shelf.online()) not in daily and following.exists():
            following.replace(self._shelf.folder / ONLINE_KEY)
        if not self._shelf.is_accepted(root):
            self._shelf.renew_snapshot()


def _ends(chain: list[Root]) -> list[Root]:
    return [chain[0], chain[-1]]


def _together(kept: Change, come: Change) -> Change:
    if len(kept.roots) != len(come.roots) or bool(kept.targets) != bool(come.targets):
        raise NotPublished(_OTHER)
    roots = tuple(
        _merged(parsed(Root, a), parsed(Root, b))
        for a, b in zip(kept.roots, come.roots, strict=True)
    )
    if not kept.targets:
        return Change(roots)
    return Change(roots, _merged(parsed(Targets, kept.targets), parsed(Targets, come.targets)))


_OTHER = (
    "cannot sign: another change of keys waits than the one that was signed; "
    "sign the present one with roundsman keys sign"
)


def _merged(kept: Metadata[Any], come: Metadata[Any]) -> bytes:
    if kept.signed_bytes != come.signed_bytes:
        raise NotPublished(_OTHER)
    return together(kept, come).to_bytes()
