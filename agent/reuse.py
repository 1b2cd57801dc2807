"""What this host already has of a release: looked for by path, size and name, proved by hash.

The app's folder is the users' too: each file is opened without following a link, read no
further than it should be long, and believed only once what was copied from it has the hash that
was signed.
"""

import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from agent.platforms.base import Item, Spot
from agent.steps.table import Work
from agent.wire.manifest import FileEntry

_MOST_TRIES = 3  # files of one name and size that are looked into
_CHUNK = 256 * 1024


class Kept:
    """The files of some folders: of the app, and of releases that were taken out of it."""

    def __init__(self, work: Work, folders: list[Path]) -> None:
        """List what is there; nothing is read yet."""
        self._work = work
        self._files: dict[Path, dict[str, Item]] = {}
        self._alike: dict[tuple[str, int], list[Spot]] = {}
        for folder in folders:
            self._list(folder)

    def _list(self, folder: Path) -> None:
        found = self._work.platform.look_at(Spot(folder))
        if found is None or not found.is_folder:
            return
        files = [item for item in self._work.platform.items(folder) if item.is_file]
        self._files[folder] = {item.path: item for item in files}
        for item in files:
            key = item.path.rpartition("/")[2], item.size
            self._alike.setdefault(key, []).append(Spot(folder, item.path))

    def like(self, entry: FileEntry) -> Iterator[Spot]:
        """Yield what may be this very file: at its path, else of its name, and of its size."""
        same = [
            Spot(folder, entry.path)
            for folder, files in self._files.items()
            if entry.path in files and files[entry.path].size == entry.size
        ]
        yield from same
        others = self._alike.get((entry.path.rpartition("/")[2], entry.size), ())
        yield from islice((spot for spot in others if spot not in same), _MOST_TRIES)

    def before(self, path: str, most: int) -> Iterator[tuple[Spot, int]]:
        """Yield what was at a path before and is at most so large, with its size."""
        for folder, files in self._files.items():
            if path in files and 0 < files[path].size <= most:
                yield Spot(folder, path), files[path].size

    @contextmanager
    def content(self, spot: Spot, sha256: str, size: int) -> Iterator[mmap.mmap | None]:
        """Yield a file's content, None unless it has this size and hash.

        In memory of its own, which is given back at the end: an agent runs for months.
        """
        with mmap.mmap(-1, size) as content:
            try:
                with self._work.platform.open_file(spot) as file:
                    came = file.readinto(content)  # type: ignore[attr-defined]
                    is_it = came == size and not file.read(1)
            except OSError:
                is_it = False
            yield content if is_it and hashlib.sha256(content).hexdigest() == sha256 else None

    def sha256(self, spot: Spot, most: int) -> str:
        """Return the hash of a file, "" when it cannot be read or is larger than that."""
        digest = hashlib.sha256()
        try:
            with self._work.platform.open_file(spot) as file:
                while (chunk := file.read(min(_CHUNK, most + 1))) and most >= 0:
                    most -= len(chunk)
                    digest.update(chunk)
        except OSError:
            return ""
        return digest.hexdigest() if most >= 0 else ""
