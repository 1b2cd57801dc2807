"""An agent whose steps do nothing: real runner, journal and fence; nobody sits at its host.

Its guard sees nobody and answers at once: two hundred guards that look around five times a
second belong on two hundred machines.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from agent.config import AppPlace
from agent.fence import why_stale
from agent.journal import Journal
from agent.runner import Runner
from agent.steps.table import Handler, Lane, Step, Work
from agent.wire.contract import (
    PROTOCOL,
    CancelOrder,
    CordonMode,
    CordonOrder,
    Hello,
    HelloAsk,
    LogAsk,
    LogPage,
    Refusal,
    ReportAsk,
    Sight,
    StartOrder,
    StepName,
    StepReport,
    UncordonOrder,
)
from agent.work import Tools
from coordinator import __version__
from tests.agent.fakes import (
    FakeGuard,
    FakePackages,
    FakePeople,
    FakePlatform,
    config_of,
    profile_of,
)

APP, OLD = "office", "1.0"
_BACKGROUND = {StepName.SURVEY, StepName.STAGE}


class Platform(FakePlatform):
    """A host in memory whose time passes."""

    def clock(self) -> float:
        return time.monotonic()


class SimulatedAgent:
    """Implements `agent.wire.api.AgentApi`."""

    def __init__(self, host: str, folder: Path, step_seconds: float, orders: TextIO) -> None:
        profile = replace(profile_of(APP), estimate_seconds=1.0)
        config = replace(config_of(folder), host=host, apps={APP: AppPlace(folder / "app", {})})
        tools = Tools(Platform(), config, FakePackages(profile), FakeGuard(), FakePeople())
        self._journal = Journal.open(folder / "journal.sqlite")
        self._runner = Runner(_steps(step_seconds), self._journal, tools)
        self._mode, self._rollout = CordonMode.NONE, ""
        self._orders = orders

    def close(self) -> None:
        self._runner.close(5)
        self._journal.close()

    def hello(self, ask: HelloAsk) -> Hello:
        return Hello(
            protocol=PROTOCOL, version=__version__, boot_id="boot-1", host_name="simulated",
            system="linux", clock=time.time(), fence=self._journal.fence(),
        )  # fmt: skip

    def start(self, order: StartOrder) -> StepReport:
        print(time.monotonic(), order.step_id, order.direction, file=self._orders, flush=True)
        return self._runner.start(order)

    def report(self, ask: ReportAsk) -> StepReport:
        return self._runner.report(ask)

    def cancel(self, order: CancelOrder) -> StepReport:
        return self._runner.cancel(order)

    def cordon(self, order: CordonOrder) -> Sight:
        return self._sight(order, order.mode)

    def uncordon(self, order: UncordonOrder) -> Sight:
        return self._sight(order, CordonMode.NONE)

    def _sight(self, order: CordonOrder | UncordonOrder, mode: CordonMode) -> Sight:
        if why := why_stale(self._journal, order.fence):
            return Sight(self._mode, refusal=Refusal.STALE_EPOCH, detail=why)
        self._mode = mode
        return Sight(mode, guarded=mode is not CordonMode.NONE, rollout=order.rollout)

    def log(self, ask: LogAsk) -> LogPage:
        return LogPage((), ask.since)


def _steps(seconds: float) -> dict[StepName, Step]:
    def survey(work: Work) -> None:
        work.fact("app_version", OLD)
        work.fact("system", "linux")

    def passing(work: Work) -> None:
        if seconds:
            work.pause(seconds)

    def row(name: StepName, do: Handler) -> Step:
        lane = Lane.BACKGROUND if name in _BACKGROUND else Lane.VISIT
        return Step(name, do, undo=_nothing, tidy=_nothing, lane=lane)

    rows = {name: row(name, passing) for name in StepName}
    return rows | {StepName.SURVEY: row(StepName.SURVEY, survey)}


def _nothing(_work: Work) -> None:
    return
