"""The suite's hold on one agent process: starts it, orders, waits, kills, learns how it died."""

import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from tests.diskfaults.driver import Line, Told, run
from tests.diskfaults.scenarios import Order
from tests.diskfaults.strace import Tracer

_SECONDS = 60.0


class AgentDied(Exception):  # noqa: N818
    """It ended while an answer was waited for."""


class Agent:
    """One agent, a process of its own: forked from a warm one, or a fresh interpreter."""

    def __init__(
        self, root: Path, tracer: Tracer | None = None, role: str = "", *, fresh: bool = False
    ) -> None:
        self._tracer = tracer
        self.status: int | None = None
        from_suite, to_agent = os.pipe()
        from_agent, to_suite = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(to_agent)
            os.close(from_agent)
            _be_the_agent(root, Line(from_suite, to_suite), role, fresh=fresh)
        os.close(from_suite)
        os.close(to_suite)
        self._line = Line(from_agent, to_agent)

    def hear(self) -> Told:
        """What it says next, gates apart. Raises `AgentDied`."""
        told = self._line.receive(_SECONDS)
        if told is None:
            raise AgentDied
        if "gate" not in told:
            return told
        if self._tracer is not None:
            self._tracer.attach(told["gate"])
        self._tell(go=True)
        return self.hear()

    def order(self, order: Order, attempt: int) -> Told:
        """Have it take a step; return the last report. Raises `AgentDied`."""
        self._tell(do="order", attempt=attempt, **asdict(order))
        report: Told = self.hear()["report"]
        return report

    def end(self) -> None:
        """Have it end in order. Raises `AgentDied`."""
        self._tell(do="end")
        self.hear()

    def _tell(self, **told: object) -> None:
        try:
            self._line.send(**told)
        except BrokenPipeError:
            raise AgentDied from None

    def kill(self) -> bool:
        """End it by signal 9, if it still is; True when it was signal 9 that ended it."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]
            self._line.close()
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL

    def reap(self) -> bool:
        """Wait for one that died or was told to end; True when it was signal 9 that ended it."""
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]
            self._line.close()
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL


def _be_the_agent(root: Path, line: Line, role: str, *, fresh: bool) -> None:
    code = 70
    try:
        if fresh:
            line.become_standard()
            words = ["-m", "tests.diskfaults.driver", str(root), role]
            os.execv(sys.executable, [sys.executable, *words])
        run(root, line, role)
        code = 0
    finally:
        os._exit(code)
