"""A runner over a real journal, whose steps do what a test says; it can lose power."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from agent.journal import Journal
from agent.journal_file import JournalFile
from agent.runner import Runner
from agent.steps.table import Step
from agent.wire.contract import Finding, ReportAsk, StartOrder, StepName, StepReport, StepState
from agent.wire.profile import Profile
from agent.work import Tools, nothing_found
from tests.agent.fakes import (
    FakeGuard,
    FakePackages,
    FakePeople,
    FakePlatform,
    config_of,
    profile_of,
)
from tests.until import until

T = TypeVar("T")


class PowerCut(BaseException):
    """Not an Exception: nothing may catch it."""


class CutFile(JournalFile):
    """A journal on a disk that is cut off at the nth write, before or after it, and stays so."""

    def __init__(self, path: Path, cut_at: int = 0, after: bool = False) -> None:
        self.writes = 0
        self._cut_at = cut_at
        self._after = after
        super().__init__(path)

    @property
    def is_cut(self) -> bool:
        return 0 < self._cut_at <= self.writes

    def write(self, sql: str, *values: object) -> int:
        return self.effect(lambda: super(CutFile, self).write(sql, *values))

    def effect(self, act: Callable[[], T]) -> T:
        """Do something that stays on the disk, unless the power is gone."""
        if self.is_cut:
            raise PowerCut
        self.writes += 1
        if self.is_cut and not self._after:
            raise PowerCut
        result = act()
        if self.is_cut:
            raise PowerCut
        return result


class Rig:
    """One agent's runner, from power on to power off; `folder` is its disk."""

    def __init__(
        self,
        folder: Path,
        steps: Mapping[StepName, Step],
        cut_at: int = 0,
        after: bool = False,
        startable: Callable[[], AbstractContextManager[tuple[Finding, ...]]] = nothing_found,
    ) -> None:
        self.platform = FakePlatform()
        self.packages = FakePackages(profile_of())
        self.file = CutFile(folder / "journal.sqlite", cut_at, after)
        self.journal = Journal(self.file)
        self.kept: Profile | None = None
        self.let_open = 0
        self.over: list[str] = []
        tools = Tools(
            self.platform,
            config_of(folder),
            self.packages,
            FakeGuard(),
            FakePeople(),
            kept_profile=lambda _target: self.kept,
            letting=self._letting,
            startable=startable,
            tidied=lambda: self.over.append("over"),
        )
        self.runner = Runner(steps, self.journal, tools)

    @contextmanager
    def _letting(self) -> Iterator[None]:
        self.let_open += 1
        try:
            yield
        finally:
            self.let_open -= 1

    def take(self, order: StartOrder) -> StepReport:
        """Start a step and return its last report."""
        self.runner.start(order)
        return self.end_of(order)

    def end_of(self, order: StartOrder) -> StepReport:
        def ended() -> bool:
            return self.file.is_cut or self.known(order).state is not StepState.RUNNING

        until(ended, what=f"the end of {order.step_id}")
        if self.file.is_cut:
            raise PowerCut
        return self.known(order)

    def known(self, order: StartOrder, since: int = 0, page: int = 0) -> StepReport:
        return self.runner.report(ReportAsk(order.step_id, order.direction, since, 0.0, page))

    def off(self) -> None:
        self.runner.close(patience=10)
        self.journal.close()


class Gate:
    """A handler that waits in the middle until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        self.runs = 0

    def __call__(self, work: object) -> None:
        self.runs += 1
        self.entered.set()
        assert self.go.wait(20)
