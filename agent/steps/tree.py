"""Which of what lies in a folder a profile's patterns mean, how large it is, what a file holds."""

import fnmatch
import hashlib
from collections.abc import Iterable, Sequence

from agent.platforms.base import FileControl, Item, Spot

_CHUNK = 256 * 1024


def total_bytes(found: Iterable[Item]) -> int:
    """Return how many bytes the files among these take."""
    return sum(item.size for item in found if item.is_file)


def sha256_at(files: FileControl, spot: Spot) -> str:
    """Return the hash of a plain file. Raises `OSError`, for a link too."""
    digest = hashlib.sha256()
    with files.open_file(spot) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def beginning_of(files: FileControl, spot: Spot, most: int) -> bytes:
    """Return the first `most` bytes of a plain file. Raises `OSError`, for a link too."""
    with files.open_file(spot) as file:
        return file.read(most)


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
