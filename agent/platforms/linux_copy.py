"""Copies one file or link of Linux between open folders: content, rights, attributes, times.

Whatever is read and whatever is given rights is an open file: nobody can put another in its
place meanwhile.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from agent.platforms.linux_beneath import open_plain_at

_FICLONE = 0x40049409
_NO_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
_NO_RANGE = {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_CHUNK = 8 * 2**20
_NOT_OURS = ("security.", "trusted.")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Place = tuple[int, str]
"""An open folder, and a name in it."""


def copy_regular(source: Place, target: Place, *, durable: bool = True) -> None:
    """Copy a plain file to where nothing is. Raises `OSError`, for anything but a plain file."""
    old = open_plain_at(*source)
    try:
        about = os.fstat(old)
        with new_file(target) as new:
            _copy_content(old, new)
            copy_rights(old, new)
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))
            if durable:
                os.fsync(new)
    finally:
        os.close(old)


@contextmanager
def new_file(target: Place) -> Iterator[int]:
    """Make a plain file, for the agent alone. Raises `FileExistsError`, for a link too."""
    parent, name = target
    handle = os.open(name, _NEW, 0o600, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


def copy_link(source: Place, target: Place) -> None:
    """Copy a symlink as a symlink, with its owner and times, to where nothing is."""
    (old, old_name), (new, new_name) = source, target
    about = os.stat(old_name, dir_fd=old, follow_symlinks=False)
    os.symlink(os.readlink(old_name, dir_fd=old), new_name, dir_fd=new)
    made = os.stat(new_name, dir_fd=new, follow_symlinks=False)
    if (about.st_uid, about.st_gid) != (made.st_uid, made.st_gid):
        os.chown(new_name, about.st_uid, about.st_gid, dir_fd=new, follow_symlinks=False)
    times = (about.st_atime_ns, about.st_mtime_ns)
    os.utime(new_name, ns=times, dir_fd=new, follow_symlinks=False)


def _copy_content(old: int, new: int) -> None:
    """Reflink where the file system can, else copy inside the kernel."""
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError as error:
        if error.errno not in _NO_CLONE:
            raise
        _copy_range(old, new)


def _copy_range(old: int, new: int) -> None:
    try:
        while os.copy_file_range(old, new, _CHUNK):
            pass
    except OSError as error:
        if error.errno not in _NO_RANGE:
            raise
        while os.sendfile(new, old, None, _CHUNK):
            pass


def copy_rights(old: int, new: int) -> None:
    """Give an open file or folder owner, mode and attributes of another."""
    wanted, present = os.fstat(old), os.fstat(new)
    if (wanted.st_uid, wanted.st_gid) != (present.st_uid, present.st_gid):
        os.fchown(new, wanted.st_uid, wanted.st_gid)
    os.fchmod(new, stat.S_IMODE(wanted.st_mode))  # before the ACL, whose mask a mode would set
    _copy_attributes(old, new)


def _copy_attributes(old: int, new: int) -> None:
    wanted = _attributes(old)
    for name in _attributes(new).keys() - wanted.keys():
        with _may_be_denied(name):
            os.removexattr(new, name)
    for name, value in wanted.items():
        with _may_be_denied(name):
            os.setxattr(new, name, value)


def _attributes(file: int) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return {}
        raise


@contextmanager
def _may_be_denied(name: str) -> Iterator[None]:
    """Let pass that the system keeps its own labels to itself; ours and the ACLs must come."""
    try:
        yield
    except OSError as error:
        if not name.startswith(_NOT_OURS):
            raise
        if error.errno not in {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP}:
            raise
