"""The real steps under the real runner, journal and guard, on one host with real processes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from agent.agent import Agent
from agent.config import AppPlace
from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.journal import Journal
from agent.logs import Logs
from agent.platforms.linux import Linux
from agent.runner import Runner
from agent.steps.rows import STEPS
from agent.steps.table import Seat
from agent.wire.codec import encode
from agent.wire.contract import (
    CordonMode,
    CordonOrder,
    Direction,
    LogAsk,
    ReportAsk,
    StartOrder,
    StepName,
    StepParams,
    StepReport,
    StepState,
    Target,
    UncordonOrder,
)
from agent.wire.profile import Unattended
from agent.work import Tools
from tests.agent.fakes import FENCE, ROLLOUT, config_of, step_id
from tests.steps.bench import Bench
from tests.until import until

TARGET = Target("bench", "0" * 64)
PARAMS = StepParams(TARGET, TARGET, "1.1")
SEAL = CordonOrder(ROLLOUT, TARGET, CordonMode.SEALED, FENCE)
Take = Callable[..., StepReport]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Bench(tmp_path, port=port)
    profile = replace(
        made.profile,
        health=replace(made.profile.health, soak_seconds=0.2),
        close=replace(made.profile.close, reopen=True),
    )
    made.profile = made.packages.the_profile = profile
    made.platform = Linux()
    yield made
    made.close()


@pytest.fixture
def agent(bench: Bench, tmp_path: Path) -> Iterator[Agent]:
    config = replace(
        config_of(tmp_path), apps={bench.profile.name: AppPlace(bench.app, bench.values)}
    )
    with ExitStack() as held:
        journal = Journal.open(config.state / "journal.sqlite")
        held.callback(journal.close)
        held.callback(Logs(config.state, journal).close)
        cordon_tools = CordonTools(bench.platform, config, bench.packages.profile, bench.people)
        cordon = Cordon(journal, cordon_tools)
        held.callback(cordon.close)
        tools = Tools(
            bench.platform,
            config,
            bench.packages,
            cordon,
            bench.people,
            expecting=cordon.expecting,
        )
        runner = Runner(STEPS, journal, tools)
        held.callback(runner.close, 10.0)
        cordon.start()
        yield Agent(runner, cordon, journal, bench.platform)


@pytest.fixture
def take(agent: Agent) -> Take:
    def taken(step: StepName, direction: Direction = Direction.DO) -> StepReport:
        order = StartOrder(step_id(step), direction, 1, FENCE, 60.0, PARAMS)
        report = agent.start(order)
        while report.state is StepState.RUNNING:
            report = agent.report(ReportAsk(order.step_id, direction, report.revision, 1.5))
        assert report.state is StepState.DONE, report.detail
        return report

    return taken


def closed(agent: Agent, take: Take) -> None:
    """Take a host to where its visit begins."""
    for step in (
        StepName.SURVEY,
        StepName.STAGE,
        StepName.DRAIN,
        StepName.STOP_SERVICE_MANAGER,
    ):
        take(step)
    until(lambda: agent.cordon(SEAL).guarded and not agent.cordon(SEAL).open)


def test_a_visit_updates_the_host_and_only_the_service_manager_runs(
    bench: Bench, agent: Agent, take: Take
) -> None:
    bench.open_app("bin/app")
    bench.open_app("bin/manager", bench.values["port"])
    closed(agent, take)
    for step in (
        StepName.BACK_UP,
        StepName.APPLY_RELEASE,
        StepName.START_SERVICE_MANAGER,
        StepName.CHECK_HEALTH,
    ):
        take(step)
    sight = agent.cordon(SEAL)
    assert [seen.program for seen in sight.spared] == ["bin/manager"]
    relaunched = bench.platform.start_program([str(bench.app / "bin" / "app")], bench.app, "")
    until(lambda: not bench.platform.is_alive(relaunched))

    take(StepName.START_SERVICE_MANAGER, Direction.UNDO)
    sight = agent.cordon(SEAL)
    assert (sight.spared, sight.open) == ((), ())
    assert (bench.app / "prefs" / "user.ini").read_bytes() == b"mine"
    for step in STEPS:
        take(step, Direction.TIDY)
    assert agent.uncordon(UncordonOrder(ROLLOUT, FENCE)).mode is CordonMode.NONE
    take(StepName.REOPEN)
    take(StepName.REOPEN)
    names = sorted(Path(process.argv[2]).name for process in bench.running().values())
    assert names == ["app", "manager"]
    assert not bench.app.with_name(f"app_old.{ROLLOUT}").exists()
    assert "1.1" in (bench.app / "version.txt").read_text()


def test_a_host_rolled_back_has_its_old_release_again(
    bench: Bench, agent: Agent, take: Take
) -> None:
    closed(agent, take)
    visit = [
        StepName.BACK_UP,
        StepName.APPLY_RELEASE,
        StepName.START_SERVICE_MANAGER,
        StepName.CHECK_HEALTH,
    ]
    for step in visit:
        take(step)
    for step in reversed(visit):
        take(step, Direction.UNDO)
    assert "1.0" in (bench.app / "version.txt").read_text()
    assert (bench.app / "data" / "old.db").read_bytes() == b"not kept"
    assert not agent.cordon(SEAL).open


_IDLE_SECONDS = 29_741_713.0  # 344 days: no other number is like it


@pytest.mark.parametrize("policy", list(Unattended))
def test_how_long_somebody_is_away_is_nowhere_on_the_disk_and_not_on_the_wire(
    bench: Bench, agent: Agent, policy: Unattended, tmp_path: Path
) -> None:
    close = replace(bench.profile.close, unattended=policy, away_minutes=5)
    bench.profile = bench.packages.the_profile = replace(bench.profile, close=close)
    child = bench.open_app("bin/app")
    user = bench.running()[child.pid].user
    shown = frozenset({child.pid})
    bench.people.at = [Seat("s1", user, True, True, shown, idle_seconds=_IDLE_SECONDS)]

    told: list[object] = [*_reports(agent, StepName.SURVEY), *_reports(agent, StepName.DRAIN)]
    said = [repr(encode(answer)) for answer in (*told, agent.cordon(SEAL), agent.log(LogAsk()))]
    kept = [file.read_bytes() for file in config_of(tmp_path).state.rglob("*") if file.is_file()]

    assert "away" in "".join(said)
    assert any(b"away" in content for content in kept)
    assert b"drain" in b"".join(kept)
    assert "29741713" not in "".join(said)
    assert b"29741713" not in b"".join(kept)


def _reports(agent: Agent, step: StepName) -> list[StepReport]:
    order = StartOrder(step_id(step), Direction.DO, 1, FENCE, 60.0, PARAMS)
    told = [agent.start(order)]
    while told[-1].state is StepState.RUNNING:
        ask = ReportAsk(order.step_id, Direction.DO, told[-1].revision, 1.5)
        told.append(agent.report(ask))
    return told
