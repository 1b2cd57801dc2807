"""Signed targets, verified; nothing else reaches a step.

Only the root that this PC was enrolled with is trusted, and what that root leads to. Metadata
that is expired, older than what was seen before, or not rightly signed is refused, whatever the
link says. What was once verified is kept: while the coordinator cannot be asked, an undo or a
recovery must still know how its app is closed (`kept`).
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from agent.bulk import Bulk
from agent.enrol import PINNED_ROOT
from agent.steps.table import Refused, Work
from agent.trusted import NotReached, NotTrusted, TargetFile, Trusted
from agent.wire import places
from agent.wire.atomic import NO_ROOM, write_whole
from agent.wire.contract import Refusal, Target
from agent.wire.https import Https
from agent.wire.https_errors import HttpsError
from agent.wire.manifest import MOST_BYTES, Manifest, read_manifest
from agent.wire.profile import Profile
from agent.wire.profile_reader import read_profile

FRESH_SECONDS = 900.0
"""For how long a verified target is given again without asking the coordinator."""

_log = logging.getLogger(__name__)
T = TypeVar("T")


class KeptTargets:
    """Targets that were verified on this PC before, by their content; never asks anybody."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, state: Path) -> "KeptTargets":
        """Return those that an agent keeps in its state folder."""
        return cls(state / "tuf" / "kept")

    def names(self, before: float) -> list[str]:
        """Return the hashes of those kept before that moment, seconds since 1970."""
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(path.name for path in found if path.lstat().st_mtime < before)

    def drop(self, name: str) -> None:
        """Forget one, by its hash."""
        (self._folder / name).unlink(missing_ok=True)

    def read(self, target: Target) -> bytes | None:
        """Return the content, None when this target was never verified here."""
        path = self._folder / target.sha256
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        return raw if hashlib.sha256(raw).hexdigest() == target.sha256 else None

    def keep(self, target: Target, raw: bytes) -> None:
        """Keep a content that was just verified."""
        write_whole(self._folder / target.sha256, raw)


class SignedPackages:
    """Implements `agent.steps.table.Packages` over HTTPS; threads may share it."""

    def __init__(
        self,
        state: Path,
        host_id: str,
        https: Https,
        clock: Callable[[], float] = time.monotonic,
        mirrors: Sequence[str] = (),
    ) -> None:
        """Trust the root that enrolment left in `state`; everything else is fetched."""
        root = (state / PINNED_ROOT).read_bytes()
        self._trusted = Trusted(state / "tuf", root, https.get_bytes, places.METADATA)
        self._bulk = Bulk(https, host_id, mirrors)
        self._https = https
        self._clock = clock
        self._kept = KeptTargets.of(state)
        self._fresh: dict[Target, float] = {}
        self._lock = threading.Lock()

    def profile(self, target: Target) -> Profile:
        """Return the verified profile. Raises `Refused` NOT_SIGNED, DISK_FULL."""
        return _parsed(target, self._verified(target), _read_profile)

    def manifest(self, target: Target, *, afresh: bool = False) -> Manifest:
        """Return the verified manifest of a package. Raises `Refused` NOT_SIGNED, DISK_FULL.

        `afresh` asks for the signed list as it is now, since the package may be withdrawn.
        """
        return _parsed(target, self._verified(target, afresh=afresh), _read_manifest)

    def kept_profile(self, target: Target) -> Profile | None:
        """Return the profile if it was verified on this PC before, asking nobody.

        For recovery at start and for a seal that outlives a reboot; never for a new order.
        """
        raw = self._kept.read(target)
        return None if raw is None else _parsed(target, raw, _read_profile)

    def fetch(self, manifest: Manifest, ticket: str, work: Work) -> Path:
        """Return the package's content, downloaded or resumed and verified, as one file.

        Raises `Refused` PACKAGE_ABSENT, PACKAGE_MISMATCH or DISK_FULL; reports bytes through
        `work`. What has come so far is kept when the line is cut.
        """
        return self._bulk.fetch(manifest, ticket, work)

    def assemble(self, manifest: Manifest, ticket: str, work: Work, into: Path) -> bool:
        """Have the release in the folder `into`, of what this host has and what it lacks.

        Returns False when the package is to be fetched whole. Raises `Refused` PACKAGE_ABSENT.
        """
        return self._bulk.assemble(manifest, ticket, work, into)

    def _verified(self, target: Target, *, afresh: bool = False) -> bytes:
        with self._lock:
            raw, until = self._kept.read(target), self._fresh.get(target, float("-inf"))
            if raw is not None and not afresh and self._clock() < until:
                return raw
            raw = self._ask(target, raw)
            self._fresh[target] = self._clock() + FRESH_SECONDS
            return raw

    def _ask(self, target: Target, kept: bytes | None) -> bytes:
        try:
            entry = self._entry(target)
            return kept if kept is not None else self._get(target, entry)
        except NotReached as error:
            if kept is None:
                raise _not_signed(target, str(error)) from None
            _log.warning("signed metadata not asked", extra={"target": target.name})
            return kept
        except (NotTrusted, HttpsError) as error:
            raise _not_signed(target, str(error)) from None
        except OSError as error:
            raise _not_kept(target, error) from None

    def _entry(self, target: Target) -> TargetFile:
        entry = self._trusted.entry(target.name)
        if entry is None or entry.hashes.get("sha256") != target.sha256:
            raise NotTrusted("the signed list does not name it with this content")
        return entry

    def _get(self, target: Target, entry: TargetFile) -> bytes:
        if entry.length > MOST_BYTES:
            raise NotTrusted(f"it is larger than {MOST_BYTES} bytes")
        raw = self._trusted.content(entry, places.TARGETS)
        self._kept.keep(target, raw)
        return raw


def _read_profile(target: Target, raw: bytes) -> Profile:
    return read_profile(raw.decode("utf-8"), target.name)


def _read_manifest(_target: Target, raw: bytes) -> Manifest:
    return read_manifest(raw)


def _parsed(target: Target, raw: bytes, read: Callable[[Target, bytes], T]) -> T:
    try:
        return read(target, raw)
    except ValueError as error:
        raise _not_signed(target, f"it is signed, but cannot be read here: {error}") from None


def _not_signed(target: Target, why: str) -> Refused:
    return Refused(Refusal.NOT_SIGNED, f"cannot accept {target.name}: {why}"[:500])


def _not_kept(target: Target, error: OSError) -> Refused:
    """Return what is said of a disk that does not take what is signed: when full, try again."""
    if error.errno not in NO_ROOM:
        return _not_signed(target, str(error))
    why = f"cannot keep what is signed of {target.name} on the disk: {error.strerror or error}"
    return Refused(Refusal.DISK_FULL, f"{why[:400]}. Make room, then retry")
