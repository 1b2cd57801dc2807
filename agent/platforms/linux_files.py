"""Files and folders of a Linux host: durable renames and faithful copies."""

import ctypes
import errno
import os
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil

from agent.platforms import linux_beneath as beneath
from agent.platforms.base import Holder, Item, Spot
from agent.platforms.linux_beneath import parent_of
from agent.platforms.linux_copy import Place, copy_link, copy_regular, copy_rights, new_file
from agent.platforms.linux_mode import change_mode
from agent.platforms.linux_remove import mounts, remove_tree

_libc = ctypes.CDLL(None, use_errno=True)
_HELD = {errno.EBUSY, errno.ETXTBSY}
_RENAME_SECONDS = 10.0


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

    def names(self, spot: Spot) -> list[str]:
        """Return what a folder holds, by name, in order; nothing when there is none."""
        return beneath.names(spot)

    def mounts(self, folder: Path) -> list[str]:
        """Return what is mounted at a folder or below it."""
        return mounts(folder)

    def holders(self, folder: Path) -> list[Holder]:
        """Return which processes hold something of `folder`."""
        found = []
        for process in psutil.process_iter(["name", "username"]):
            if process.pid != os.getpid() and (path := _held_by(process, folder)):
                about = process.info
                found.append(Holder(about["name"], about["username"], process.pid, path))
        return found

    def new_file(self, spot: Spot, mode: int) -> BinaryIO:
        """Make a plain file of this mode for writing. Raises `OSError`, for a link too."""
        with parent_of(spot) as place, new_file(place) as handle:
            os.fchmod(handle, mode)
            return os.fdopen(os.dup(handle), "wb")

    def remove(self, spot: Spot) -> None:
        """Delete a file, a link, or a folder with all below; an absent one is no error."""
        found = self.look_at(spot)
        if found is None:
            return
        if found.is_folder and (inside := mounts(spot.folder / spot.path)):
            why = f'cannot be deleted, something is mounted at "{inside[0]}"'
            raise OSError(errno.EBUSY, why, str(spot))
        with parent_of(spot) as (parent, name):
            if found.is_folder:
                remove_tree(parent, name)
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
            held = "; ".join(map(str, self.holders(source.folder / source.path)[:5]))
            why = f"cannot be renamed: {held or 'a mount or an unknown program holds it'}"
            raise OSError(error.errno, why, str(source)) from None

    def copy(self, source: Spot, target: Spot, *, durable: bool = True) -> None:
        """Copy one file or symlink, instead of any file that is there already."""
        with parent_of(source) as old, parent_of(target) as new:
            found = beneath.item_at(*old, source.path)
            if found is None:
                raise FileNotFoundError(errno.ENOENT, "is not there", str(source))
            if beneath.item_at(*new, target.path) is not None:
                self.remove(target)
            if found.is_link:
                copy_link(old, new)
            else:
                _copy_named(source, old, new, durable=durable)
            if durable:
                os.fsync(new[0])

    def give_rights(self, source: Spot, target: Spot) -> None:
        """Give `target` owner, mode, ACL and other extended attributes of `source`."""
        with beneath.opened(source) as old, beneath.opened(target) as new:
            _check_single(new, target)
            copy_rights(old, new)

    def give_times(self, source: Spot, target: Spot) -> None:
        """Give `target` the access and modification times of `source`."""
        with beneath.opened(source) as old, beneath.opened(target) as new:
            about = os.fstat(old)
            _check_single(new, target)
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))

    def set_mode(self, spot: Spot, seen: Item, mode: int) -> None:
        """Give the very file that was `seen` this mode. Raises `OSError`."""
        with beneath.opened(spot, os.O_PATH) as handle:
            change_mode(handle, spot, seen, mode)

    def sync_tree(self, folder: Path) -> None:
        """Return when every file and folder below is on the disk."""
        for item in beneath.items(folder):
            if not item.is_link:
                _sync(Spot(folder, item.path))
        _sync(Spot(folder))
        _sync(Spot(folder.parent))

    def sync_volume(self, folder: Path) -> None:
        """Return when all that was changed on the volume of `folder` is on the disk."""
        with beneath.folder_at(Spot(folder)) as handle:
            if _libc.syncfs(handle):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(folder))

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


def _held_by(process: psutil.Process, folder: Path) -> str:
    """Return one path of `folder` that a process holds, "" when it holds none."""
    with suppress(psutil.Error, OSError):
        held = [*(file.path for file in process.open_files()), process.exe(), process.cwd()]
        return next((path for path in held if path and Path(path).is_relative_to(folder)), "")
    return ""


def _rename(source: Spot, target: Spot) -> None:
    with parent_of(source) as (old, old_name), parent_of(target) as (new, new_name):
        os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
        for parent in (old, new):
            os.fsync(parent)


def _copy_named(source: Spot, old: Place, new: Place, *, durable: bool) -> None:
    """Copy a plain file; an error that is of the source names the source."""
    try:
        copy_regular(old, new, durable=durable)
    except OSError as error:
        if error.filename == old[1] or error.errno == errno.EINVAL:
            error.filename = str(source)
        raise


def _check_single(handle: int, target: Spot) -> None:
    """Refuse what has other names too: a user may have linked a file of root's there."""
    about = os.fstat(handle)
    if not stat.S_ISDIR(about.st_mode) and (about.st_nlink > 1 or not stat.S_ISREG(about.st_mode)):
        raise OSError(errno.EMLINK, "is another file's link, or no plain file", str(target))


def _sync(spot: Spot) -> None:
    with beneath.opened(spot) as handle:
        os.fsync(handle)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
