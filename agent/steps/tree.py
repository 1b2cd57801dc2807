"""What lies in a folder, and which of it a profile's patterns mean. Follows no link."""

import fnmatch
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Item:
    """One file, link or folder below a folder, as it was when looked at."""

    path: str  # POSIX, relative to the folder
    mode: int  # with the kind, as `stat` gives it
    size: int  # bytes
    inode: int
    mtime_ns: int
    ctime_ns: int

    @property
    def is_file(self) -> bool:
        """True for a plain file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """True for a symlink, whatever it points to."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_folder(self) -> bool:
        """True for a folder that is not a link."""
        return stat.S_ISDIR(self.mode)


def look_at(folder: Path, path: str) -> Item | None:
    """Return what `path` is in `folder`, None when it is not there."""
    try:
        found = (folder / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Item(
        path, found.st_mode, found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
    )


def items(folder: Path) -> list[Item]:
    """Return all that lies below `folder`, folders before what is in them, in order of path.

    What vanishes meanwhile, and what is neither file, link nor folder (sockets, pipes), is
    left out. Raises `OSError` when a folder cannot be read.
    """
    found: list[Item] = []
    left = [""]
    while left:
        inside = [look_at(folder, path) for path in _names(folder, left.pop())]
        here = [i for i in inside if i and (i.is_file or i.is_link or i.is_folder)]
        found += here
        left += [item.path for item in here if item.is_folder]
    return sorted(found, key=lambda item: item.path.split("/"))


def _names(folder: Path, below: str) -> list[str]:
    prefix = f"{below}/" if below else ""
    try:
        return [prefix + name for name in os.listdir(folder / below)]  # noqa: PTH208 - names only
    except FileNotFoundError:
        return []


def total_bytes(found: Iterable[Item]) -> int:
    """Return how many bytes the files among these take."""
    return sum(item.size for item in found if item.is_file)


def has_content(folder: Path) -> bool:
    """True when `folder` is a real folder with something in it."""
    return folder.is_dir() and not folder.is_symlink() and any(folder.iterdir())


def matching(found: Iterable[Item], patterns: Iterable[str]) -> list[Item]:
    """Return the items that match a pattern or lie in one that does, and the folders above them.

    `*`, `?` and `[...]` stay within one part of a path; `**` stands for any number of parts.
    """
    split = [pattern.strip("/").split("/") for pattern in patterns]
    chosen: list[Item] = []
    above: set[str] = set()
    for item in reversed(list(found)):  # so that a folder comes after what is in it
        parts = item.path.split("/")
        if item.path in above or any(_match(parts, pattern) for pattern in split):
            chosen.append(item)
            above.add(item.path.rpartition("/")[0])
    return chosen[::-1]


def _match(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return True  # the path itself, or a folder it lies in
    if pattern[0] == "**":
        return any(_match(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _match(parts[1:], pattern[1:])
