"""Puts a release together out of what this host has and what it lacks: by hash, file by file.

A file is taken from where the host has it; else made by a patch from what was at its path
before, else fetched as a blob. Whatever it came from, it is written by the code that unpacks a
package, which compares it with the signed manifest. The list of parts, patches and blobs are
not signed: a lie in them is found, and then the whole package is fetched instead, as it is when
that costs less. May be begun again at any time: what is whole is left as it is.
"""

import hashlib
import io
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agent.extract import Source, check_paths, sha256_of, strangers, wipe, write_entry
from agent.package_paths import BadPackage, folders_of
from agent.platforms.base import Spot
from agent.reuse import Kept
from agent.steps.table import Work
from agent.transfer import Body, Lie, Transfer
from agent.wire import places
from agent.wire.https_errors import HttpsError
from agent.wire.manifest import FileEntry, Manifest
from agent.wire.parts import MOST_PATCHED, Parts
from agent.wire.zstd import BadFrame, Opened

_REQUEST_BYTES = 32 * 1024
"""What one more request costs, counted in bytes of a stream that is under way."""
_SMALL = 2**20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """How one missing file may be had: a body to fetch, and the base it is read beside."""

    path: str
    size: int
    base: Spot | None = None
    base_sha256: str = ""
    base_size: int = 0

    @property
    def cost(self) -> int:
        """Bytes, the request counted as some."""
        return self.size + _REQUEST_BYTES


Ways = dict[int, list[Way]]
"""How each missing file may be had, by its place on the manifest, cheapest first."""


class _Readable:
    """A file of somebody else's; that it cannot be read is a reason not to use it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        """Return the next bytes. Raises `BadPackage`."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise BadPackage(str(error)) from None


def _proved(content: Source, entry: FileEntry) -> Source:
    """Return a small content read and compared at once: most of what differs is not written."""
    if entry.size > _SMALL:
        return content
    raw = content.read(entry.size + 1)
    if hashlib.sha256(raw).hexdigest() != entry.sha256:
        raise BadPackage("it is another content")
    return io.BytesIO(raw)


def _longest_blob(size: int) -> int:
    """Return how long a blob of so many bytes can be: zstd's own bound, and some."""
    return size + size // 128 + 1024


