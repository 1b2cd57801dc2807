"""Programs that are open, each with all its processes: many programs are several.

A launcher may have started the process that has the window, and a program its helpers; they are
closed as one. What is left when the first of them has ended still is the same program.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.platforms.base import CloseRung, Process

_Key = tuple[int, float]


@dataclass(slots=True)
class Family:
    """One program that is, or was, open, and how far it has been taken up the close ladder."""

    main: Process
    members: list[Process] = field(default_factory=list)
    left: list[CloseRung] | None = None  # rungs to try yet; None = not asked to close
    last: CloseRung = CloseRung.BY_ITSELF
    until: float = 0.0  # on the platform's clock: when the next rung is due
    asked: bool = False  # it answered with a question when its windows were closed
    stuck: bool = False  # no rung is left
    early: bool = False  # sent before its time, its people being away: never by force

    @property
    def is_sent(self) -> bool:
        """True once it has been asked to close."""
        return self.left is not None


class Families:
    """Every program seen open so far."""

    def __init__(self) -> None:
        self._of: dict[_Key, Family] = {}

    def look(self, found: Iterable[Process]) -> list[Family]:
        """Return the programs these processes are, in the order in which they were first seen."""
        by_pid = {process.pid: process for process in found}
        for family in self._of.values():
            family.members = []
        for process in by_pid.values():
            self._join(process, by_pid)
        return [family for family in self.seen() if family.members]

    def seen(self) -> list[Family]:
        """Return every program seen so far; one that has ended has no members."""
        return list({id(family): family for family in self._of.values()}.values())

    def _join(self, process: Process, by_pid: Mapping[int, Process]) -> None:
        first = _first(process, by_pid)
        known = self._of.get(_key(process)) or self._of.get(_key(first)) or Family(first)
        self._of.setdefault(_key(first), known)
        self._of[_key(process)] = known
        known.members.append(process)


def _key(process: Process) -> _Key:
    return process.pid, process.started


def _first(process: Process, by_pid: Mapping[int, Process]) -> Process:
    """Return the first of the line of parents that are among those found."""
    seen = {process.pid}
    while (parent := by_pid.get(process.parent)) and parent.pid not in seen:
        seen.add(parent.pid)
        process = parent
    return process
