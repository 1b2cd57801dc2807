"""Copies what the app has saved by itself for a user, before that user's app is ended by force.

Users own their home: a name in it may be a link, a pipe, somebody else's file or one without
end, and may become that while it is looked at. Only plain files of that user are read, below
folders that are no links, on the home's own disk, and only so many and so much of them. The
copies are for root alone; they are kept for some weeks (`forget_autosaves`).
"""

import fnmatch
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from agent.platforms.base import FileControl, Item, Spot
from agent.real_path import real_path
from agent.steps.table import Work
from agent.wire.contract import Finding, Severity

_MOST_DEPTH = 40
_MOST_NAMED = 5
_CHUNK = 2**20
_FRESH_SECONDS = 10.0
_MOST_COPIES = 20
_ROLLOUT = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_Patterns = set[tuple[str, ...]]
_ALL = ("**",)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Most:
    """How much of one user's is copied."""

    files: int = 10_000
    bytes: int = 2**30
    looks: int = 200_000  # names looked at, whether or not they are meant


@dataclass(slots=True)
class _Copied:
    files: int = 0
    bytes: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Spent:
    """What was copied of one user in this run, and when the last copy was begun."""

    at: float = float("-inf")
    copies: int = 0
    files: int = 0
    bytes: int = 0


class Autosaves:
    """Copies a user's files at each end by force, into a folder of its own each time.

    What was copied before stays: the app may have thrown away meanwhile what it held.
    """

    def __init__(self, work: Work, most: Most | None = None, seconds: float | None = None) -> None:
        """Copy until the step is ended; with `seconds` given for so long a user, ended or not."""
        self._work = work
        self._files: FileControl = work.platform
        self._most = most or Most()
        self._seconds = seconds
        self._spent: dict[str, _Spent] = {}
        self._told: dict[str, str] = {}

    def keep(self, user: str) -> None:
        """Copy the user's autosave files; what cannot be copied is a finding, and no more."""
        spent, now = self._spent.setdefault(user, _Spent()), self._work.platform.clock()
        is_fresh = now - spent.at < _FRESH_SECONDS or spent.copies >= _MOST_COPIES
        if is_fresh or not self._work.profile.close.autosave:
            return
        copied, place = _Copied(), self._place(user)
        try:
            if home := self._home(user):
                place = self._copy(home, place, copied, spent)
        except OSError as error:
            copied.left_out.append(str(error.strerror or error))
        spent.at, spent.copies = now, spent.copies + 1
        spent.files, spent.bytes = spent.files + copied.files, spent.bytes + copied.bytes
        self._tell(user, copied, place)

    def _home(self, user: str) -> Path | None:
        """Return the user's home; the whole disk is nobody's. Raises `OSError` for a link."""
        named = self._work.platform.home(user)
        return real_path(named) if named and len(named.parts) > 1 else None

    def _place(self, user: str) -> Spot:
        return Spot(self._work.folders.autosaves, _UNSAFE.sub("_", user).lstrip(".") or "_")

    def _copy(self, home: Path, place: Spot, copied: _Copied, spent: _Spent) -> Spot:
        """Copy into a draft, and return the folder it has become. Raises `OSError`."""
        draft, end = place.below("draft"), self._work.platform.clock() + (self._seconds or 0.0)
        most = replace(
            self._most,
            files=self._most.files - spent.files,
            bytes=self._most.bytes - spent.bytes,
        )
        self._files.remove(draft)
        _Copying(self._work, home, draft, copied, lambda: self._go_on(end)).run(most)
        if not copied.files:
            self._files.remove(draft)
            return place
        numbers = [int(name) for name in self._files.names(place) if name.isdecimal()]
        target = place.below(str(max(numbers, default=0) + 1))
        self._files.rename(draft, target)
        return target

    def _go_on(self, end: float) -> None:
        if self._seconds is None:
            self._work.pause(0)  # the step's end is this one's end, too
        elif self._work.platform.clock() >= end:
            raise TimeoutError(f"not all of it within {self._seconds:g} s")

    def _tell(self, user: str, copied: _Copied, place: Spot) -> None:
        if copied.files:
            self._told[user] = f"{copied.files} of {user} in {place}"
            self._work.fact("autosaved", "; ".join(self._told.values()))
        if copied.left_out:
            named = ", ".join(copied.left_out[:_MOST_NAMED])
            more = len(copied.left_out) - _MOST_NAMED
            self._work.find(
                Finding(
                    "autosave-not-copied",
                    Severity.WARNING,
                    f"of {user}: {named}{f' and {more} more' if more > 0 else ''}"[:500],
                    "have the work saved by hand before the app is closed",
                )
            )


