"""Copies the app aside, in two passes, and reads every copy back before the app is touched.

The first pass runs in the background while the app may be in use, and forgives what changes
under it. The second, with the app closed, copies again whatever differs in inode, size, mtime
or ctime, and forgives nothing.
"""

import hashlib
from enum import Enum, auto
from pathlib import Path

from agent.extract import sha256_of, wipe
from agent.platforms.base import Item, Spot
from agent.steps.backup_list import LIST, TREE, BackupList, Copied, read_list, write_list
from agent.steps.room import to_back_up
from agent.steps.table import Failed, Work
from agent.steps.tree import has_content, total_bytes
from agent.steps.versions import app_version

_TRIES = 3
_BACKUPS_KEPT = 2


class _Pass(Enum):
    FIRST = auto()  # the app may be in use: what changes meanwhile is left to the second
    SECOND = auto()


def first_pass(work: Work) -> None:
    """Copy what is there now; called while staging."""
    _pass(work, _Pass.FIRST)


def back_up(work: Work) -> None:
    """Have a backup of the closed app that was read back and found the same."""
    _pass(work, _Pass.SECOND)
    listed = read_list(work.folders.backup)
    if listed is None:
        raise Failed(f'cannot read the list of the backup in "{work.folders.backup}"')
    _check_complete(work, listed)
    work.fact("backup_bytes", str(total_bytes(c.item for c in listed.files.values())))
    work.fact("backup_files", str(sum(c.item.is_file for c in listed.files.values())))


def keep_last(work: Work) -> None:
    """Tidy: delete all but the last two backups of this app, and what a crash left of others."""
    ours = []
    for folder in work.folders.backup.parent.iterdir():
        listed = read_list(folder) if folder.is_dir() else None
        if listed is not None and listed.app == work.profile.name:
            ours.append(folder)
        elif folder.is_dir() and not folder.is_symlink() and not has_content(folder):
            folder.rmdir()
    ours.sort(key=lambda folder: (folder / LIST).stat().st_mtime_ns)
    for folder in ours[:-_BACKUPS_KEPT]:
        _delete(folder)


def _delete(backup: Path) -> None:
    """Delete a backup, its list last: without it the rest would never be found again."""
    for path in backup.iterdir():
        if path.name != LIST:
            _remove(path)
    (backup / LIST).unlink(missing_ok=True)
    backup.rmdir()


def _pass(work: Work, which: _Pass) -> None:
    live, tree = work.installation.folder, work.folders.backup / TREE
    tree.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = to_back_up(work, work.platform.items(live))
    known = read_list(work.folders.backup)
    copied = dict(known.files) if known else {}
    _forget_strangers(work, {item.path for item in wanted}, copied)
    try:
        _copy_all(work, which, wanted, copied)
    finally:  # what was copied before it was ended need not be copied again
        listed = BackupList(work.profile.name, app_version(work), copied)
        write_list(work.folders.backup, listed)


def _forget_strangers(work: Work, wanted: set[str], copied: dict[str, Copied]) -> None:
    tree = work.folders.backup / TREE
    for path in set(copied) - wanted:
        del copied[path]
    for item in reversed(work.platform.items(tree)):
        if item.path not in wanted:
            _remove(tree / item.path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        wipe(path)
    else:
        path.unlink(missing_ok=True)


def _copy_all(work: Work, which: _Pass, wanted: list[Item], copied: dict[str, Copied]) -> None:
    done, total = 0, total_bytes(wanted)
    for item in wanted:
        known = copied.get(item.path)
        if known is None or known.item != item or not _is_there(work, item):
            copied.pop(item.path, None)
            fresh = _copy(work, which, item)
            if fresh is not None:
                copied[item.path] = fresh
        done += item.size if item.is_file else 0
        work.progress(done, total)


def _is_there(work: Work, item: Item) -> bool:
    copy = work.platform.look_at(Spot(work.folders.backup / TREE, item.path))
    if copy is None or item.is_folder:
        return copy is not None and copy.is_folder
    return (copy.mode, copy.size, copy.mtime_ns) == (item.mode, item.size, item.mtime_ns)


def _copy(work: Work, which: _Pass, item: Item) -> Copied | None:
    """Return what was copied; None when it would not hold still and that is forgiven."""
    for _ in range(_TRIES):
        spot = Spot(work.installation.folder, item.path)
        fresh = work.platform.look_at(spot)
        if fresh is None:
            break
        digest = _copy_once(work, fresh)
        if digest is not None and work.platform.look_at(spot) == fresh:
            return Copied(fresh, digest)
    if which is _Pass.FIRST:
        return None
    raise Failed(f'cannot back up "{item.path}": it changes or differs while it is copied')


def _copy_once(work: Work, item: Item) -> str | None:
    """Return the hash of the content, read back from the copy; None when they differ."""
    source = work.installation.folder / item.path
    target = work.folders.backup / TREE / item.path
    try:
        if item.is_folder:
            _copy_folder(work, source, target)
            return ""
        _remove(target)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        work.platform.copy_file(source, target)
        before, after = _content_hash(source, item), _content_hash(target, item)
    except FileNotFoundError:
        return None
    return after if before == after else None


def _copy_folder(work: Work, source: Path, target: Path) -> None:
    if target.is_symlink() or not target.is_dir():
        target.unlink(missing_ok=True)
        target.mkdir(mode=0o700, parents=True)
    work.platform.copy_rights(source, target)


def _content_hash(path: Path, item: Item) -> str:
    if item.is_link:
        return hashlib.sha256(str(path.readlink()).encode("utf-8", "surrogateescape")).hexdigest()
    return sha256_of(path)


def _check_complete(work: Work, listed: BackupList) -> None:
    wanted = to_back_up(work, work.platform.items(work.installation.folder))
    for item in wanted:
        copied = listed.files.get(item.path)
        if copied is None or (copied.item != item and not item.is_folder):
            raise Failed(f'cannot back up "{item.path}": it changed after it was copied')
        if not _is_there(work, item):
            raise Failed(f'cannot back up "{item.path}": its copy is not as it was written')
