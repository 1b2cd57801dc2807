"""Closes programs by the rungs of the close ladder, gentlest first, and proves them closed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from agent.platforms.base import CloseRung, Process
from agent.programs import Programs
from agent.steps.table import Work
from agent.wire.profile import Profile

LOOK_SECONDS = 0.2
_PATIENCE = {
    CloseRung.WINDOW: 5.0,
    CloseRung.QUIT_COMMAND: 5.0,
    CloseRung.TERMINATE: 10.0,
    CloseRung.KILL: 5.0,
}
"""The ladder, and how long a program is given to go after each rung, in seconds."""
_ABSENT_ON = {"linux": {CloseRung.WINDOW, CloseRung.QUIT_COMMAND}}
"""Rungs that do nothing on a system, so that nobody waits for them."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing came to: what is still open, and how many went by which rung."""

    still_open: list[Process]
    by_rung: Counter[CloseRung]


def open_now(work: Work, programs: Programs) -> list[Process]:
    """Return the processes that are one of these programs, in any session."""
    return [process for process in work.platform.processes() if programs.include(process)]


def close_all(work: Work, programs: Programs) -> Closed:
    """Close every one of these programs; the last rung is used only if the profile allows."""
    by_rung: Counter[CloseRung] = Counter()
    still_open = open_now(work, programs)
    for rung in rungs(work.profile, work.platform.name):
        if not still_open:
            break
        asked = still_open
        for process in asked:
            work.platform.close(process, rung)
        still_open = _wait_until_gone(work, programs, _PATIENCE[rung])
        by_rung[rung] += sum(not work.platform.is_alive(process) for process in asked)
    return Closed(still_open, +by_rung)


def rungs(profile: Profile, system: str) -> tuple[CloseRung, ...]:
    """Return the rungs that this system has and the profile allows, gentlest first."""
    allowed = [rung for rung in _PATIENCE if profile.app.kill or rung is not CloseRung.KILL]
    return tuple(rung for rung in allowed if rung not in _ABSENT_ON.get(system, ()))


def who(processes: Iterable[Process]) -> str:
    """Return who has them open, for a person: "marie (session 2, pid 411), paul (pid 98)"."""
    return ", ".join(_one(process) for process in list(processes)[:5])


def told(by_rung: Counter[CloseRung]) -> str:
    """Return the tally as a fact: "window 2, terminate 1"; "" when nothing was closed."""
    return ", ".join(f"{rung} {count}" for rung, count in by_rung.items())


def _one(process: Process) -> str:
    session = f"session {process.session}, " if process.session else ""
    return f"{process.user or 'the system'} ({session}pid {process.pid})"


def _wait_until_gone(work: Work, programs: Programs, seconds: float) -> list[Process]:
    end = work.platform.clock() + seconds
    while still_open := open_now(work, programs):
        if work.platform.clock() >= end:
            break
        work.pause(LOOK_SECONDS)
    return still_open
