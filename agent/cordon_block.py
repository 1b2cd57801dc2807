"""Makes the app's programs unstartable while it is kept closed (`block = true`), and back again.

All rights are taken from their files, since an interpreter can start what it can read; root can
start them still, and then the guard closes what it sees. Every mode is in the journal before it
is taken away and leaves it once it is back on the disk, so that a kill at any moment leaves a
file either startable or listed. A mode is given back to the very file it was taken from and to
no other. The agent and `roundsman-agent uncordon` do this one at a time, or one would drop from
the journal what the other has just put there. What a system or a security product refuses is
said in its words, and watched instead.
"""

import logging
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from agent.journal import Journal, JournalError
from agent.lock import turn
from agent.platforms.base import FileControl, Item, Spot
from agent.programs import Programs
from agent.records import read_record, sentence, write_record
from agent.steps.table import Refused
from agent.wire.bounds import Entries, Text, Whole
from agent.wire.contract import Finding, Refusal, Severity

_log = logging.getLogger(__name__)
_WHERE, _WHAT = "~blocked", "files"  # sorts after every rollout: never forgotten with one
_LOCK = "block.lock"
_MOST = 400
_MOST_FINDINGS = 10
_FIX = (
    "let roundsman-agent change the rights of these files in the security product that guards "
    "them; until then the app is closed within a second of being opened"
)
_Id = Annotated[int, Whole(0, 2**64)]


@dataclass(frozen=True, slots=True)
class Blocked:
    """One file whose rights were taken away, or are about to be."""

    folder: Annotated[str, Text(400)]
    path: Annotated[str, Text(400)]
    mode: Annotated[int, Whole(0, 0o7777)]
    inode: _Id
    owner: _Id
    group: _Id

    @property
    def spot(self) -> Spot:
        """Where it is."""
        return Spot(Path(self.folder), self.path)

    def is_the_file(self, item: Item) -> bool:
        """True for the file that this was, not for one put in its place."""
        seen = (item.inode, item.owner, item.group)
        return item.is_file and seen == (self.inode, self.owner, self.group)


@dataclass(frozen=True, slots=True)
class _Kept:
    files: Annotated[tuple[Blocked, ...], Entries(_MOST)] = ()


class Block:
    """The files of one host that cannot be started. Safe to use from several threads."""

    def __init__(self, journal: Journal, files: FileControl) -> None:
        self._memo = journal.memo(_WHERE)
        self._turn = journal.path.with_name(_LOCK)
        self._files = files
        self._lock = threading.Lock()
        self._aside = 0
        self._refused: dict[tuple[str, int], str] = {}  # (spot, inode) -> why
        self._told: set[str] = set()

    def keep(self, programs: Programs | None) -> None:
        """Have these programs blocked, None = nothing. Raises `JournalError`."""
        with self._lock:
            if programs is None or self._aside:
                self._put_back()
            else:
                self._take(programs)

    @contextmanager
    def aside(self) -> Iterator[tuple[Blocked, ...]]:
        """Have everything startable inside; yields what cannot be. Raises `JournalError`."""
        with self._lock:
            left = self._put_back()
            self._aside += 1
        try:
            yield left
        finally:
            with self._lock:
                self._aside -= 1

    @contextmanager
    def startable(self) -> Iterator[tuple[Finding, ...]]:
        """Have the app's files as they were inside, none blocked; yields what a system refuses.

        Raises `Refused`.
        """
        found = self.findings()
        with self.aside() as left:
            if left:
                raise Refused(Refusal.FOLDER_RIGHTS, self.trouble())
            yield found

    def trouble(self) -> str:
        """Return what the system refused, in a sentence; "" when nothing."""
        return next(iter(self._refused.values()), "")

    def findings(self) -> tuple[Finding, ...]:
        """Return what the system refused, each file a finding."""
        return tuple(
            Finding("block-refused", Severity.WARNING, why, _FIX)
            for why in list(self._refused.values())[:_MOST_FINDINGS]
        )

    def _take(self, programs: Programs) -> None:
        if self._all_startable(programs):
            with self._in_turn():
                self._take_all(self._all_startable(programs))

    def _all_startable(self, programs: Programs) -> list[tuple[Blocked, Item]]:
        return [found for name in programs.names if (found := self._startable(programs, name))]

    def _take_all(self, fresh: list[tuple[Blocked, Item]]) -> None:
        places = {(one.folder, one.path) for one, _ in fresh}
        kept = [one for one in self._load() if (one.folder, one.path) not in places]
        fresh = fresh[: _MOST - len(kept)]
        self._save((*kept, *(one for one, _ in fresh)))  # first: a kill after this finds the modes
        for one, item in fresh:
            self._set(one, item, 0)

    def _startable(self, programs: Programs, name: str) -> tuple[Blocked, Item] | None:
        spot = Spot(Path(programs.folder), name.replace("\\", "/"))
        item = self._look_at(spot) if "/" in spot.path else None
        if item is None or not item.is_file or (str(spot), item.inode) in self._refused:
            return None
        mode = stat.S_IMODE(item.mode)
        about = (programs.folder, spot.path, mode, item.inode, item.owner, item.group)
        return (Blocked(*about), item) if mode else None

    def _put_back(self) -> tuple[Blocked, ...]:
        """Give every mode back; return what could not be, which stays in the journal."""
        self._refused.clear()
        if not self._load():
            return ()
        with self._in_turn():
            return self._put_all_back(self._load())

    def _put_all_back(self, kept: tuple[Blocked, ...]) -> tuple[Blocked, ...]:
        absent = tuple(one for one in kept if self._look_at(one.spot) is None)
        left = tuple(one for one in kept if one not in absent and not self._is_back(one))
        if (*absent, *left) != kept:
            self._save((*absent, *left))
        return left

    def _is_back(self, one: Blocked) -> bool:
        item = self._look_at(one.spot)
        if item is None:
            return False
        if not one.is_the_file(item):
            _log.warning("what was blocked is another file now", extra={"file": str(one.spot)})
            return True
        return stat.S_IMODE(item.mode) != 0 or self._set(one, item, one.mode)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with ExitStack() as held:
            try:
                held.enter_context(turn(self._turn))
            except OSError as error:
                raise JournalError(str(error)) from None
            yield

    def _look_at(self, spot: Spot) -> Item | None:
        try:
            return self._files.look_at(spot)
        except OSError:
            return None

    def _set(self, one: Blocked, item: Item, mode: int) -> bool:
        try:
            self._files.set_mode(one.spot, item, mode)
        except OSError as error:
            what = "made startable again" if mode else "kept from being started"
            why = f'"{one.spot}" cannot be {what}: {error.strerror or error}'
            self._refused[str(one.spot), one.inode] = sentence(why, 300)
            self._tell(why)
            return False
        return True

    def _tell(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            _log.warning("file rights refused", extra={"why": why})

    def _load(self) -> tuple[Blocked, ...]:
        text = self._memo.get(_WHAT)
        try:
            return read_record(_Kept, text).files if text else ()
        except ValueError as error:  # the app must be let go of all the same
            _log.critical("cannot read what is blocked", extra={"why": str(error)})
            return ()

    def _save(self, files: tuple[Blocked, ...]) -> None:
        self._memo.put(_WHAT, write_record(_Kept(files)) if files else "")
