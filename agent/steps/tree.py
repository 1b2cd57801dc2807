"""Which of what lies in a folder a profile's patterns mean, and how large it is."""

import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.platforms.base import Item


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
