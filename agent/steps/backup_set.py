"""One folder and its backup: made in two passes, verified, rebuilt elsewhere, compared with.

The first pass forgives what changes under it, since the app may be in use; the second, with the
app closed, copies again whatever differs in inode, size, mtime or ctime, and forgives nothing.
Every copy is read back beside its source before it counts. A backup says that it is complete
when all of that was done, and only then is it a way back.
"""

import errno
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import zip_longest
from pathlib import Path

from agent.platforms.base import Item, Spot
from agent.sealed import NotOpened
from agent.steps.backup_check import Checked, differences, rebuild, verify
from agent.steps.backup_copies import Copies, link_hash, read_chunks
from agent.steps.backup_list import (
    BackupList,
    BadList,
    Copied,
    Headline,
    drop_unfinished,
    write_list,
)
from agent.steps.backup_store import Store, new_store, open_store
from agent.steps.table import Failed, Work
from agent.steps.tree import total_bytes

__all__ = ["BackupSet", "Checked", "Pass", "differences", "make", "rebuild", "verify"]

_TRIES = 3
_CHANGED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO}
"""What the system says of a file that became something else meanwhile."""


class Pass(Enum):
    """How a backup is made."""

    FIRST = auto()  # the app may be in use: what changes meanwhile is left to the second
    SECOND = auto()  # the app is closed: nothing may change


@dataclass(frozen=True, slots=True)
class BackupSet:
    """What is backed up, and where to."""

    live: Path
    store: Path
    app: str
    version: str
    choose: Callable[[list[Item]], list[Item]] = list  # of all that is in `live`
    whole: bool = True  # all of `live` but what `choose` leaves to others
    encrypt: bool = False


def make(work: Work, wanted: BackupSet, which: Pass) -> Headline:
    """Have a backup of what is wanted, complete after the second pass.

    A complete one is left as it is by the first pass, and by the second while its source is as
    it was. Raises `Failed`, `Cancelled` or `OSError`; the source is only read.
    """
    store = _opened(work, wanted)
    if store.listed.head.complete and (which is Pass.FIRST or _is_so_still(work, wanted, store)):
        return store.listed.head
    making = _Making(work, wanted, which, store.copies, dict(store.listed.files))
    if store.listed.head.complete:  # it is not, from here on
        _keep(store, making, complete=False)
    complete = False
    try:
        making.run()
        if which is Pass.SECOND:
            _check_complete(work, wanted, store, making.copied)
            complete = True
    finally:  # what was copied before it was ended need not be copied again
        _keep(store, making, complete=complete)
    return making.head


def _opened(work: Work, wanted: BackupSet) -> Store:
    """Return the store as it was left; one that cannot be read or goes by another is new."""
    drop_unfinished(wanted.store)
    try:
        store = open_store(work, wanted.store)
    except BadList:
        store = None
    if store is not None and store.listed.head.encrypted is wanted.encrypt:
        return store
    head = Headline(wanted.app, wanted.version, whole=wanted.whole)
    return new_store(work, wanted.store, head, encrypt=wanted.encrypt)


def _keep(store: Store, making: "_Making", *, complete: bool) -> None:
    wanted = making.wanted
    head = replace(
        store.listed.head,
        app=wanted.app,
        version=wanted.version,
        folder=str(wanted.live),
        whole=wanted.whole,
        made=time.time(),
        complete=complete,
    )
    listed = BackupList(head, making.copied).counted()
    write_list(wanted.store, listed, store.key)
    making.head = listed.head


