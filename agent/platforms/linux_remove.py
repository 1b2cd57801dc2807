"""Deletes a folder of Linux with all below: never through a link, a mount or the depth of it.

Users may write below the app's folder until the last moment: they can nest folders deeper than
a program can open, and put links in the place of folders. And what is mounted in a folder is no
part of it: it is refused as a whole, before anything is deleted.
"""

import errno
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.platforms.linux_beneath import item_at

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_TRIES = 20


def mounts(folder: Path) -> list[str]:
    """Return what is mounted at a folder or below it. Raises `OSError`."""
    lines = _MOUNTS.read_bytes().splitlines()
    points = [Path(os.fsdecode(_ESCAPE.sub(_character, line.split(b" ")[4]))) for line in lines]
    return sorted(str(point) for point in points if point.is_relative_to(folder))


def _character(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])


def remove_tree(parent: int, name: str) -> None:
    """Delete the folder `name` of an open folder, and all below. Raises `OSError`.

    Folders below are moved up before they are emptied, so that the depth does not matter.
    """
    for left in range(_TRIES, -1, -1):  # somebody may go on writing there
        top = os.open(name, _FOLDER, dir_fd=parent)
        try:
            while found := os.listdir(top):  # noqa: PTH208 - of an open folder
                for entry in found:
                    _remove_entry(top, entry)
        finally:
            os.close(top)
        if _went(lambda: os.rmdir(name, dir_fd=parent), patient=left > 0):
            return


def _remove_entry(top: int, name: str) -> None:
    found = item_at(top, name, name)
    if found is None:
        return
    with suppress(FileNotFoundError):
        if found.is_folder:
            _empty_into(top, name)
            _went(lambda: os.rmdir(name, dir_fd=top), patient=True)
        else:
            os.unlink(name, dir_fd=top)


def _empty_into(top: int, name: str) -> None:
    """Delete what is in the folder `name`, but move its own folders up to `top`."""
    handle = os.open(name, _FOLDER, dir_fd=top)
    try:
        for below in os.listdir(handle):  # noqa: PTH208 - of an open folder
            found = item_at(handle, below, below)
            with suppress(FileNotFoundError):
                if found is not None and found.is_folder:
                    fresh = f".{secrets.token_hex(8)}"
                    os.rename(below, fresh, src_dir_fd=handle, dst_dir_fd=top)
                elif found is not None:
                    os.unlink(below, dir_fd=handle)
    finally:
        os.close(handle)


def _went(act: Callable[[], None], *, patient: bool) -> bool:
    """Return whether it was done; that something is in it again is no error while `patient`."""
    try:
        act()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY or not patient:
            raise
        return False
    return True
