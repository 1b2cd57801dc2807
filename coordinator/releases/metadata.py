"""Makes the four kinds of signed metadata. Pure: no files, and time comes in as a value."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Key,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

LIFETIMES: dict[type[Signed], dt.timedelta] = {
    Root: dt.timedelta(days=365),
    Targets: dt.timedelta(days=90),
    Snapshot: dt.timedelta(days=7),
    Timestamp: dt.timedelta(days=1),
}

S = TypeVar("S", Root, Targets, Snapshot, Timestamp)


SIGNED_BY_HAND = (Root.type, Targets.type)
SIGNED_DAILY = (Snapshot.type, Timestamp.type)


@dataclass(frozen=True, slots=True)
class Holders:
    """The keys that sign root and targets, and how many of them it takes."""

    keys: tuple[Key, ...]
    threshold: int = 1


def make_root(signing: CryptoSigner, online: CryptoSigner, now: dt.datetime) -> bytes:
    """Return root version 1: one key signs root and targets, the other what changes daily."""
    root = unsigned_root(1, Holders((signing.public_key,)), [online.public_key], now)
    return _signed(root, signing)


def unsigned_root(version: int, holders: Holders, online: Sequence[Key], now: dt.datetime) -> Root:
    """Return a root, still to be signed: who signs by hand, and what signs daily."""
    root = Root(version, expires=now + LIFETIMES[Root], consistent_snapshot=True)
    for roles, keys in ((SIGNED_BY_HAND, holders.keys), (SIGNED_DAILY, online)):
        for role in roles:
            for key in keys:
                root.add_key(key, role)
    for role in SIGNED_BY_HAND:
        root.roles[role].threshold = holders.threshold
    return root


def unsigned_targets(targets: Mapping[str, TargetFile], version: int, now: dt.datetime) -> bytes:
    """Return the list of all targets, still to be signed."""
    listed = Targets(version, expires=now + LIFETIMES[Targets], targets=dict(targets))
    return Metadata(listed).to_bytes()


def make_snapshot(
    targets: tuple[int, bytes], version: int, online: CryptoSigner, now: dt.datetime
) -> bytes:
    """Return the snapshot that names this version of the list of targets, and its bytes."""
    meta = {"targets.json": _meta(*targets)}
    return _signed(Snapshot(version, expires=now + LIFETIMES[Snapshot], meta=meta), online)


def make_timestamp(
    snapshot: tuple[int, bytes], version: int, online: CryptoSigner, now: dt.datetime
) -> bytes:
    """Return the timestamp that names this version of the snapshot, and its bytes."""
    expires = now + LIFETIMES[Timestamp]
    return _signed(Timestamp(version, expires=expires, snapshot_meta=_meta(*snapshot)), online)


def _meta(version: int, raw: bytes) -> MetaFile:
    return MetaFile.from_data(version, raw, ["sha256"])


def _signed(body: S, signer: CryptoSigner) -> bytes:
    metadata = Metadata(body)
    metadata.sign(signer)
    return metadata.to_bytes()
