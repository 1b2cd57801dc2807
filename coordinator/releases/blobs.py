"""The files of all packages, each once, by their content: what a host lacks it fetches singly.

Below the packages' folder, so that a web server or a mirror can serve it as it is:

    blobs/<sha256 of the file>          the file, compressed
    patches/<base>.<new>                what makes the one out of the other
    parts/<sha256 of the zip>           which of these a package has, and how long each is
    lists/<sha256 of the zip>           its manifest: whose files they are
    unpatched/<sha256 of the zip>       patches to it are still to be made

None of it is trusted by anybody: an agent verifies what it gets by the signed manifest.
"""

import os
import secrets
from functools import lru_cache
from pathlib import Path

from agent.wire.atomic import READABLE, write_whole
from agent.wire.manifest import FileEntry, Manifest, read_manifest, write_manifest
from agent.wire.parts import Parts, Patch, read_parts, write_parts
from agent.wire.places import patch_name
from agent.wire.zstd import Opened, compress

_EARLIER = 3
"""From so many of the newest earlier packages patches are made."""


class BlobStore:
    """Blobs, patches and lists of parts; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._members = lru_cache(8)(self._read_members)

    def blob(self, package: str, sha256: str) -> Path | None:
        """Return a blob, None unless that package has such a file."""
        return self._of(package, sha256, self._folder / "blobs" / sha256)

    def patch(self, package: str, base: str, new: str) -> Path | None:
        """Return a patch to a file of that package, None when there is none."""
        return self._of(package, new, self.patch_file(base, new))

    def parts(self, package: str) -> Path | None:
        """Return a package's list of parts, None when there is none."""
        path = self._folder / "parts" / package
        return path if path.is_file() else None

    def take(self, tree: Path, manifest: Manifest) -> None:
        """Store each file of an unpacked package that is not there yet, and what it has."""
        for name in ("blobs", "patches", "parts", "lists", "unpatched"):
            (self._folder / name).mkdir(exist_ok=True)
        for entry in {entry.sha256: entry for entry in manifest.files}.values():
            self._store(tree / entry.path, entry.sha256)
        os.sync()  # once for all: a blob cut short by a power cut would stay so
        parts = Parts(tuple(self.length(entry.sha256) for entry in manifest.files))
        package = manifest.content_sha256
        write_whole(self._folder / "parts" / package, write_parts(parts), READABLE)
        write_whole(self._folder / "lists" / package, write_manifest(manifest))
        (self._folder / "unpatched" / package).touch()

    def folder(self, kind: str) -> Path:
        """Return where everything of one kind is: blobs, patches, parts, lists, unpatched."""
        return self._folder / kind

    def unpatched(self) -> list[str]:
        """Return the packages to which patches are still to be made, oldest first."""
        return [path.name for path in _by_age(self._folder / "unpatched")]

    def manifest(self, package: str) -> Manifest:
        """Return what a package holds. Raises `OSError` when it was never taken."""
        return read_manifest((self._folder / "lists" / package).read_bytes())

    def earlier(self, manifest: Manifest) -> list[Manifest]:
        """Return the newest other packages of the same app, role and system, oldest first."""
        lists = (read_manifest(path.read_bytes()) for path in _by_age(self._folder / "lists"))
        same = [one for one in lists if _kind(one) == _kind(manifest)]
        return [one for one in same if one.content_sha256 != manifest.content_sha256][-_EARLIER:]

    def length(self, sha256: str) -> int:
        """Return how long a blob is. Raises `OSError`."""
        return (self._folder / "blobs" / sha256).stat().st_size

    def content(self, entry: FileEntry) -> bytes:
        """Return the content of a file. Raises `OSError` or `BadFrame`."""
        with (self._folder / "blobs" / entry.sha256).open("rb") as blob:
            return Opened(blob, entry.size).read(entry.size)

    def patch_file(self, base: str, new: str) -> Path:
        """Return where the patch between these is, or will be."""
        return self._folder / "patches" / patch_name(base, new)

    def offer(self, package: str, patches: tuple[Patch, ...]) -> None:
        """Tell of the patches to a package, which are all of them."""
        path = self._folder / "parts" / package
        parts = Parts(read_parts(path.read_bytes()).blobs, patches)
        write_whole(path, write_parts(parts), READABLE)
        self.give_up(package)

    def give_up(self, package: str) -> None:
        """Make no patches to a package: they cannot be."""
        (self._folder / "unpatched" / package).unlink(missing_ok=True)

    def _of(self, package: str, sha256: str, path: Path) -> Path | None:
        known = (self._folder / "lists" / package).is_file() and sha256 in self._members(package)
        return path if known and path.is_file() else None

    def _read_members(self, package: str) -> frozenset[str]:
        return frozenset(entry.sha256 for entry in self.manifest(package).files)

    def _store(self, file: Path, sha256: str) -> None:
        target = self._folder / "blobs" / sha256
        if not target.is_file():
            beside = target.with_name(f".{secrets.token_hex(8)}")
            try:
                compress(file, beside)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)


def _kind(manifest: Manifest) -> tuple[str, str, str]:
    return manifest.app, manifest.role, manifest.system


def _by_age(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)