class Assembly:
    """One release on its way into the folder `into`, which nobody but the agent enters.

    Raises `BadPackage` for a path that no package may have.
    """

    def __init__(self, manifest: Manifest, into: Path, kept: Kept, work: Work) -> None:
        check_paths(manifest)  # judged by whoever ordered it too; nothing is written by it alone
        self._manifest = manifest
        self._into = into
        self._kept = kept
        self._work = work
        self._had: dict[str, str] = {}  # hash -> path of what is in place
        self._done, self._total = 0, manifest.unpacked_size

    def reuse(self) -> list[int]:
        """Put in place what the host has; return what is missing, by place on the manifest."""
        self._make_folders()
        missing = []
        for at, entry in enumerate(self._manifest.files):
            self._work.pause(0)
            if self._is_there(entry) or self._copied(entry):
                self._put(entry)
            else:
                missing.append(at)
        return missing

    @property
    def reused(self) -> int:
        """How many bytes are in place."""
        return self._done

    def ways(self, missing: list[int], parts: Parts, most: int) -> Ways | None:
        """Return how each missing file may be had, cheapest first.

        None when one of them cannot be, or all together cost more than `most` bytes.
        """
        patches = self._patches(set(missing), parts)
        found = {at: patches.get(at, []) + self._blob(at, parts) for at in missing}
        if not all(found.values()):
            return None
        for possible in found.values():
            possible.sort(key=lambda way: way.size)
        return found if sum(least.cost for least, *_ in found.values()) <= most else None

    def _blob(self, at: int, parts: Parts) -> list[Way]:
        entry = self._manifest.files[at]
        size = parts.blobs[at] if at < len(parts.blobs) else 0
        if not 0 < size <= _longest_blob(entry.size):
            return []
        return [Way(places.BLOBS + entry.sha256, size)]

    def fetch(self, ways: Ways, transfer: Transfer) -> None:
        """Fetch what is missing. Raises `Lie` when a file cannot be had in any of its ways."""
        for at, possible in ways.items():
            entry = self._manifest.files[at]
            if not self._doubled(entry):
                self._fetch(entry, possible, transfer)
            self._put(entry)

    def _fetch(self, entry: FileEntry, possible: list[Way], transfer: Transfer) -> None:
        for way in possible:
            file = self._work.folders.download / f"{way.path.rpartition('/')[2]}.blob.part"
            body = Body(way.path, way.size, file)
            try:
                transfer.bring(body, self._writer(entry, way), self._teller(entry, way))
            except (Lie, HttpsError) as error:
                _log.warning("part not used", extra={"part": way.path, "why": str(error)})
            else:
                file.unlink()
                return
        raise Lie(f"{entry.path!a} cannot be had singly")

    def _writer(self, entry: FileEntry, way: Way) -> Callable[[Path], bool]:
        """Return what opens a body that has come and puts its content in place, if it is right."""

        def write(file: Path) -> bool:
            try:
                with file.open("rb") as frame:
                    self._write(self._opened(frame, entry, way), entry)
            except (BadFrame, BadPackage) as error:
                _log.warning("part not right", extra={"part": way.path, "why": str(error)})
                return False
            return True

        return write

    def _opened(self, frame: BinaryIO, entry: FileEntry, way: Way) -> Opened:
        """Open a blob or patch; of the base only the opener's own copy stays in memory."""
        if way.base is None:
            return Opened(frame, entry.size)
        with self._kept.content(way.base, way.base_sha256, way.base_size) as base:
            if base is None:
                raise BadFrame(f"its base {str(way.base)!a} was changed meanwhile")
            return Opened(frame, entry.size, base)

    def _teller(self, entry: FileEntry, way: Way) -> Callable[[int], None]:
        def tell(came: int) -> None:
            share = entry.size * came // max(1, way.size)
            self._work.progress(self._done + share, self._total)

        return tell

    def _patches(self, missing: set[int], parts: Parts) -> dict[int, list[Way]]:
        """Return which patches fit what this host has."""
        offered: dict[int, dict[str, int]] = {}
        for patch in parts.patches:
            if patch.file in missing:
                offered.setdefault(patch.file, {})[patch.base] = patch.size
        return {at: list(self._fitting(at, sizes)) for at, sizes in offered.items()}

    def _fitting(self, at: int, sizes: dict[str, int]) -> list[Way]:
        entry, found = self._manifest.files[at], []
        if entry.size > MOST_PATCHED:
            return []
        for spot, size in self._kept.before(entry.path, MOST_PATCHED):
            base = self._kept.sha256(spot, MOST_PATCHED)
            if 0 < sizes.get(base, 0) <= entry.size:
                path = places.PATCHES + places.patch_name(base, entry.sha256)
                found.append(Way(path, sizes[base], spot, base, size))
        return found

    def _make_folders(self) -> None:
        known = {entry.path for entry in self._manifest.files}
        if self._into.is_symlink() or (self._into.exists() and strangers(self._into, known)):
            wipe(self._into)
        self._into.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in sorted(folders_of(known)):
            (self._into / folder).mkdir(mode=0o755, exist_ok=True)

    def _is_there(self, entry: FileEntry) -> bool:
        """True when an earlier try has put this file in place."""
        path = self._into / entry.path
        if not path.is_file() or path.is_symlink():
            return False
        return path.lstat().st_size == entry.size and sha256_of(path) == entry.sha256

    def _copied(self, entry: FileEntry) -> bool:
        if not entry.size:
            self._write(io.BytesIO(), entry)
            return True
        return self._doubled(entry) or any(
            self._copy(spot, entry) for spot in self._kept.like(entry)
        )

    def _doubled(self, entry: FileEntry) -> bool:
        """True when the same content was in place under another path, and is now here too."""
        same = self._had.get(entry.sha256)
        return same is not None and self._copy(Spot(self._into, same), entry)

    def _copy(self, spot: Spot, entry: FileEntry) -> bool:
        try:
            source = self._work.platform.open_file(spot)
        except OSError:
            return False
        with source, suppress(BadPackage):
            self._write(_proved(_Readable(source), entry), entry)
            return True
        return False

    def _write(self, content: Source, entry: FileEntry) -> None:
        target = self._into / entry.path
        if target.is_dir() and not target.is_symlink():
            wipe(target)
        target.unlink(missing_ok=True)
        write_entry(content, entry, self._into)

    def _put(self, entry: FileEntry) -> None:
        path = self._into / entry.path
        if (path.stat().st_mode & 0o777) != entry.mode:
            path.chmod(entry.mode & 0o777)
        self._had[entry.sha256] = entry.path
        self._done += entry.size
        self._work.progress(self._done, self._total)
