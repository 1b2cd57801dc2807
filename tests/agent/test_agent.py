import json
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.agent import Agent
from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.logs import Logs
from agent.steps.table import Step
from agent.wire.api import AgentApi
from agent.wire.codec import decode, encode
from agent.wire.contract import (
    PROTOCOL,
    Direction,
    Hello,
    HelloAsk,
    LogAsk,
    LogPage,
    Refusal,
    ReportAsk,
    StepName,
    StepState,
)
from tests.agent.fakes import FENCE, FakePeople, Orders, config_of
from tests.agent.rig import Gate, Rig
from tests.agent.test_cordon import LIFT, SEALED


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def rig(tmp_path: Path, gate: Gate) -> Iterator[Rig]:
    made = Rig(tmp_path, {StepName.APPLY_RELEASE: Step(StepName.APPLY_RELEASE, gate)})
    yield made
    gate.go.set()
    made.off()


@pytest.fixture
def agent(tmp_path: Path, rig: Rig) -> Iterator[AgentApi]:
    tools = CordonTools(rig.platform, config_of(tmp_path), rig.packages.profile, FakePeople())
    cordon = Cordon(rig.journal, tools)
    cordon.start()
    yield Agent(rig.runner, cordon, rig.journal, rig.platform)
    cordon.close()


def test_hello_says_where_the_agent_stands(agent: AgentApi, gate: Gate) -> None:
    order = Orders().start()
    agent.start(order)
    assert gate.entered.wait(10)
    hello = agent.hello(HelloAsk(PROTOCOL, "0.1.0"))
    assert (hello.protocol, hello.boot_id, hello.fence) == (PROTOCOL, "boot-1", FENCE)
    assert hello.lanes == {"visit": order.step_id}
    assert hello.refusal is None
    assert decode(Hello, encode(hello)) == hello


def test_another_protocol_is_refused_plainly(agent: AgentApi) -> None:
    assert agent.hello(HelloAsk(PROTOCOL + 1, "9.9")).refusal is Refusal.PROTOCOL_MISMATCH


def test_orders_reach_runner_and_cordon(agent: AgentApi, gate: Gate) -> None:
    gate.go.set()
    order = Orders().start()
    agent.start(order)
    assert agent.report(ReportAsk(order.step_id, Direction.DO, 0, 1.5)).state in {
        StepState.RUNNING,
        StepState.DONE,
    }
    assert agent.cordon(SEALED).guarded
    assert agent.uncordon(LIFT).refusal is None


def test_what_is_logged_can_be_asked_for(agent: AgentApi, rig: Rig, tmp_path: Path) -> None:
    before = logging.getLogger("agent").level
    with closing(Logs(tmp_path, rig.journal)):
        for number in range(3):
            logging.getLogger("agent.test").info("fact", extra={"number": number})
        logging.getLogger("agent.test").debug("detail")
    assert logging.getLogger("agent").level == before
    page = agent.log(LogAsk(0, 2))
    assert [json.loads(line)["number"] for line in page.lines] == [0, 1]
    rest = agent.log(LogAsk(page.next, 200))
    assert [json.loads(line)["what"] for line in rest.lines] == ["fact"]
    assert agent.log(LogAsk(rest.next, 200)).next == rest.next
    written = (tmp_path / "log" / "agent.log").read_text("utf-8").splitlines()
    assert [json.loads(line)["number"] for line in written] == [0, 1, 2]


def test_a_page_of_the_log_fits_a_message(agent: AgentApi, rig: Rig) -> None:
    for _ in range(200):
        rig.journal.add_log("\u00e9\n" * 500)
    page = agent.log(LogAsk(0, 200))
    assert 0 < len(page.lines) < 200
    assert len(json.dumps(encode(page))) < 200_000
    assert decode(LogPage, encode(page)) == page
    assert agent.log(LogAsk(page.next, 1)).next == page.next + 1
