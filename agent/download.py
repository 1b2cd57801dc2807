"""Downloads one package whole: resumes at any byte, verifies it, tells a full disk plainly.

The content is named by its hash, so it does not matter when or from where a part of it came.
"""

import os
from pathlib import Path

from agent.extract import sha256_of
from agent.steps.table import Refused, Work
from agent.transfer import Body, CutShort, Lie, Transfer, have_of
from agent.wire import places
from agent.wire.atomic import NO_ROOM, sync_folder
from agent.wire.contract import Refusal
from agent.wire.https_errors import HttpsError
from agent.wire.https_errors import Refused as HttpRefused
from agent.wire.manifest import Manifest

_SPARE_BYTES = 64 * 2**20
"""What is left free on the disk, so that the host goes on working."""
_BEYOND_END = 416


class Download:
    """One package on its way into `work.folders.download`."""

    def __init__(self, manifest: Manifest, transfer: Transfer, work: Work) -> None:
        self._sha256 = manifest.content_sha256
        self._size = manifest.content_size
        self._transfer = transfer
        self._work = work
        self._whole = work.folders.download / f"{self._sha256}.zip"
        self._part = work.folders.download / f"{self._sha256}.part"

    @property
    def missing(self) -> int:
        """How many bytes are still to come."""
        if self._whole.is_file():
            return 0
        return max(0, self._size - have_of(self._part))

    def run(self) -> Path:
        """Return the verified file. Raises `Refused`."""
        if self._is_whole():
            return self._whole
        try:
            self._check_space()
            self._fetch()
            return self._keep()
        except OSError as error:
            if error.errno not in NO_ROOM:
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

    def _fetch(self) -> None:
        body = Body(places.PACKAGES + self._sha256, self._size, self._part)
        try:
            self._transfer.bring(body, self._is_right, self._tell)
        except Lie as lie:
            raise self._mismatch(str(lie)) from None
        except CutShort as error:
            raise self._cut(error) from None
        except HttpRefused as error:
            raise self._refused(error) from None
        except HttpsError as error:
            raise Refused(Refusal.PACKAGE_ABSENT, f"cannot fetch it: {error}") from None

    def _is_right(self, file: Path) -> bool:
        return file.is_file() and sha256_of(file) == self._sha256

    def _tell(self, done: int) -> None:
        self._work.progress(done, self._size)

    def _keep(self) -> Path:
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        self._part.replace(self._whole)
        sync_folder(self._whole.parent)
        return self._whole

    def _have(self) -> int:
        return have_of(self._part)

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

    def _cut(self, error: CutShort) -> Refused:
        kept = f"{self._have()} of {self._size} bytes are kept for the next try"
        return Refused(Refusal.PACKAGE_ABSENT, f"cannot fetch the package: {error}; {kept}")

    def _disk_full(self, free: int) -> Refused:
        need = self._size - self._have() + _SPARE_BYTES
        return Refused(
            Refusal.DISK_FULL,
            f"cannot download the package: {need // 2**20 + 1} MiB are needed on the disk of "
            f"{self._work.folders.download}, {free // 2**20} MiB are free. Make room, then retry",
        )
