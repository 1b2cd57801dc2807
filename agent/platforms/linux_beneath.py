"""Opens what a `Spot` means without ever following a link, whoever may write on the way there.

The kernel is asked to refuse every link on the way (openat2, Linux 5.6); where it cannot be
asked so, each part of the path is opened by itself, below the one before. What was opened is
what was meant: the check and the use are of one descriptor (security row T31).
"""

import ctypes
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

_OPENAT2, _HERE, _NO_LINKS = 437, -100, 0x04
_CANNOT_ASK = {errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.ENAMETOOLONG}
_call = ctypes.CDLL(None, use_errno=True).syscall


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("no", ctypes.c_uint64))


_FOLDER_NO_LINKS = _How(_FOLDER, 0, _NO_LINKS)


@contextmanager
def folder_at(spot: Spot) -> Iterator[int]:
    """Open a folder. Raises `OSError`; `NotADirectoryError` when a link is on the way."""
    handle = -1
    try:
        handle = _open_folder(spot)
        yield handle
    except OSError as error:
        error.filename = error.filename if _is_whole(error.filename) else str(spot)
        raise
    finally:
        if handle >= 0:
            os.close(handle)


def _open_folder(spot: Spot) -> int:
    path = os.fsencode(str(spot))
    if b"\0" in path:
        raise FileNotFoundError(errno.ENOENT, "no name has such a character", str(spot))
    handle = int(_call(_OPENAT2, _HERE, path, ctypes.byref(_FOLDER_NO_LINKS), ctypes.sizeof(_How)))
    if handle >= 0:
        return handle
    code = ctypes.get_errno()
    if code in _CANNOT_ASK:
        return open_part_by_part(spot)
    if code == errno.ELOOP:
        raise NotADirectoryError(errno.ENOTDIR, "there is a link on the way", str(spot))
    raise OSError(code, os.strerror(code), str(spot))


def open_part_by_part(spot: Spot) -> int:
    """Return a folder opened as on a kernel that cannot be asked to refuse links."""
    handle = os.open("/", _FOLDER)
    try:
        for part in (spot.folder / spot.path).parts[1:]:
            below = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
    except OSError:
        os.close(handle)
        raise
    return handle


def _is_whole(name: object) -> bool:
    return isinstance(name, str) and name.startswith("/")


@contextmanager
def parent_of(spot: Spot) -> Iterator[tuple[int, str]]:
    """Open the folder a spot is in; yields it with the spot's own name."""
    path = spot.folder / spot.path
    above = Spot(spot.folder, spot.path.rpartition("/")[0]) if spot.path else Spot(path.parent)
    with folder_at(above) as handle:
        try:
            yield handle, path.name
        except OSError as error:
            error.filename = error.filename if _is_whole(error.filename) else str(spot)
            raise


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
        return open_plain_at(parent, name)


def open_plain_at(parent: int, name: str) -> int:
    """Return the plain file `name` of an open folder, opened; a pipe in its place never blocks."""
    handle = os.open(name, _PLAIN, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is no plain file")
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


def names(spot: Spot) -> list[str]:
    """Return what a folder holds, by name, in order; nothing when there is none."""
    try:
        with folder_at(spot) as handle:
            return sorted(os.listdir(handle))  # noqa: PTH208 - of an open folder
    except OSError as error:
        if error.errno in ABSENT:
            return []
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
            listed = os.listdir(handle)  # noqa: PTH208 - of an open folder
            seen = [item_at(handle, name, spot.below(name).path) for name in listed]
    except OSError as error:
        if error.errno in ABSENT and (spot.path or error.errno == errno.ENOENT):
            return []  # it vanished meanwhile, or became something else
        raise
    return [item for item in seen if item and (item.is_file or item.is_link or item.is_folder)]
