"""How the copies of a backup lie on the disk: as they are, or each encrypted under a name drawn.

Both bear the owner, mode, times and extended attributes (ACL) of their sources, an encrypted one
too; links of an encrypted backup are kept in its list alone. The folder of the backup belongs to
the agent and nobody else comes in, while sources are read as `Spot`s: no link is followed.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent.platforms.base import FileControl, Item, Spot
from agent.sealed import CHUNK, open_file, seal_file, sealed_size
from agent.steps.backup_list import TREE, Copied
from agent.wire.atomic import sync_folder

SEALED = "sealed"


class Copies(Protocol):
    """The copies of one backup."""

    def keep(self, live: Spot, item: Item) -> str:
        """Copy one thing, durably, and return the name of its copy. Raises `OSError`."""

    def has(self, copied: Copied) -> bool:
        """True when its copy is there and looks as it was left; its content is not read."""

    def chunks(self, copied: Copied) -> Iterator[bytes]:
        """Yield a file's content, `CHUNK` bytes at a time. Raises `NotOpened`, `OSError`."""

    def link(self, copied: Copied) -> str:
        """Return where a link points. Raises `OSError`."""

    def put(self, copied: Copied, target: Spot) -> None:
        """Write a file or link with all it had. `target` is in a folder of the agent's own."""

    def give_rights(self, copied: Copied, target: Spot) -> None:
        """Give a folder that was written the rights and times it had."""

    def drop_all_but(self, wanted: Iterable[Copied]) -> None:
        """Delete every other copy."""


class PlainCopies:
    """Copies as they are, in a tree like their source."""

    def __init__(self, files: FileControl, backup: Path) -> None:
        self._files = files
        self._tree = backup / TREE
        self._tree.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, live: Spot, item: Item) -> str:
        """Copy one thing, durably, and return the name of its copy."""
        copy = Spot(self._tree, item.path)
        if not item.is_folder:
            self._make_way(item.path)
            self._files.copy(live, copy)
        else:
            there = self._files.look_at(copy)
            if there is not None and not there.is_folder:
                self._files.remove(copy)
            self._make_way(item.path)
            self._files.make_folder(copy)
            self._files.give_rights(live, copy)
        return item.path

    def _make_way(self, path: str) -> None:
        (self._tree / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def has(self, copied: Copied) -> bool:
        """True when the copy is there, with size, mode, owner and time."""
        copy, item = self._files.look_at(self._spot(copied)), copied.item
        if copy is None or (copy.mode, copy.owner, copy.group) != (
            item.mode, item.owner, item.group,
        ):  # fmt: skip
            return False
        return item.is_folder or (copy.size, copy.mtime_ns) == (item.size, item.mtime_ns)

    def chunks(self, copied: Copied) -> Iterator[bytes]:
        """Yield a file's content."""
        return read_chunks(self._files, self._spot(copied))

    def link(self, copied: Copied) -> str:
        """Return where a link points."""
        return self._files.read_link(self._spot(copied))

    def put(self, copied: Copied, target: Spot) -> None:
        """Write a file or link with all it had."""
        self._files.copy(self._spot(copied), target)

    def give_rights(self, copied: Copied, target: Spot) -> None:
        """Give a folder that was written the rights and times it had."""
        self._files.give_rights(self._spot(copied), target)
        _give_time(copied.item, target)

    def drop_all_but(self, wanted: Iterable[Copied]) -> None:
        """Delete every other copy."""
        paths = {copied.item.path for copied in wanted}
        for item in reversed(self._files.items(self._tree)):
            if item.path not in paths:
                self._files.remove(Spot(self._tree, item.path))

    def _spot(self, copied: Copied) -> Spot:
        return Spot(self._tree, copied.item.path)


class SealedCopies:
    """Encrypted copies, side by side, under names that say nothing."""

    def __init__(self, files: FileControl, backup: Path, key: bytes) -> None:
        self._files = files
        self._folder = backup / SEALED
        self._key = key
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, live: Spot, item: Item) -> str:
        """Copy one thing, durably, and return the name of its copy."""
        if item.is_link:
            return ""  # its target is in the list
        name = secrets.token_hex(16)
        copy = Spot(self._folder, name)
        if item.is_folder:
            self._files.make_folder(copy)
            self._files.give_rights(live, copy)
        else:
            self._seal(live, name)
            self._files.give_rights(live, copy)
            self._files.give_times(live, copy)
        return name

    def _seal(self, live: Spot, name: str) -> None:
        with (
            self._files.open_file(live) as content,
            self._files.new_file(Spot(self._folder, name), 0o600) as copy,
        ):
            seal_file(self._key, name, content, copy)
            copy.flush()
            os.fsync(copy.fileno())
        sync_folder(self._folder)

    def has(self, copied: Copied) -> bool:
        """True when the copy is there, with size, mode and owner."""
        item = copied.item
        if item.is_link:
            return True
        copy = self._files.look_at(self._spot(copied))
        if copy is None or (copy.mode, copy.owner, copy.group) != (
            item.mode, item.owner, item.group,
        ):  # fmt: skip
            return False
        return item.is_folder or copy.size == sealed_size(item.size)

    def chunks(self, copied: Copied) -> Iterator[bytes]:
        """Yield a file's content."""
        with self._files.open_file(self._spot(copied)) as sealed:
            yield from open_file(self._key, copied.at, sealed)

    def link(self, copied: Copied) -> str:
        """Return where a link points."""
        return copied.target

    def put(self, copied: Copied, target: Spot) -> None:
        """Write a file or link with all it had."""
        if copied.item.is_link:
            _make_link(copied, Path(str(target)))
            return
        with self._files.new_file(target, 0o600) as file:
            for chunk in self.chunks(copied):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        self._files.give_rights(self._spot(copied), target)
        _give_time(copied.item, target)

    def give_rights(self, copied: Copied, target: Spot) -> None:
        """Give a folder that was written the rights and times it had."""
        self._files.give_rights(self._spot(copied), target)
        _give_time(copied.item, target)

    def drop_all_but(self, wanted: Iterable[Copied]) -> None:
        """Delete every other copy."""
        names = {copied.at for copied in wanted}
        for item in self._files.items(self._folder):
            if item.path not in names:
                self._files.remove(Spot(self._folder, item.path))

    def _spot(self, copied: Copied) -> Spot:
        return Spot(self._folder, copied.at or "-")


def read_chunks(
    files: FileControl, spot: Spot, told: Callable[[int], None] = lambda _n: None
) -> Iterator[bytes]:
    """Yield a file's content, `CHUNK` bytes at a time; at least one piece, maybe an empty one.

    `told` hears of each piece but the last.
    """
    with files.open_file(spot) as file:
        chunk = file.read(CHUNK)
        while following := file.read(CHUNK):
            yield chunk
            told(len(chunk))
            chunk = following
        yield chunk


def link_hash(target: str) -> str:
    """Return the hash of where a link points."""
    return hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()


def _make_link(copied: Copied, path: Path) -> None:
    path.symlink_to(copied.target)
    with suppress(NotImplementedError):
        os.chown(path, copied.item.owner, copied.item.group, follow_symlinks=False)
    times = (copied.item.mtime_ns, copied.item.mtime_ns)
    os.utime(path, ns=times, follow_symlinks=False)


def _give_time(item: Item, target: Spot) -> None:
    os.utime(str(target), ns=(item.mtime_ns, item.mtime_ns), follow_symlinks=False)
