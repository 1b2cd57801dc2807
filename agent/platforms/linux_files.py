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
from typing import BinaryIO

import psutil

from agent.platforms import linux_beneath as beneath
from agent.platforms.base import Item, Spot
from agent.platforms.linux_beneath import parent_of

_FICLONE = 0x40049409
_NO_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
_NO_RANGE = {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_HELD = {errno.EBUSY, errno.ETXTBSY}
_CHUNK = 8 * 2**20
_RENAME_SECONDS = 10.0
_NOT_OURS = ("security.", "trusted.")


class LinuxFiles:
    """The `FileControl` of Linux."""

    def look_at(self, spot: Spot) -> Item | None:
        """Return what is there, a link as a link; None when nothing is."""
        return beneath.look_at(spot)

    def items(self, folder: Path) -> list[Item]:
        """Return all below `folder`, folders before what is in them, in order of path."""
        return beneath.items(folder)

    def open_file(self, spot: Spot) -> BinaryIO:
        """Open a plain file for reading. Raises `OSError`, for a link too."""
        return os.fdopen(beneath.open_plain(spot), "rb")

    def read_link(self, spot: Spot) -> str:
        """Return where a symlink points."""
        with parent_of(spot) as (parent, name):
            return os.readlink(name, dir_fd=parent)

    def make_folder(self, spot: Spot) -> None:
        """Make one folder, for the agent alone; one that is there is no error, a link is."""
        with parent_of(spot) as (parent, name):
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            found = beneath.item_at(parent, name, spot.path)
        if found is None or not found.is_folder:
            raise NotADirectoryError(errno.ENOTDIR, "is no plain folder", str(spot))

    def remove(self, spot: Spot) -> None:
        """Delete a file, a link, or a folder with all below; an absent one is no error."""
        found = self.look_at(spot)
        if found is None:
            return
        with parent_of(spot) as (parent, name):
            if found.is_folder:
                shutil.rmtree(name, dir_fd=parent)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=parent)

    def rename(self, source: Spot, target: Spot) -> None:
        """Rename durably. Raises `OSError` that names who holds it."""
        if self.look_at(target) is not None:
            raise FileExistsError(errno.EEXIST, "is there already", str(target))
        try:
            patiently(lambda: _rename(source, target), _RENAME_SECONDS)
        except OSError as error:
            if error.errno not in _HELD:
                raise
            held = _holders(source.folder / source.path)
            raise OSError(
                error.errno, f"cannot be renamed, it is held by {held}", str(source)
            ) from None

    def copy(self, source: Spot, target: Spot) -> None:
        """Copy one file or symlink, instead of any file that is there already."""
        found = self.look_at(source)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "is not there", str(source))
        self.remove(target)
        if found.is_link:
            _copy_link(source, target)
        else:
            _copy_regular(source, target)

    def give_rights(self, source: Spot, target: Spot) -> None:
        """Give `target` owner, mode, ACL and other extended attributes of `source`."""
        with beneath.opened(source) as old, beneath.opened(target) as new:
            _copy_rights(old, new)

    def give_times(self, source: Spot, target: Spot) -> None:
        """Give `target` the access and modification times of `source`."""
        with beneath.opened(source) as old, beneath.opened(target) as new:
            about = os.fstat(old)
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))

    def rename_folder(self, source: Path, target: Path) -> None:
        """Rename durably. Raises `OSError` that names who holds the folder."""
        self.rename(Spot(source), Spot(target))

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy one file or symlink, instead of any file that is there already."""
        self.copy(Spot(source), Spot(target))

    def copy_rights(self, source: Path, target: Path) -> None:
        """Give `target` owner, mode, ACL and other extended attributes of `source`."""
        self.give_rights(Spot(source), Spot(target))

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


def _rename(source: Spot, target: Spot) -> None:
    with parent_of(source) as (old, old_name), parent_of(target) as (new, new_name):
        os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
        for parent in (old, new):
            os.fsync(parent)


def _copy_regular(source: Spot, target: Spot) -> None:
    create = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    old = beneath.open_plain(source)
    try:
        about = os.fstat(old)
        with beneath.opened(target, create) as new:
            _copy_content(old, new)
            _copy_rights(old, new)
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))
            os.fsync(new)
    finally:
        os.close(old)
    with parent_of(target) as (parent, _):
        os.fsync(parent)


def _copy_link(source: Spot, target: Spot) -> None:
    with parent_of(source) as (old, old_name), parent_of(target) as (new, new_name):
        about = os.stat(old_name, dir_fd=old, follow_symlinks=False)
        os.symlink(os.readlink(old_name, dir_fd=old), new_name, dir_fd=new)
        made = os.stat(new_name, dir_fd=new, follow_symlinks=False)
        if (about.st_uid, about.st_gid) != (made.st_uid, made.st_gid):
            os.chown(new_name, about.st_uid, about.st_gid, dir_fd=new, follow_symlinks=False)
        times = (about.st_atime_ns, about.st_mtime_ns)
        os.utime(new_name, ns=times, dir_fd=new, follow_symlinks=False)
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