@dataclass(slots=True)
class _Making:
    """One pass under way."""

    work: Work
    wanted: BackupSet
    which: Pass
    copies: Copies
    copied: dict[str, Copied]
    head: Headline = field(default_factory=lambda: Headline("", ""))
    done: int = 0
    total: int = 0

    def run(self) -> None:
        """Copy what differs from what was copied before, and forget what is no more."""
        items = _items(self.work, self.wanted)
        self.total = total_bytes(items)
        for path in self.copied.keys() - {item.path for item in items}:
            del self.copied[path]
        self.copies.drop_all_but(self.copied.values())
        for item in items:
            self._have(item)
            self._tell(0)
        self.copies.drop_all_but(self.copied.values())  # those that were made anew elsewhere

    def _have(self, item: Item) -> None:
        begun, known = self.done, self.copied.get(item.path)
        if known is None or known.item != item or not self.copies.has(known):
            self.copied.pop(item.path, None)
            fresh = self._copy(item)
            if fresh is not None:
                self.copied[item.path] = fresh
        self.done = begun + (item.size if item.is_file else 0)

    def _copy(self, item: Item) -> Copied | None:
        """Return what was copied; None when it would not hold still and that is forgiven."""
        spot, begun = Spot(self.wanted.live, item.path), self.done
        for _ in range(_TRIES):
            fresh = self.work.platform.look_at(spot)
            if fresh is None:
                break
            self.done = begun
            copied = self._copy_once(spot, fresh)
            if copied is not None and self.work.platform.look_at(spot) == fresh:
                return copied
        if self.which is Pass.FIRST:
            return None
        raise Failed(f'cannot back up "{spot}": it changes or differs while it is copied')

    def _copy_once(self, spot: Spot, item: Item) -> Copied | None:
        """Copy it and read the copy back beside its source; None when they differ."""
        try:
            copied = Copied(item, "", self.copies.keep(spot, item), self._target(spot, item))
            return self._read_back(spot, copied)
        except NotOpened:
            return None
        except OSError as error:
            if error.errno not in _CHANGED:
                raise
            return None

    def _target(self, spot: Spot, item: Item) -> str:
        return self.work.platform.read_link(spot) if item.is_link else ""

    def _read_back(self, spot: Spot, copied: Copied) -> Copied | None:
        if copied.item.is_folder:
            return copied
        if copied.item.is_link:
            same = self.copies.link(copied) == copied.target
            return replace(copied, sha256=link_hash(copied.target)) if same else None
        live = read_chunks(self.work.platform, spot, self._tell)
        digest = hashlib.sha256()
        for one, other in zip_longest(live, self.copies.chunks(copied)):
            if one != other:
                return None
            digest.update(one)
        return replace(copied, sha256=digest.hexdigest())

    def _tell(self, count: int) -> None:
        self.done += count
        self.work.progress(min(self.done, self.total), self.total)


def _items(work: Work, wanted: BackupSet) -> list[Item]:
    """Return what is to be backed up, the folder itself first."""
    own = work.platform.look_at(Spot(wanted.live))
    if own is None or not own.is_folder:
        raise Failed(f'cannot back up "{wanted.live}": there is no such folder')
    return [own, *wanted.choose(work.platform.items(wanted.live))]


def _is_so_still(work: Work, wanted: BackupSet, store: Store) -> bool:
    listed = store.listed
    same = not _difference(work, wanted, listed)
    return same and all(store.copies.has(copied) for copied in listed.files.values())


def _check_complete(
    work: Work, wanted: BackupSet, store: Store, copied: dict[str, Copied]
) -> None:
    listed = BackupList(store.listed.head, copied)
    if path := _difference(work, wanted, listed):
        raise Failed(f'cannot back up "{wanted.live / path}": it changed after it was copied')
    for one in copied.values():
        if not store.copies.has(one):
            raise Failed(f'cannot back up "{one.item.path}": its copy is not as it was written')


def _difference(work: Work, wanted: BackupSet, listed: BackupList) -> str:
    """Return a path that is not as it was copied, "" when all are, going by inode and times."""
    items = _items(work, wanted)
    for item in items:
        copied = listed.files.get(item.path)
        if copied is None or _marks(copied.item) != _marks(item):
            return item.path or "."
    gone = listed.files.keys() - {item.path for item in items}
    return min(gone, default="")


def _marks(item: Item) -> Item:
    """Return what of an item must be as it was; the times of a folder are not its content."""
    return replace(item, mtime_ns=0, ctime_ns=0, size=0) if item.is_folder else item
