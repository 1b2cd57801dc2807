"""The signed metadata of one repository on the disk: read, and given its next versions.

Consistent snapshots: every file but `timestamp.json` has its version in its name and is never
changed once something names it. What names a file is written after it, `timestamp.json` last.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp

from agent.wire.atomic import READABLE, write_whole
from coordinator.releases.keys import open_online_key
from coordinator.releases.metadata import LIFETIMES, make_snapshot, make_timestamp

ONLINE_KEY, NEXT_ONLINE_KEY = "online-key.pem", "online-key.next.pem"
S = TypeVar("S", bound=Signed)


class Damaged(ValueError):  # noqa: N818 - reads better where it is caught
    """A file of the repository cannot be read; the text names it."""


class Shelf:
    """The folder `metadata` below a repository's folder, and the online key beside it."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self._metadata = folder / "metadata"
        self._clock = clock

    def now(self) -> dt.datetime:
        """Return the time."""
        return moment(self._clock)

    def root_version(self) -> int:
        """Return the version of the root that agents end with: each follows its predecessor."""
        version = 1
        while (self._metadata / f"{version + 1}.root.json").exists():
            version += 1
        return version

    def root_bytes(self, version: int = 0) -> bytes:
        """Return one version of the root, the present one unless another is asked for."""
        return (self._metadata / f"{version or self.root_version()}.root.json").read_bytes()

    def root(self) -> Root:
        """Return the present root."""
        return self._read(Root, f"{self.root_version()}.root.json")

    def timestamp(self) -> Timestamp:
        """Return the present timestamp."""
        return self._read(Timestamp, "timestamp.json")

    def snapshot(self) -> Snapshot:
        """Return the present snapshot."""
        return self._read(Snapshot, f"{self.timestamp().snapshot_meta.version}.snapshot.json")

    def targets(self) -> Targets:
        """Return the present list of targets."""
        return self._read(Targets, self._targets_file())

    def targets_bytes(self) -> bytes:
        """Return the present list of targets as it was signed."""
        return (self._metadata / self._targets_file()).read_bytes()

    def put_root(self, version: int, raw: bytes) -> None:
        """Write the next root: agents follow it from now on."""
        write(self._metadata / f"{version}.root.json", raw)

    def put_targets(self, version: int, raw: bytes) -> None:
        """Write the next list of targets: agents read it from now on."""
        write(self._metadata / f"{version}.targets.json", raw)
        self._renew_snapshot((version, raw))

    def refresh(self) -> None:
        """Give the timestamp its next version, the snapshot too when half its life is over."""
        if self.snapshot().expires - self.now() < LIFETIMES[Snapshot] / 2:
            self.renew_snapshot()
        else:
            self._renew_timestamp(self.snapshot().version)

    def renew_snapshot(self) -> None:
        """Give snapshot and timestamp their next versions, signed with the present online key."""
        self._renew_snapshot((self.targets().version, self.targets_bytes()))

    def is_accepted(self, root: Root) -> bool:
        """True when a root takes the signatures of snapshot and timestamp."""
        names = {
            Timestamp.type: "timestamp.json",
            Snapshot.type: f"{self.timestamp().snapshot_meta.version}.snapshot.json",
        }
        for role, name in names.items():
            metadata = Metadata[Any].from_bytes((self._metadata / name).read_bytes())
            if not root.get_verification_result(role, metadata.signed_bytes, metadata.signatures):
                return False
        return True

    def online(self) -> CryptoSigner:
        """Return the online key. Raises `KeyProblem`."""
        return open_online_key(self.folder / ONLINE_KEY)

    def _targets_file(self) -> str:
        return f"{self.snapshot().meta['targets.json'].version}.targets.json"

    def _renew_snapshot(self, targets: tuple[int, bytes]) -> None:
        version = self.snapshot().version + 1
        raw = make_snapshot(targets, version, self.online(), self.now())
        write(self._metadata / f"{version}.snapshot.json", raw)
        self._renew_timestamp(version)

    def _renew_timestamp(self, snapshot_version: int) -> None:
        version = self.timestamp().version + 1
        raw = (self._metadata / f"{snapshot_version}.snapshot.json").read_bytes()
        named = make_timestamp((snapshot_version, raw), version, self.online(), self.now())
        write(self._metadata / "timestamp.json", named)

    def _read(self, kind: type[S], file: str) -> S:
        path = self._metadata / file
        try:
            signed = Metadata[Any].from_bytes(path.read_bytes()).signed
        except RepositoryError:
            raise Damaged(f"cannot use {path}: it is damaged") from None
        except OSError as error:
            raise Damaged(f"cannot read {path}: {error.strerror}") from None
        if not isinstance(signed, kind):
            raise Damaged(f"cannot use {path}: it is no {kind.__name__}")
        return signed


def write(path: Path, content: bytes) -> None:
    """Write a file that the agents fetch, whole or not at all."""
    write_whole(path, content, READABLE)


def moment(clock: Callable[[], float]) -> dt.datetime:
    """Return the time of a clock."""
    return dt.datetime.fromtimestamp(clock(), dt.UTC)