class _Copying:
    """One user's files on their way from the home to the agent's folder."""

    def __init__(
        self, work: Work, home: Path, place: Spot, copied: _Copied, go_on: Callable[[], None]
    ) -> None:
        self._work = work
        self._go_on = go_on
        self._files: FileControl = work.platform
        self._home = home
        self._place = place
        self._copied = copied
        self._most = Most()
        self._looks = 0
        self._mounts = set[str]()
        named = work.profile.close.autosave
        self._patterns = {tuple(pattern.strip("/").split("/")) for pattern in named}

    def run(self, most: Most) -> None:
        """Copy what the profile's patterns mean; what cannot be is noted."""
        try:
            free = self._files.free_bytes(self._work.folders.autosaves.parent)
            self._most = replace(most, bytes=min(most.bytes, free // 2))
            owner = self._files.look_at(Spot(self._home))
            self._mounts = set(self._files.mounts(self._home))
            if owner is not None:
                for item in self._matching("", self._patterns, 0):
                    self._take(item, owner.owner)
            if self._is_over():
                self._copied.left_out.append(f"what is beyond {most.looks} names in the home")
            if self._copied.files:
                self._files.sync_tree(self._place.folder / self._place.path)
        except OSError as error:
            self._leave_out(str(self._home), error)

    def _matching(self, folder: str, patterns: _Patterns, depth: int) -> Iterator[Item]:
        """Yield the files below a folder that a pattern means; no link is ever followed."""
        for item in self._inside(Spot(self._home, folder)):
            further = _further(item.path.rpartition("/")[2], patterns)
            if item.is_file and () in further:
                yield item
            elif item.is_folder and further and self._may_enter(item, depth):
                below: _Patterns = {_ALL} if () in further else further
                yield from self._matching(item.path, below, depth + 1)

    def _may_enter(self, item: Item, depth: int) -> bool:
        is_mounted = str(self._home / item.path) in self._mounts
        return depth < _MOST_DEPTH and not is_mounted and not self._is_over()

    def _inside(self, folder: Spot) -> Iterator[Item]:
        try:
            names = self._files.names(folder)
        except OSError as error:
            self._leave_out(str(folder), error)
            return
        for name in names:
            self._looks += 1
            if self._is_over():
                return
            with suppress(OSError):
                if item := self._files.look_at(folder.below(name)):
                    yield item

    def _is_over(self) -> bool:
        return self._looks > self._most.looks

    def _take(self, item: Item, owner: int) -> None:
        self._go_on()
        if item.owner != owner:
            self._copied.left_out.append(f'"{item.path}" is another user\'s')
        elif self._copied.bytes + item.size > self._most.bytes:
            self._copied.left_out.append(f'"{item.path}" is too large')
        elif self._copied.files >= self._most.files:
            self._copied.left_out.append(f'"{item.path}" is one too many')
        else:
            self._copy(Spot(self._home, item.path), self._place.below(item.path))

    def _copy(self, source: Spot, target: Spot) -> None:
        try:
            self._make_above(target)
            with self._files.open_file(source) as old, self._files.new_file(target, 0o600) as new:
                self._copied.bytes += _copy_bounded(
                    old, new, self._most.bytes - self._copied.bytes
                )
            self._copied.files += 1
            self._files.give_times(source, target)
        except OSError as error:
            self._leave_out(source.path, error)

    def _make_above(self, target: Spot) -> None:
        self._files.make_folder(Spot(target.folder))
        parts = target.path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            self._files.make_folder(Spot(target.folder, "/".join(parts[:count])))

    def _leave_out(self, path: str, error: OSError) -> None:
        self._copied.left_out.append(f'"{path}": {error.strerror or error}')


def _further(name: str, patterns: _Patterns) -> _Patterns:
    """Return what is left of the patterns below `name`; () = it, and all below it, is meant."""
    found = set[tuple[str, ...]]()
    for pattern in patterns:
        if pattern[0] == "**":
            found |= {pattern} | (_further(name, {pattern[1:]}) if pattern[1:] else {()})
        elif fnmatch.fnmatchcase(name, pattern[0]):
            found.add(pattern[1:])
    return found


def _copy_bounded(old: BinaryIO, new: BinaryIO, most: int) -> int:
    """Copy at most so many bytes: a file may grow while it is read. Return how many."""
    left = most
    while left > 0 and (chunk := old.read(min(_CHUNK, left))):
        new.write(chunk)
        left -= len(chunk)
    return most - left


def forget_autosaves(state: Path, before: str, files: FileControl) -> None:
    """Delete what was copied in rollouts older than `before` (ULIDs sort by time)."""
    folder = Spot(state / "autosaves")
    for name in files.names(folder):
        if _ROLLOUT.fullmatch(name) and name < before:
            files.remove(folder.below(name))
