"""Makes patches from the files of earlier packages to those of new ones, in the background.

Until they are made a package is fetched by its blobs or its zip: nothing waits for them. One
thread, file by file, so that a stop is heard soon; what a stop has cut short is made at the next
start, and nothing is made twice.
"""

import logging
import threading
from collections.abc import Iterator

from agent.wire.atomic import READABLE, write_whole
from agent.wire.manifest import FileEntry, Manifest
from agent.wire.parts import MOST_PATCHED, Patch
from agent.wire.zstd import make_patch
from coordinator.releases.blobs import BlobStore

_LEAST_SAVED = 0.3
"""A patch is kept when it is at least so much shorter than the blob."""
_LEAST_BLOB = 4096  # shorter ones are sent as they are: a request costs as much
_LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)


class Patcher:
    """Makes whatever patches are missing, while it is held open."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="patches", daemon=True)

    def __enter__(self) -> "Patcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self.make_missing()

    def make_missing(self) -> None:
        """Make the patches to every package that has none yet, and offer them."""
        for package in self._blobs.unpatched():
            try:
                manifest = self._blobs.manifest(package)
                patches = tuple(self._patches(manifest))
                if not self._stopping.is_set():
                    self._blobs.offer(package, patches)
            except (OSError, ValueError) as error:  # it is not there, or not what it was
                _log.warning("patches not made", extra={"package": package, "why": str(error)})
                self._blobs.give_up(package)

    def _patches(self, manifest: Manifest) -> Iterator[Patch]:
        for at, base in changes(manifest, self._blobs.earlier(manifest)):
            if self._stopping.is_set():
                return
            patch = self._patch(base, manifest.files[at])
            if patch is not None:
                yield Patch(at, base.sha256, patch)

    def _patch(self, base: FileEntry, new: FileEntry) -> int | None:
        """Return how long the patch is, made if need be; None when it is not worth it."""
        file, blob = (
            self._blobs.patch_file(base.sha256, new.sha256),
            self._blobs.length(new.sha256),
        )
        if file.is_file():
            return file.stat().st_size
        if blob < _LEAST_BLOB:
            return None
        patch = make_patch(self._blobs.content(base), self._blobs.content(new))
        if len(patch) > blob * (1 - _LEAST_SAVED):
            return None
        write_whole(file, patch, READABLE)
        return len(patch)


def changes(manifest: Manifest, earlier: list[Manifest]) -> list[tuple[int, FileEntry]]:
    """Return which files may be patched, by place on the list, each with one that came before.

    Those at the same path and no larger than is patched, newest package first.
    """
    now = {entry.path: (at, entry) for at, entry in enumerate(manifest.files)}
    pairs: dict[tuple[int, str], FileEntry] = {}
    for base in (entry for one in reversed(earlier) for entry in one.files):
        at, entry = now.get(base.path, (-1, base))
        if at >= 0 and entry.sha256 != base.sha256 and _fits(base) and _fits(entry):
            pairs.setdefault((at, base.sha256), base)
    return [(at, base) for (at, _), base in pairs.items()]


def _fits(entry: FileEntry) -> bool:
    return 0 < entry.size <= MOST_PATCHED
