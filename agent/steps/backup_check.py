"""What is done with a complete backup: all of it read against its list, rebuilt, compared with.

Whatever is written from a backup is read back against the list while it is written, so that a
damaged one is found before anything is put in its place.
"""

import errno
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.platforms.base import Item, Spot
from agent.records import sentence
from agent.sealed import NotOpened
from agent.steps.backup_copies import link_hash, read_chunks
from agent.steps.backup_list import BadList, Copied, Headline
from agent.steps.backup_store import Store, open_store
from agent.steps.table import Refused, Work
from agent.wire.contract import Finding, Refusal, Severity

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EIO, errno.EBADMSG}
"""What the system says of a copy that is not there, is something else or cannot be read."""


class _Damaged(Exception):  # noqa: N818 - never leaves this module
    """A copy is not what its list says."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at a whole backup came to."""

    files: int
    bytes: int
    findings: tuple[Finding, ...] = ()


def verify(work: Work, backup: Path) -> Checked:
    """Read all of a backup against its list; each difference is a finding that names it.

    Raises `Refused` NO_BACKUP when there is none.
    """
    try:
        store = open_store(work, backup)
    except BadList as error:
        return Checked(0, 0, (_finding(backup, str(error)),))
    if store is None:
        raise _no_backup(backup)
    meter = _Meter(work, store.listed.head.bytes)
    damaged = [
        _finding(backup, why)
        for copied in store.listed.files.values()
        if (why := _why_damaged(store, copied, meter))
    ]
    return Checked(store.listed.head.files, meter.done, tuple(damaged))


def rebuild(work: Work, backup: Path, into: Spot) -> Headline:
    """Have the backed up folder at `into` as it was, read back, on the disk; returns whose it is.

    `into` is in a folder of the agent's own, where nobody else comes, and what was there goes.
    Raises `Refused` NO_BACKUP or BACKUP_DAMAGED, `into` being absent then, and `OSError`.
    """
    store = complete_store(work, backup)
    meter = _Meter(work, store.listed.head.bytes)
    try:
        work.platform.remove(into)
        _write_all(work, store, into, meter)
        work.platform.sync_tree(Path(str(into)))
    except _Damaged as error:
        work.platform.remove(into)
        raise Refused(
            Refusal.BACKUP_DAMAGED, f"cannot use the backup {backup.name}: {error}"
        ) from None
    return store.listed.head


def complete_store(work: Work, backup: Path) -> Store:
    """Return a backup that was completed. Raises `Refused` NO_BACKUP or BACKUP_DAMAGED."""
    try:
        store = open_store(work, backup)
    except BadList as error:
        raise Refused(
            Refusal.BACKUP_DAMAGED, f"cannot use the backup {backup.name}: {error}"
        ) from None
    if store is None or not store.listed.head.complete:
        raise _no_backup(backup)
    return store


def differences(
    work: Work, backup: Path, live: Path, choose: Callable[[list[Item]], list[Item]] = list
) -> Sequence[str]:
    """Return how `live` differs from a complete backup, a sentence each; () when it does not.

    Compared are content, mode, owner and links of all that `choose` picks, and the times of
    files; those of folders tell of nothing but what was put in and taken out.
    Raises `Refused` NO_BACKUP or BACKUP_DAMAGED.
    """
    store = complete_store(work, backup)
    meter = _Meter(work, store.listed.head.bytes)
    listed = store.listed.files.values()
    found = [why for copied in listed if (why := _why_other(work, live, copied, meter))]
    there = {item.path for item in choose(work.platform.items(live))}
    new = sorted(there - store.listed.files.keys())
    return [*found, *(f'"{path}" was not there' for path in new)]


@dataclass(slots=True)
class _Meter:
    """Counts the bytes that were read, and tells."""

    work: Work
    total: int
    done: int = 0

    def hash(self, chunks: Iterable[bytes]) -> str:
        """Return the hash of what is read."""
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            self.done += len(chunk)
            self.work.progress(min(self.done, self.total), self.total)
        return digest.hexdigest()


def _why_damaged(store: Store, copied: Copied, meter: _Meter) -> str:
    """Return what is wrong with a copy, "" when nothing is."""
    name = copied.item.path or "the folder itself"
    try:
        if not store.copies.has(copied):
            return f'"{name}" is missing, or its rights, time or size are not as they were'
        if copied.item.is_link:
            digest = link_hash(store.copies.link(copied))
        else:
            digest = meter.hash(store.copies.chunks(copied)) if copied.item.is_file else ""
    except NotOpened as error:
        return f'"{name}": {error}'
    except OSError as error:
        return f'"{name}" cannot be read: {error.strerror or error}'
    return "" if digest == copied.sha256 else f'"{name}": its content is not as it was'


def _write_all(work: Work, store: Store, into: Spot, meter: _Meter) -> None:
    folders = []
    for copied in store.listed.files.values():
        spot = _in(into, copied)
        if copied.item.is_folder:
            work.platform.make_folder(spot)
            folders.append((copied, spot))
        else:
            _put(store, copied, spot)
            if why := _why_other(work, Path(str(into)), copied, meter):
                raise _Damaged(why)
    for copied, spot in reversed(folders):  # last: what is put into a folder changes its time
        store.copies.give_rights(copied, spot)


def _in(into: Spot, copied: Copied) -> Spot:
    return into.below(copied.item.path) if copied.item.path else into


def _put(store: Store, copied: Copied, spot: Spot) -> None:
    try:
        store.copies.put(copied, spot)
    except NotOpened as error:
        raise _Damaged(f'"{copied.item.path}": {error}') from None
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        raise _Damaged(f'"{copied.item.path}": {error.strerror or error}') from None


def _why_other(work: Work, folder: Path, copied: Copied, meter: _Meter) -> str:
    """Return how something in `folder` differs from what was backed up, "" when it does not."""
    item, spot = copied.item, Spot(folder, copied.item.path)
    found = work.platform.look_at(spot)
    name = item.path or "the folder itself"
    if found is None:
        return f'"{name}" is missing'
    if (found.mode, found.owner, found.group) != (item.mode, item.owner, item.group):
        return f'"{name}": its mode or owner is not as it was'
    if item.is_link:
        digest = link_hash(work.platform.read_link(spot))
    elif item.is_file:
        if (found.size, found.mtime_ns) != (item.size, item.mtime_ns):
            return f'"{name}": its size or time is not as it was'
        digest = meter.hash(read_chunks(work.platform, spot))
    else:
        digest = ""
    return "" if digest == copied.sha256 else f'"{name}": its content is not as it was'


def _no_backup(backup: Path) -> Refused:
    return Refused(
        Refusal.NO_BACKUP, f"cannot use the backup {backup.name}: there is none that is complete"
    )


def _finding(backup: Path, why: str) -> Finding:
    return Finding(
        "backup-damaged",
        Severity.BLOCKS,
        sentence(f"the backup {backup.name} is damaged: {why}"),
        "make another one with the next update; do not restore this one",
    )
