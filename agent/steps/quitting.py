"""The app's own quit command: run as the user, in their session, and ended when it does not end.

It is never run for anybody who has no session: users may have every right in the app's folder
(row O13), and what lies there must not be run with the agent's rights.
"""

from collections.abc import Sequence

from agent.platforms.base import CloseRung, Process
from agent.steps.families import Family
from agent.steps.table import Seat, Work
from agent.steps.versions import fill, values_of
from agent.steps.windows import shown_at
from agent.wire.contract import Finding, Severity

_LIMIT_SECONDS = 10.0


class Quitting:
    """Asks once in each session, and keeps apart what was started for it."""

    def __init__(self, work: Work, command: tuple[str, ...]) -> None:
        self._work = work
        self._command = command
        self._asked: set[tuple[str, str]] = set()
        self._running: list[tuple[Process, float]] = []

    def is_for(self, family: Family, seats: Sequence[Seat]) -> bool:
        """True when there is a quit command, and a session to run it in."""
        return bool(self._command) and bool(shown_at(family.members, seats))

    def started(self, process: Process) -> bool:
        """True for the quit command itself and what it has started."""
        pids = {own.pid for own, _ in self._running}
        return process.pid in pids or process.parent in pids

    def ask(self, family: Family, seats: Sequence[Seat]) -> None:
        """Run the command for the program's user; once a session, however many programs."""
        there = shown_at(family.members, seats)
        user, session = there[0].user, there[0].session if len(there) == 1 else ""
        if (user, session) in self._asked:
            return
        self._asked.add((user, session))
        try:
            process = self._start(user, session)
        except OSError as error:
            message = f"cannot run the quit command of {self._work.profile.title}: {error}"
            self._work.find(Finding("quit-refused", Severity.WARNING, message[:500]))
            return
        self._work.guard.spare(process)
        self._running.append((process, self._work.platform.clock() + _LIMIT_SECONDS))

    def end_late(self, grace: float = _LIMIT_SECONDS) -> None:
        """End every command that was started `grace` seconds ago, or earlier, and still runs."""
        platform = self._work.platform
        for process, end in self._running:
            if platform.clock() >= end - _LIMIT_SECONDS + grace:
                platform.close(process, CloseRung.KILL)
        self._running = [pair for pair in self._running if platform.is_alive(pair[0])]

    def _start(self, user: str, session: str) -> Process:
        folder, values = self._work.installation.folder, values_of(self._work)
        program, *arguments = self._command
        argv = [str(folder / program), *(fill(text, values) for text in arguments)]
        return self._work.platform.start_program(argv, folder, user, session)
