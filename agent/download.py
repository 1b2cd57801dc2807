"""Downloads one package: resumes at any byte, verifies the whole, tells a full disk plainly.

No faster than the order's rate, when it has one.

The content is named by its hash, so it does not matter when or from where a part of it came.
"""

import errno
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from agent.extract import sha256_of
from agent.rate import Rate
from agent.steps.table import Refused, Work
from agent.wire import places
from agent.wire.atomic import sync_folder
from agent.wire.contract import Refusal
from agent.wire.https import Https, Stream
from agent.wire.https_errors import HttpsError, Unreachable
from agent.wire.https_errors import Refused as HttpRefused
from agent.wire.manifest import Manifest

_PAUSES = (1.0, 5.0, 15.0)
"""Seconds between tries after a cut; they begin anew whenever bytes have come."""
_SPARE_BYTES = 64 * 2**20
"""What is left free on the disk, so that the host goes on working."""
_BEYOND_END = 416
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

_log = logging.getLogger(__name__)


class Download:
    """One package on its way into `work.folders.download`."""

    def __init__(
        self, manifest: Manifest, https: Https, headers: Mapping[str, str], work: Work
    ) -> None:
        self._sha256 = manifest.content_sha256
        self._size = manifest.content_size
        self._https = https
        self._headers = headers
        self._work = work
        self._rate = Rate(work, work.params.rate)
        self._whole = work.folders.download / f"{self._sha256}.zip"
        self._part = work.folders.download / f"{self._sha256}.part"

    def run(self) -> Path:
        """Return the verified file. Raises `Refused`."""
        if self._is_whole():
            return self._whole
        try:
            self._check_space()
            self._fetch_all()
            return self._verify()
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            self._part.unlink(missing_ok=True)
            raise self._disk_full(0) from None

    def _is_whole(self) -> bool:
        if not self._whole.is_file() or self._whole.stat().st_size != self._size:
            return False
        if sha256_of(self._whole) != self._sha256:
            self._whole.unlink()
            return False
        self._work.progress(self._size, self._size)
        return True

    def _check_space(self) -> None:
        self._work.folders.download.mkdir(parents=True, exist_ok=True)
        if self._have() > self._size:
            self._part.unlink()
        free = self._work.platform.free_bytes(self._work.folders.download)
        if free < self._size - self._have() + _SPARE_BYTES:
            raise self._disk_full(free)

    def _fetch_all(self) -> None:
        tries = 0
        while (have := self._have()) < self._size:
            try:
                self._fetch_from(have)
            except Unreachable as error:
                tries = 0 if self._have() > have else tries + 1
                if tries > len(_PAUSES):
                    raise self._cut(error) from None
                _log.info("download cut", extra={"have": self._have(), "why": str(error)})
                self._work.pause(_PAUSES[max(tries - 1, 0)])
            except HttpRefused as error:
                raise self._refused(error) from None
            except HttpsError as error:
                raise Refused(Refusal.PACKAGE_ABSENT, f"cannot fetch it: {error}") from None

    def _fetch_from(self, start: int) -> None:
        path = places.PACKAGES + self._sha256
        with self._https.stream(path, start, self._headers) as stream:
            if stream.total != self._size:
                raise self._mismatch(f"{stream.total} bytes there, {self._size} were signed")
            self._write(stream)

    def _write(self, stream: Stream) -> None:
        with self._part.open("r+b" if self._part.exists() else "x+b") as file:
            file.truncate(stream.start)
            done = file.seek(stream.start)
            for chunk in stream.chunks:
                file.write(chunk)
                done += len(chunk)
                if done > self._size:
                    raise self._mismatch("more bytes come than were signed")
                self._work.progress(done, self._size)
                self._rate.take(len(chunk))

    def _verify(self) -> Path:
        if sha256_of(self._part) != self._sha256:
            raise self._mismatch("its content is not what was signed")
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        self._part.replace(self._whole)
        sync_folder(self._whole.parent)
        return self._whole

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _mismatch(self, why: str) -> Refused:
        self._part.unlink(missing_ok=True)
        return Refused(
            Refusal.PACKAGE_MISMATCH,
            f"cannot use the package that the coordinator gives: {why}. Add it there again",
        )

    def _refused(self, error: HttpRefused) -> Refused:
        if error.status == _BEYOND_END:
            return self._mismatch("it is shorter there than what was signed")
        return Refused(Refusal.PACKAGE_ABSENT, f"cannot fetch the package: {error}")

    def _cut(self, error: Unreachable) -> Refused:
        kept = f"{self._have()} of {self._size} bytes are kept for the next try"
        return Refused(Refusal.PACKAGE_ABSENT, f"cannot fetch the package: {error}; {kept}")

    def _disk_full(self, free: int) -> Refused:
        need = self._size - self._have() + _SPARE_BYTES
        return Refused(
            Refusal.DISK_FULL,
            f"cannot download the package: {need // 2**20 + 1} MiB are needed on the disk of "
            f"{self._work.folders.download}, {free // 2**20} MiB are free. Make room, then retry",
        )
