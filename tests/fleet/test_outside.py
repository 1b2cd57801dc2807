"""The walk's port: right after a start, agents that still dial are waited for, others are not."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.wire.contract import (
    STILL_IN,
    CordonMode,
    Direction,
    Fence,
    StartOrder,
    StepName,
    StepState,
)
from agent.wire.errors import LinkLost
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.outside import SETTLE_SECONDS, Outside, World
from coordinator.fleet.stepper import Stepper
from coordinator.fleet.trust import Trust
from coordinator.store.cordons import Cordons
from coordinator.store.database import open_database
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import Verdict
from tests.fleet.fakes import FakeLinks
from tests.plans import make_plan

PLAN = make_plan(2)
HOSTS = [p.id for p in PLAN.hosts]


@dataclass
class Office:
    links: FakeLinks
    database: Path
    refusal: str = ""
    refused: tuple[StepName, ...] = (StepName.DRAIN,)
    judged: str = ""

    def port(self, up_for: float) -> Outside:
        """Return the port of a daemon that has been up for so many seconds."""
        engine = open_database(f"sqlite:///{self.database}")
        trust = Trust(time.time)
        keeper = Keeper(
            Cordons(engine), self.links, lambda: Fence(3, "ab"), lambda _id: PLAN, trust
        )
        world = World(
            rollouts=Rollouts(engine),
            keeper=keeper,
            stepper=Stepper(self.links, threading.Event(), lambda: Fence(3, "ab")),
            fence=lambda: Fence(3, "ab"),
            ticket=lambda _host, _params: "",
            permit=lambda _plan, step: self.refusal if step in self.refused else "",
            judge=lambda _plan, _host, _found: self.judged,
            began=time.monotonic() - up_for,
        )
        self.engine = engine
        return Outside(PLAN, world)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(FakeLinks(), tmp_path / "office.sqlite")
    yield made
    made.engine.dispose()


def unlinked_until(call: int) -> FakeLinks:
    """Return links of which every call before this moment finds no link."""

    def line(moment: int) -> None:
        if moment < call:
            raise LinkLost("not linked")

    return FakeLinks(line=line)


def test_a_drain_has_time_for_every_postponement(office: Office) -> None:
    port = office.port(up_for=SETTLE_SECONDS)
    postponed = replace(PLAN, postpones=3)
    Outside(postponed, port._world).take(HOSTS[0], StepName.DRAIN, Direction.DO, 1)
    port.take(HOSTS[0], StepName.STOP_SERVICE_MANAGER, Direction.DO, 1)
    limits = [order.not_after for _, _, order in office.links.calls if type(order) is StartOrder]
    assert limits == [PLAN.step_seconds + PLAN.grace_seconds + 900, PLAN.step_seconds]


def test_a_daemon_that_has_just_started_waits_for_the_agents_that_dial_it(office: Office) -> None:
    office.links = unlinked_until(5)
    sights = office.port(up_for=0).confirm(HOSTS, CordonMode.SEALED)
    assert [s.sight is not None and s.sight.guarded for s in sights] == [True, True]


def test_a_daemon_that_has_settled_says_at_once_who_is_out_of_sight(office: Office) -> None:
    office.links = unlinked_until(5)
    sights = office.port(up_for=SETTLE_SECONDS).confirm(HOSTS, CordonMode.SEALED)
    assert [s.sight for s in sights] == [None, None]
    assert office.links.count == len(HOSTS)


def test_who_still_has_the_app_open_is_told_while_the_step_runs(office: Office) -> None:
    """What an agent has found so far is in the store before its step has ended."""
    told: list[str] = []
    said = ["marie, paul (asks a question)", "paul (asks a question)", ""]
    step = f"{PLAN.id}/{HOSTS[0]}/drain"

    def line(moment: int) -> None:
        rows = {row.step_id: row for row in Rollouts(office.engine).steps(PLAN.id)}
        told.append(rows[step].facts.get(STILL_IN, "") if step in rows else "")
        if moment % 2 == 0 and office.links.known and office.links.states and said:
            facts = {STILL_IN: said.pop(0)}
            office.links.known = replace(office.links.known, facts=facts)

    running = [StepState.RUNNING] * 8
    office.links = FakeLinks(states=[*running, StepState.DONE], line=line)
    port = office.port(up_for=SETTLE_SECONDS)

    port.take(HOSTS[0], StepName.DRAIN, Direction.DO, 1)

    seen = [text for text in dict.fromkeys(told) if text]
    assert seen == ["marie, paul (asks a question)", "paul (asks a question)"]


def test_who_was_seen_within_a_lease_is_not_waited_for(office: Office) -> None:
    port = office.port(up_for=0)
    port.confirm(HOSTS, CordonMode.SEALED)
    before = office.links.count
    office.links.sights[HOSTS[1]] = LinkLost("the cable is out")
    sights = port.confirm(HOSTS, CordonMode.SEALED)
    assert [s.sight is None for s in sights] == [False, True]
    assert office.links.count - before <= 2 * len(HOSTS)


def test_what_may_not_be_installed_now_closes_nobodys_app(office: Office) -> None:
    office.refusal = "cannot install office 1.1: the licence ended"
    port = office.port(up_for=60)
    refused = port.take_all(dict.fromkeys(HOSTS, 1), StepName.DRAIN, Direction.DO)
    assert [(o.verdict, o.detail) for o in refused] == [(Verdict.REFUSED, office.refusal)] * 2
    assert office.links.calls == []


def test_the_gate_is_asked_before_closing_only(office: Office) -> None:
    office.refusal = "cannot install office 1.1: the licence ended"
    port = office.port(up_for=60)
    for step, direction in [
        (StepName.APPLY_RELEASE, Direction.DO),
        (StepName.APPLY_RELEASE, Direction.UNDO),
        (StepName.DRAIN, Direction.UNDO),
    ]:
        office.links.known, office.links.states = None, [StepState.DONE]
        assert port.take(HOSTS[0], step, direction, 1).verdict is Verdict.DONE


def test_a_survey_that_finds_what_blocks_counts_as_refused_and_may_be_taken_again(
    office: Office,
) -> None:
    office.judged = "cannot be visited now: the disk is full"
    port = office.port(up_for=60)
    refused = port.take(HOSTS[0], StepName.SURVEY, Direction.DO, 1)
    assert (refused.verdict, refused.detail) == (Verdict.REFUSED, office.judged)
    office.judged = ""
    assert port.take(HOSTS[0], StepName.SURVEY, Direction.DO, 2).verdict is Verdict.DONE


def test_only_a_survey_is_judged_by_what_it_found(office: Office) -> None:
    office.judged = "cannot be visited now: the disk is full"
    port = office.port(up_for=60)
    assert port.take(HOSTS[0], StepName.STAGE, Direction.DO, 1).verdict is Verdict.DONE
