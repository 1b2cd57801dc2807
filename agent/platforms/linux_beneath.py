"""Opens what a `Spot` means without ever following a link, whoever may write on the way there.

Each part of a path is opened by itself, below the one before, and refused when it is a link. So
what was opened is what was meant: the check and the use are of one descriptor (security row T31).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.platforms.base import Item, Spot

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
"""What the system says of a path that leads nowhere, or over a link."""


@contextmanager
def folder_at(spot: Spot) -> Iterator[int]:
    """Open a folder. Raises `OSError`; `NotADirectoryError` when a link is on the way."""
    parts = [*spot.folder.parts[1:], *(spot.path.split("/") if spot.path else [])]
    handle = os.open("/", _FOLDER)
    try:
        for part in parts:
            below = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    except OSError as error:
        error.filename = error.filename if _is_whole(error.filename) else str(spot)
        raise
    finally:
        os.close(handle)


def _is_whole(name: object) -> bool:
    return isinstance(name, str) and name.startswith("/")


@contextmanager
def parent_of(spot: Spot) -> Iterator[tuple[int, str]]:
    """Open the folder a spot is in; yields it with the spot's own name."""
    path = spot.folder / spot.path
    above = Spot(spot.folder, spot.path.rpartition("/")[0]) if spot.path else Spot(path.parent)
    with folder_at(above) as handle:
        yield handle, path.name


@contextmanager
def opened(spot: Spot, flags: int = 0, mode: int = 0o600) -> Iterator[int]:
    """Open a file or folder for reading, or with `flags`. Raises `OSError` for a link."""
    with parent_of(spot) as (parent, name):
        handle = os.open(
            name, (flags or _PLAIN) | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent
        )
    try:
        yield handle
    finally:
        os.close(handle)


def open_plain(spot: Spot) -> int:
    """Return a plain file opened for reading. Raises `OSError` for anything else."""
    with parent_of(spot) as (parent, name):
        handle = os.open(name, _PLAIN, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is no plain file", str(spot))
    return handle


def item_at(parent: int, name: str, path: str) -> Item | None:
    """Return what `name` is in an open folder, called `path`; None when it is not there."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Item(
        path,
        found.st_mode,
        found.st_size,
        found.st_ino,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_uid,
        found.st_gid,
    )


def look_at(spot: Spot) -> Item | None:
    """Return what is at a spot, None when nothing is there or a link is on the way."""
    try:
        with parent_of(spot) as (parent, name):
            return item_at(parent, name, spot.path)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def items(folder: Path) -> list[Item]:
    """Return all below a folder, in order of path. Raises `OSError`."""
    found: list[Item] = []
    left = [""]
    while left:
        here = _inside(Spot(folder, left.pop()))
        found += here
        left += [item.path for item in here if item.is_folder]
    return sorted(found, key=lambda item: item.path.split("/"))


def _inside(spot: Spot) -> list[Item]:
    try:
        with folder_at(spot) as handle:
            names = os.listdir(handle)  # noqa: PTH208 - of an open folder
            seen = [item_at(handle, name, spot.below(name).path) for name in names]
    except OSError as error:
        if error.errno in ABSENT and (spot.path or error.errno == errno.ENOENT):
            return []  # it vanished meanwhile, or became something else
        raise
    return [item for item in seen if item and (item.is_file or item.is_link or item.is_folder)]
