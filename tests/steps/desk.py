"""People at their desktops, as a step sees them: who has which window, and what they do when."""

import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from agent.platforms.base import Platform, PrintJob, Process
from agent.steps.table import Answer, Seat
from agent.wire.notices import Word
from tests.steps.bench import Bench, FastLinux, SmallPeople


class Printers(FastLinux):
    """The real thing, with print jobs of the test's own."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[PrintJob] = []

    def print_jobs(self) -> list[PrintJob]:
        return list(self.jobs)


@dataclass
class Desk(SmallPeople):
    """Closing a window ends its program, but for those that ask a question or do not obey."""

    platform: Platform = field(default_factory=FastLinux)
    ask: set[int] = field(default_factory=set)  # pids that ask when their window is closed
    deaf: set[int] = field(default_factory=set)
    plans: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    begun: float | None = None

    def sit(
        self,
        session: str,
        *pids: int,
        active: bool = True,
        sees: bool = True,
        idle: float = 0.0,
        user: str = "",
    ) -> None:
        """Have these programs show a window in a session, of the tests' user unless told."""
        user = user or self.platform_user()
        self.leave(session)
        self.at.append(Seat(session, user, active, sees, frozenset(pids), idle_seconds=idle))

    def touches(self, session: str) -> None:
        """Have the mouse be moved in a session."""
        self.at = [replace(s, idle_seconds=0.0) if s.session == session else s for s in self.at]

    def platform_user(self) -> str:
        return next(p.user for p in self.platform.processes() if p.pid == os.getpid())

    def leave(self, session: str) -> None:
        self.at = [seat for seat in self.at if seat.session != session]

    def asks(self, pid: int, *, now: bool = True) -> None:
        """Have a question of the program on the screen, or no more."""
        self.at = [
            replace(s, asking=s.asking | {pid} if now else s.asking - {pid})
            if pid in s.windows
            else s
            for s in self.at
        ]

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something done so long after the step first heard what people say."""
        self.plans.append((seconds, act))

    def says(self, session: str, word: Word, after: float = 0.0) -> None:
        answer = Answer(session, self.platform_user(), word)
        self.later(after, lambda: self.said.append(answer))

    def answers(self) -> list[Answer]:
        now = self.platform.clock()
        self.begun = self.begun if self.begun is not None else now
        due = [plan for plan in self.plans if now - self.begun >= plan[0]]
        self.plans = [plan for plan in self.plans if plan not in due]
        for _, act in due:
            act()
        return super().answers()

    def close_windows(self, processes: Iterable[Process]) -> None:
        listed = list(processes)
        super().close_windows(listed)
        shown = {pid for seat in self.at for pid in seat.windows}
        for process in listed:
            if process.pid not in shown:
                continue
            if process.pid in self.ask:
                self.asks(process.pid)
            elif process.pid not in self.deaf:
                os.kill(process.pid, signal.SIGKILL)

    def told(self, session: str) -> list[tuple[float, int]]:
        """Seconds left and postpones left, of each notice shown in a session."""
        pairs = zip(self.notices, self.shown_in, strict=True)
        return [(n.seconds_left, n.postpones_left) for n, where in pairs if session in where]


class DeskBench(Bench):
    """The bench's host with people at it, and printers."""

    def people_at_it(self) -> Desk:
        self.platform = self.printers = Printers()
        self.people = self.desk = Desk(platform=self.platform)
        return self.desk
