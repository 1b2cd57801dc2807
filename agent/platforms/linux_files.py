"""Files and folders of a Linux host: durable renames and faithful copies."""

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_FICLONE = 0x40049409
_NO_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
_NO_RANGE = {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_HELD = {errno.EBUSY, errno.ETXTBSY}
_CHUNK = 8 * 2**20
_RENAME_SECONDS = 10.0
_NOT_OURS = ("security.", "trusted.")


class LinuxFiles:
    """The `FileControl` of Linux."""

    def rename_folder(self, source: Path, target: Path) -> None:
        """Rename durably. Raises `OSError` that names who holds the folder."""
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "is there already", str(target))
        try:
            patiently(lambda: source.rename(target), _RENAME_SECONDS)
        except OSError as error:
            if error.errno not in _HELD:
                raise
            raise OSError(
                error.errno, f"cannot be renamed, it is held by {_holders(source)}", str(source)
            ) from None
        for parent in {source.parent, target.parent}:
            _sync(parent)

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy one file or symlink, instead of any file that is there already."""
        with suppress(FileNotFoundError):
            target.unlink()
        if source.is_symlink():
            target.symlink_to(source.readlink())
            _copy_link_rights(source, target)
        else:
            _copy_regular(source, target)
        _sync(target.parent)

    def copy_rights(self, source: Path, target: Path) -> None:
        """Give `target` owner, mode, ACL and other extended attributes of `source`."""
        flags = os.O_RDONLY | os.O_NOFOLLOW
        with _opened(source, flags) as old, _opened(target, flags) as new:
            _copy_rights(old, new)

    def sync_tree(self, folder: Path) -> None:
        """Return when every file and folder below is on the disk."""
        for root, _, names in os.walk(folder):
            for name in names:
                path = Path(root, name)
                if stat.S_ISREG(path.lstat().st_mode):
                    _sync(path)
            _sync(Path(root))
        _sync(folder.parent)

    def free_bytes(self, folder: Path) -> int:
        """Return what is left on the volume of `folder`."""
        return shutil.disk_usage(_existing(folder)).free

    def same_volume(self, one: Path, other: Path) -> bool:
        """True when both lie on one file system, as far up as they exist."""
        return _existing(one).stat().st_dev == _existing(other).stat().st_dev


def patiently(act: Callable[[], object], seconds: float) -> None:
    """Do `act`, again for `seconds` while another program is in its way."""
    end, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            act()
        except OSError as error:
            if error.errno not in _HELD or time.monotonic() + pause > end:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
        else:
            return


def _holders(folder: Path) -> str:
    """Return who has something of `folder` open, in words."""
    names = []
    for process in psutil.process_iter(["name", "username"]):
        with suppress(psutil.Error):
            paths = [process.exe(), process.cwd(), *(f.path for f in process.open_files())]
            if any(Path(path).is_relative_to(folder) for path in paths if path):
                about = process.info
                names.append(f"{about['name']} of {about['username']} (pid {process.pid})")
    return ", ".join(names[:5]) or "a mount or an unknown program"


def _copy_regular(source: Path, target: Path) -> None:
    create = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with _opened(source, os.O_RDONLY | os.O_NOFOLLOW) as old:
        about = os.fstat(old)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(source))
        with _opened(target, create) as new:
            _copy_content(old, new)
            _copy_rights(old, new)
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))
            os.fsync(new)


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


def _copy_rights(old: int, new: int) -> None:
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


def _copy_link_rights(source: Path, target: Path) -> None:
    about = source.lstat()
    if (about.st_uid, about.st_gid) != (target.lstat().st_uid, target.lstat().st_gid):
        os.chown(target, about.st_uid, about.st_gid, follow_symlinks=False)
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns), follow_symlinks=False)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    with _opened(path, os.O_RDONLY | os.O_NOFOLLOW) as handle:
        os.fsync(handle)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
