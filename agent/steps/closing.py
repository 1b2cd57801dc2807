"""Closes programs by the rungs of the close ladder, gentlest first, and proves them closed.

Each program climbs by itself: one that asks its user a question holds up no other. A question
means unsaved work, so what asks one is never forced while people have time, and after that only
if the profile allows the last rung.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from agent.platforms.base import CloseRung, Process
from agent.programs import Programs
from agent.steps.families import Families, Family
from agent.steps.quitting import Quitting
from agent.steps.table import Seat, Work
from agent.steps.windows import Window, is_asking, window_of
from agent.wire.profile import Profile

LOOK_SECONDS = 0.2
_FIRST_LOOKS_SECONDS = (0.05, 0.05, 0.1)
"""After what was just asked to end: mostly it does at once, and a whole office waits for it."""
CLOSING_SECONDS = 60.0
"""So long the whole ladder may take, the copying of autosave files included."""
_PATIENCE = {
    CloseRung.WINDOW: 5.0,
    CloseRung.QUIT_COMMAND: 10.0,
    CloseRung.TERMINATE: 10.0,
    CloseRung.KILL: 5.0,
}
"""The ladder, and how long a program is given to go after each rung, in seconds."""
_ANSWER_SECONDS = 15.0
_MOST_NAMED = 5
_FORCE = {CloseRung.TERMINATE, CloseRung.KILL}


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing came to: what is still open, and how many went by which rung."""

    still_open: list[Process]
    by_rung: Counter[CloseRung]


def _always(_family: Family) -> bool:
    return True


def _nothing(_user: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Manner:
    """How programs are closed: by which quit command, and when by force."""

    quit: tuple[str, ...] = ()
    may_force: Callable[[Family], bool] = _always
    before_force: Callable[[str], None] = _nothing  # is given the user


class Ladder:
    """Takes programs up the ladder, a step further at each `climb`."""

    def __init__(self, work: Work, programs: Programs, manner: Manner | None = None) -> None:
        self._work = work
        self._programs = programs
        self._manner = manner or Manner()
        self._quitting = Quitting(work, self._manner.quit)
        self._families = Families()

    def look(self) -> list[Family]:
        """Return what is open; the quit command that was started is not the app."""
        found = open_now(self._work, self._programs)
        return self._families.look(p for p in found if not self._quitting.started(p))

    def send(self, family: Family) -> None:
        """Have a program closed from now on."""
        if not family.is_sent:
            family.left = list(rungs(self._work.profile))

    def recall(self, family: Family) -> None:
        """Leave a program open for now, as if it had never been asked to close."""
        family.left, family.last, family.until = None, CloseRung.BY_ITSELF, 0.0
        family.asked = family.stuck = family.early = False

    def climb(self, families: Iterable[Family], seats: Sequence[Seat]) -> None:
        """Take those that were sent, and whose patience is over, a rung further."""
        self._quitting.end_late()
        for family in families:
            if family.is_sent and not family.stuck:
                self._note_question(family, seats)
                if self._work.platform.clock() >= family.until:
                    self._next(family, seats)

    def closed(self) -> list[Family]:
        """Return the programs that were open and have ended; `last` is what did it."""
        return [family for family in self._families.seen() if not family.members]

    def end(self) -> None:
        """End what was started in order to close them."""
        self._quitting.end_late(0.0)

    def _note_question(self, family: Family, seats: Sequence[Seat]) -> None:
        """Remember a question that closing brought up: cancelled, its work still is unsaved."""
        asks = is_asking(family.members, seats)
        if asks and not family.asked:
            family.until = self._work.platform.clock() + _ANSWER_SECONDS
        family.asked = asks or (family.asked and family.last is not CloseRung.BY_ITSELF)

    def _next(self, family: Family, seats: Sequence[Seat]) -> None:
        left = [rung for rung in family.left or () if self._is_for(family, rung, seats)]
        rung = left[0] if left else None
        if rung in _FORCE and not self._manner.may_force(family):
            return
        if rung is None or (family.asked and not self._work.profile.app.kill):
            family.stuck = True
            return
        family.left = left[1:]
        self._try(family, rung, seats)

    def _is_for(self, family: Family, rung: CloseRung, seats: Sequence[Seat]) -> bool:
        if rung in _FORCE:
            return True
        if family.asked:
            return False  # it has been asked, and has asked back
        if rung is CloseRung.WINDOW:
            return window_of(family.members, seats) is Window.THERE
        return self._quitting.is_for(family, seats)

    def _try(self, family: Family, rung: CloseRung, seats: Sequence[Seat]) -> None:
        family.last = rung
        family.until = self._work.platform.clock() + _PATIENCE[rung]
        if rung is CloseRung.WINDOW:
            self._work.people.close_windows(family.members)
        elif rung is CloseRung.QUIT_COMMAND:
            self._quitting.ask(family, seats)
        else:
            self._force(family, rung)

    def _force(self, family: Family, rung: CloseRung) -> None:
        for user in dict.fromkeys(process.user for process in family.members):
            self._manner.before_force(user)
        for process in family.members:
            self._work.platform.close(process, rung)


def open_now(work: Work, programs: Programs) -> list[Process]:
    """Return the processes that are one of these programs, in any session."""
    return [process for process in work.platform.processes() if programs.include(process)]


def close_all(work: Work, programs: Programs) -> Closed:
    """Close every one of these programs; the last rung is used only if the profile allows."""
    ladder, pauses = Ladder(work, programs), looks()
    while families := ladder.look():
        for family in families:
            ladder.send(family)
        ladder.climb(families, work.people.seats())
        if all(family.stuck for family in families):
            break
        work.pause(next(pauses))
    return Closed(members(families), tally(ladder.closed()))


def looks() -> Iterator[float]:
    """Yield how long to wait for the next look at what was asked to end, in seconds."""
    return chain(_FIRST_LOOKS_SECONDS, repeat(LOOK_SECONDS))


def members(families: Iterable[Family]) -> list[Process]:
    """Return every process of these programs."""
    return [process for family in families for process in family.members]


def rungs(profile: Profile) -> tuple[CloseRung, ...]:
    """Return the rungs that the profile allows, gentlest first."""
    return tuple(rung for rung in _PATIENCE if profile.app.kill or rung is not CloseRung.KILL)


def tally(closed: Collection[Family]) -> Counter[CloseRung]:
    """Return how many programs went by which rung."""
    return Counter(family.last for family in closed)


def who(processes: Iterable[Process]) -> str:
    """Return who has them open, for a person: "marie (session 2, pid 411), paul (pid 98)"."""
    listed = [one(process) for process in processes]
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return ", ".join(listed[:_MOST_NAMED]) + more


def told(by_rung: Counter[CloseRung]) -> str:
    """Return the tally as a fact: "window 2, terminate 1"; "" when nothing was closed."""
    return ", ".join(f"{rung} {count}" for rung, count in by_rung.items())


def one(process: Process) -> str:
    """Return whose process it is, for a person: "marie (session 2, pid 411)"."""
    session = f"session {process.session}, " if process.session else ""
    return f"{process.user or 'the system'} ({session}pid {process.pid})"
