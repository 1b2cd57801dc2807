"""Fetches one package from a vendor: goes on where it was cut, verifies it, bounds the disk.

What came is kept under the content's hash, so it does not matter when a part of it came: a
download that was cut goes on, even after the coordinator was started anew.
"""

import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.wire.atomic import NO_ROOM
from coordinator.complaint import Complaint
from coordinator.releases.feed import MOST_PACKAGE
from coordinator.releases.source import CHUNK, TELL_VENDOR, Away, Body, NotGiven, Source

PAUSES = (1.0, 5.0, 15.0, 60.0)
"""Seconds between tries after a cut; they begin anew whenever 64 KiB have come."""
SPARE = 2**28
"""How many bytes stay free whatever is fetched."""
_COPIES = 4  # what is fetched, what is kept, that unpacked to be judged, and each of its files
_KEPT_SECONDS = 7 * 86_400.0
_log = logging.getLogger(__name__)

Followed = Callable[[int, int], None]
"""Hears how many bytes have come, and of how many."""
Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to come from where; without a hash nothing is known of it beforehand."""

    role: str
    system: str
    place: str
    size: int | None = None  # bytes
    sha256: str = ""


class Fetch:
    """One package on its way into a folder."""

    def __init__(
        self, wanted: Wanted, source: Source, folder: Path, followed: Followed, wait: Wait
    ) -> None:
        self._wanted = wanted
        self._source = source
        self._followed = followed
        self._wait = wait
        self.sha256 = ""  # of what came, once it is whole
        self._part = folder / f"{wanted.sha256 or secrets.token_hex(16)}.part"

    @contextmanager
    def run(self) -> Iterator[Path]:
        """Yield the file, as the feed says that it is; deleted afterwards. Raises `Complaint`."""
        self._part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        forget_old(self._part.parent)
        try:
            self._fetch()
        except OSError as error:
            raise self._no_disk(error) from None
        except Complaint:
            if not self._wanted.sha256:
                self._part.unlink(missing_ok=True)  # what it was the beginning of is not known
            raise
        try:
            yield self._part
        finally:
            self._part.unlink(missing_ok=True)

    def _fetch(self) -> None:
        tries = 0
        while not self._is_whole():
            had = self._have()
            try:
                self._fetch_from(had if self._wanted.sha256 else 0)
                if self._wanted.size is None:
                    break
            except Away as error:
                tries = 0 if self._have() >= had + CHUNK else tries + 1
                if tries > len(PAUSES):
                    raise self._cut(error) from None
                _log.info("download cut", extra={"have": self._have(), "why": error.error})
                self._wait(PAUSES[max(tries - 1, 0)])
        self._verify()

    def _is_whole(self) -> bool:
        return self._wanted.size is not None and self._have() >= self._wanted.size

    def _fetch_from(self, start: int) -> None:
        with self._source.opened(self._wanted.place, start) as body:
            total = self._judged(body)
            self._check_space(total)
            with self._part.open("r+b" if self._part.exists() else "x+b") as file:
                file.truncate(body.start)
                done = file.seek(body.start)
                for chunk in body.chunks:
                    done += len(chunk)
                    if done > total:
                        raise self._mismatch(f"more than its {total} bytes come")
                    file.write(chunk)
                    self._followed(done, total)
        if done < total:
            said = f"cannot fetch {self._name}: it ends after {done} of {total} bytes"
            raise Away(said, "try again later, or tell the vendor")

    def _judged(self, body: Body) -> int:
        """Return how many bytes there will be. Raises `Complaint` when these are not wanted."""
        total = self._wanted.size if body.total is None else body.total
        if total is None:
            said = f"cannot fetch {self._name}: its server does not say how long it is"
            raise NotGiven(said, TELL_VENDOR)
        if self._wanted.size not in {None, total}:
            raise self._mismatch(
                f"it has {total} bytes there, and {self._wanted.size} in the feed"
            )
        if not 0 < total <= MOST_PACKAGE or body.start > self._have():
            said = f"cannot fetch {self._name}: it has {total} bytes, from {body.start} on"
            raise NotGiven(said, TELL_VENDOR)
        return total

    def _check_space(self, total: int) -> None:
        need = total * _COPIES - self._have() + SPARE
        free = shutil.disk_usage(self._part.parent).free
        if free < need:
            raise Complaint(
                f"cannot fetch {self._name}: {need // 2**20 + 1} MiB are needed on the disk of "
                f"{self._part.parent}, {free // 2**20} MiB are free",
                "make room there, then ask for it again",
            )

    def _verify(self) -> None:
        wanted = self._wanted.sha256
        with self._part.open("rb") as file:
            self.sha256 = found = hashlib.file_digest(file, "sha256").hexdigest()
        if wanted and (found != wanted or self._have() != (self._wanted.size or self._have())):
            raise self._mismatch(f"its SHA-256 is {found}, and {wanted} was expected")

    @property
    def _name(self) -> str:
        return self._wanted.place

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _mismatch(self, why: str) -> Complaint:
        self._part.unlink(missing_ok=True)
        return Complaint(
            f"cannot use {self._name}: {why}",
            "ask the vendor which of the two is right; nothing of it was kept",
        )

    def _cut(self, error: Away) -> Away:
        kept = f"{self._have()} bytes are kept for the next time" if self._wanted.sha256 else ""
        return Away("; ".join(filter(None, (error.error, kept))), error.mend)

    def _no_disk(self, error: OSError) -> Complaint:
        if error.errno in NO_ROOM:
            self._part.unlink(missing_ok=True)
        return Complaint(
            f"cannot keep {self._name} in {self._part.parent}: {error.strerror}",
            "make room there and see that whoever runs roundsman serve may write there",
        )


def forget_old(folder: Path, now: Callable[[], float] = time.time) -> None:
    """Delete what was left of downloads that nobody went on with for a week."""
    for part in folder.glob("*.part"):
        if now() - part.stat().st_mtime > _KEPT_SECONDS:
            part.unlink(missing_ok=True)
