"""The signed repository that agents read: what may be installed, and nothing else.

    add -> unsigned -> (sign, anywhere, with the signing key) -> publish

Consistent snapshots: every file but `timestamp.json` has its version or hash in its name and is
never changed. `timestamp.json` is written last, so a power cut leaves the repository as it was
before, or as it is after.
"""

import datetime as dt
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import (
    Metadata,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from agent.wire.atomic import READABLE, write_whole
from agent.wire.codec import decode
from agent.wire.contract import Target
from coordinator.releases.keys import online_key
from coordinator.releases.metadata import (
    LIFETIMES,
    make_root,
    make_snapshot,
    make_timestamp,
    unsigned_targets,
)

ROOT_VERSION = 1
_ONLINE_KEY = "online-key.pem"
_DRAFT = "draft.json"
S = TypeVar("S", bound=Signed)


class NotPublished(Exception):  # noqa: N818 - reads better where it is caught
    """The signed list is not taken, and nothing was changed; the text says why."""


@dataclass(frozen=True, slots=True)
class RootOfTrust:
    """What a host pins when it is enrolled."""

    version: int
    sha256: str


def init_repository(
    folder: Path, signing: CryptoSigner, clock: Callable[[], float] = time.time
) -> "Repository":
    """Make the repository of `folder`, with nothing in it; one that is there is left alone."""
    if not is_repository(folder):
        now = _moment(clock)
        online = online_key(folder / _ONLINE_KEY)
        metadata = folder / "metadata"
        listed = Metadata[Targets].from_bytes(unsigned_targets({}, 1, now))
        listed.sign(signing)
        targets = listed.to_bytes()
        snapshot = make_snapshot((1, targets), 1, online, now)
        _write(metadata / "1.root.json", make_root(signing, online, now))
        _write(metadata / "1.targets.json", targets)
        _write(metadata / "1.snapshot.json", snapshot)
        _write(metadata / "timestamp.json", make_timestamp((1, snapshot), 1, online, now))
    return Repository(folder, clock)


def is_repository(folder: Path) -> bool:
    """True when `init_repository` has once come to its end there."""
    return (folder / "metadata" / "timestamp.json").exists()


class Repository:
    """One repository; the daemon is the only one that writes it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._metadata = folder / "metadata"
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where `metadata/` and `targets/` lie, both to be served as they are."""
        return self._folder

    def root_of_trust(self) -> RootOfTrust:
        """Return what enrolment tokens carry."""
        raw = (self._metadata / f"{ROOT_VERSION}.root.json").read_bytes()
        return RootOfTrust(ROOT_VERSION, hashlib.sha256(raw).hexdigest())

    def add(self, name: str, content: bytes) -> Target:
        """Put a target among those to be signed next; agents see it once it is published.

        Raises `BadMessage` (a `ValueError`) for a name that no order could carry.
        """
        digest = hashlib.sha256(content).hexdigest()
        target = decode(Target, {"name": name, "sha256": digest})
        entry = TargetFile.from_data(name, content, ["sha256"])
        with self._lock:
            _write(self._target_path(entry), content)
            self._write_draft(self._draft() | {name: entry})
        return target

    def drafted(self) -> list[Target]:
        """Return the targets that wait for a signature, by name."""
        return [_target(entry) for _, entry in sorted(self._draft().items())]

    def published(self) -> list[Target]:
        """Return the targets that agents accept, by name."""
        return [_target(entry) for _, entry in sorted(self._current_targets().targets.items())]

    def content(self, target: Target) -> bytes:
        """Return the bytes of a drafted or published target. Raises `OSError`."""
        entry = TargetFile(0, {"sha256": target.sha256}, target.name)
        return self._target_path(entry).read_bytes()

    def unsigned(self) -> bytes:
        """Return the whole list, with what was added, as it is to be signed."""
        with self._lock:
            current = self._current_targets()
            listed = current.targets | self._draft()
            return unsigned_targets(listed, current.version + 1, _moment(self._clock))

    def publish(self, signed: bytes) -> None:
        """Take a signed list: agents read it from now on. Raises `NotPublished`."""
        with self._lock:
            listed = self._judge(signed)
            _write(self._metadata / f"{listed.version}.targets.json", signed)
            self._renew_snapshot((listed.version, signed))
            left = {
                name: entry
                for name, entry in self._draft().items()
                if listed.targets.get(name) != entry
            }
            self._write_draft(left)

    def refresh(self) -> None:
        """Give the metadata that lives for days its next version; to be called daily.

        A week-long gap is no harm: the next call mends it.
        """
        with self._lock:
            snapshot = self._current_snapshot()
            left = snapshot.expires - _moment(self._clock)
            if left < LIFETIMES[Snapshot] / 2:
                version = snapshot.meta["targets.json"].version
                raw = (self._metadata / f"{version}.targets.json").read_bytes()
                self._renew_snapshot((version, raw))
            else:
                self._renew_timestamp(snapshot.version)

    def expiries(self) -> dict[str, dt.datetime]:
        """Return when each role's metadata expires; targets and root need the signing key."""
        root = self._read(Root, f"{ROOT_VERSION}.root.json")
        listed, snapshot = self._current_targets(), self._current_snapshot()
        timestamp = self._read(Timestamp, "timestamp.json")
        return {role.type: role.expires for role in (root, listed, snapshot, timestamp)}

    def _judge(self, signed: bytes) -> Targets:
        try:
            metadata = Metadata[Targets].from_bytes(signed)
            root = self._read(Root, f"{ROOT_VERSION}.root.json")
            root.verify_delegate(Targets.type, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError:
            raise NotPublished(
                "cannot publish: the list is not signed with the signing key of this fleet, "
                "or was changed after it was signed"
            ) from None
        except (RepositoryError, ValueError):
            raise NotPublished("cannot publish: this is no signed list of targets") from None
        self._judge_fresh(metadata.signed)
        self._judge_complete(metadata.signed)
        return metadata.signed

    def _judge_fresh(self, listed: Targets) -> None:
        expected = self._current_targets().version + 1
        if not isinstance(listed, Targets) or listed.version != expected:
            raise NotPublished(
                "cannot publish: another list was published since this one was made; "
                "sign the present one with roundsman release sign"
            )
        if listed.is_expired(_moment(self._clock)):
            raise NotPublished("cannot publish: the list expired before it came; sign it again")

    def _judge_complete(self, listed: Targets) -> None:
        for name, entry in listed.targets.items():
            try:
                with self._target_path(entry).open("rb") as file:
                    entry.verify_length_and_hashes(file)
            except (OSError, RepositoryError):
                raise NotPublished(
                    f"cannot publish: the content of {name} is not here, or damaged; add it again"
                ) from None

    def _renew_snapshot(self, targets: tuple[int, bytes]) -> None:
        version = self._current_snapshot().version + 1
        raw = make_snapshot(targets, version, self._online(), _moment(self._clock))
        _write(self._metadata / f"{version}.snapshot.json", raw)
        self._renew_timestamp(version)

    def _renew_timestamp(self, snapshot_version: int) -> None:
        version = self._read(Timestamp, "timestamp.json").version + 1
        raw = (self._metadata / f"{snapshot_version}.snapshot.json").read_bytes()
        now = _moment(self._clock)
        timestamp = make_timestamp((snapshot_version, raw), version, self._online(), now)
        _write(self._metadata / "timestamp.json", timestamp)

    def _online(self) -> CryptoSigner:
        return online_key(self._folder / _ONLINE_KEY)

    def _current_snapshot(self) -> Snapshot:
        timestamp = self._read(Timestamp, "timestamp.json")
        return self._read(Snapshot, f"{timestamp.snapshot_meta.version}.snapshot.json")

    def _current_targets(self) -> Targets:
        version = self._current_snapshot().meta["targets.json"].version
        return self._read(Targets, f"{version}.targets.json")

    def _read(self, kind: type[S], file: str) -> S:
        signed = Metadata[Any].from_bytes((self._metadata / file).read_bytes()).signed
        if not isinstance(signed, kind):
            raise TypeError(f"cannot use {self._metadata / file}: it is no {kind.__name__}")
        return signed

    def _target_path(self, entry: TargetFile) -> Path:
        return self._folder / "targets" / entry.get_prefixed_paths()[0]

    def _draft(self) -> dict[str, TargetFile]:
        path = self._folder / _DRAFT
        if not path.exists():
            return {}
        raw = json.loads(path.read_bytes())
        return {name: TargetFile.from_dict(entry, name) for name, entry in raw.items()}

    def _write_draft(self, draft: dict[str, TargetFile]) -> None:
        raw = {name: entry.to_dict() for name, entry in draft.items()}
        write_whole(self._folder / _DRAFT, json.dumps(raw, indent=1).encode())


def _target(entry: TargetFile) -> Target:
    return Target(entry.path, entry.hashes["sha256"])


def _write(path: Path, content: bytes) -> None:
    write_whole(path, content, READABLE)


def _moment(clock: Callable[[], float]) -> dt.datetime:
    return dt.datetime.fromtimestamp(clock(), dt.UTC)
