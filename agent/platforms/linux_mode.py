"""Changes the mode of one open file of Linux, also of one that nobody may read."""

import errno
import os
import stat

from agent.platforms.base import Item, Spot


def change_mode(handle: int, spot: Spot, seen: Item, mode: int) -> None:
    """Give the file behind an `O_PATH` handle this mode, when it is the one that was seen."""
    about = os.fstat(handle)
    is_the_one = (about.st_ino, about.st_uid, about.st_gid) == (seen.inode, seen.owner, seen.group)
    if not is_the_one or not stat.S_ISREG(about.st_mode):
        raise OSError(errno.ESTALE, "is another file by now", str(spot))
    if about.st_nlink > 1 and stat.S_IMODE(about.st_mode):
        raise OSError(errno.EMLINK, "has other names, which would change with it", str(spot))
    try:
        _change(f"/proc/self/fd/{handle}", mode)
    except OSError as error:
        error.filename = str(spot)
        raise


def _change(open_file: str, mode: int) -> None:
    os.chmod(open_file, mode)  # noqa: PTH101 - of an open file
    if not mode:
        return  # what a power cut gives back is listed by who took it away
    handle = os.open(open_file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
