"""Releases sent ahead: within slots and hours, resumed after a crash, and never in the way."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from agent.wire.contract import (
    CancelOrder,
    Direction,
    Fence,
    Refusal,
    StartOrder,
    StepReport,
    StepState,
    Target,
)
from agent.wire.errors import LinkLost
from coordinator.fleet.asker import Asker
from coordinator.fleet.stager import Stager, Wanted
from coordinator.fleet.stepper import Stepper
from coordinator.model import Host, HostStanding, StagedState, StagingState
from coordinator.planning.staging import Staged, Staging
from coordinator.store.database import open_database
from coordinator.store.fleet import Fleet
from coordinator.store.rollouts import Rollouts
from coordinator.store.stagings import Stagings
from tests.plans import PROFILE, make_plan, numbered
from tests.until import until

FENCE = Fence(1, "ab")
PACKAGE = Target("packages/office/1.1/workstation-linux.json", "b" * 64)
NOON = 1_773_140_400.0
MADE = Staging(numbered(1), 0, "office", "1.1", "ann", NOON, NOON, "", 8000, 2)


@dataclass
class Agents:
    """Agents that fetch until they are let, and keep what each attempt came to."""

    on: set[str] = field(default_factory=lambda: {"pc-01", "pc-02", "pc-03"})
    ends: dict[str, StepReport] = field(default_factory=dict)  # by host: how it comes to its end
    started: list[tuple[str, int]] = field(default_factory=list)
    orders: list[StartOrder] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    fetching: set[str] = field(default_factory=set)
    let: threading.Event = field(default_factory=threading.Event)

    def linked(self) -> frozenset[str]:
        return frozenset(self.on)

    def call(self, host_id: str, method: str, request: Any, deadline: float) -> Any:
        if host_id not in self.on:
            raise LinkLost(f"{host_id}: not linked")
        if isinstance(request, CancelOrder):
            self.cancelled.add(host_id)
        if isinstance(request, StartOrder) and host_id not in self.fetching:
            self.cancelled.discard(host_id)
            self.fetching.add(host_id)
            self.orders.append(request)
            self.started.append((host_id, request.attempt))
        return self._report(host_id, request.step_id)

    def call_all(self, requests: Any, method: str, deadline: float) -> dict[str, Any]:
        return {host: self.call(host, method, ask, deadline) for host, ask in requests.items()}

    def _report(self, host: str, step_id: str) -> StepReport:
        done = StepReport(step_id, Direction.DO, StepState.DONE, bytes_done=9, bytes_total=9)
        if host in self.cancelled:
            self.fetching.discard(host)
            return replace(done, state=StepState.CANCELLED)
        if not self.let.wait(0.02):
            return replace(done, state=StepState.RUNNING, bytes_done=4)
        self.fetching.discard(host)
        return replace(self.ends.get(host, done), step_id=step_id)


class Night:
    """One coordinator's staging, looked at as often as a test likes."""

    def __init__(self, database: Engine, agents: Agents) -> None:
        self.agents = agents
        self.database = database
        self.stagings = Stagings(database)
        self.rollouts = Rollouts(database)
        self.now = NOON
        self.stopping = threading.Event()
        self.wanted: Wanted | str = Wanted(PROFILE, PACKAGE, "1.1", "a ticket")
        self.fault: Exception | None = None
        asker = Asker(Stepper(agents, self.stopping, lambda: FENCE), lambda: FENCE, str)
        self.stager = Stager(
            asker,
            agents,
            self.stagings,
            lambda _staging, _host: self.supply(),
            lambda: FENCE,
            lambda: self.now,
        )

    def supply(self) -> Wanted | str:
        if self.fault is not None:
            raise self.fault
        return self.wanted

    def add(self, made: Staging = MADE, hosts: int = 3) -> Staging:
        rows = [
            Staged(made.id, f"pc-{n:02}", StagedState.WAITING, 0, NOON, NOON)
            for n in range(1, hosts + 1)
        ]
        return self.stagings.add(made, rows)

    def rows(self) -> dict[str, Staged]:
        return {row.host: row for row in self.stagings.hosts(MADE.id)}

    def states(self) -> list[str]:
        return [row.state.value for row in self.rows().values()]

    def look_until(self, *states: str) -> None:
        def seen() -> bool:
            self.stager.look()
            return self.states() == list(states)

        until(seen, what=f"{states}, not {self.states()}")


@pytest.fixture
def agents() -> Agents:
    return Agents()


@pytest.fixture
def night(tmp_path: Path, agents: Agents) -> Iterator[Night]:
    engine = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    made = Night(engine, agents)
    yield made
    agents.let.set()
    made.stopping.set()
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("stage ")])
    engine.dispose()


def test_as_many_fetch_at_a_time_as_there_are_slots_until_all_are_ready(
    night: Night, agents: Agents
) -> None:
    night.add()
    night.look_until("fetching", "fetching", "waiting")
    until(lambda: len(agents.started) == 2)
    agents.let.set()
    night.look_until("ready", "ready", "ready")
    night.stager.look()
    found = night.stagings.find("s1")
    assert found is not None
    assert found.state is StagingState.DONE
    assert sorted(agents.started) == [("pc-01", 1), ("pc-02", 1), ("pc-03", 1)]


def test_what_is_ordered_is_the_signed_package_at_its_share_of_the_rate(
    night: Night, agents: Agents
) -> None:
    night.add(hosts=1)
    agents.let.set()
    night.look_until("ready")
    order = agents.orders[0]
    assert order.step_id == f"{MADE.id}/pc-01/fetch"
    assert (order.params.profile, order.params.package) == (PROFILE, PACKAGE)
    assert (order.params.rate, order.params.version) == (4000, "1.1")
    assert order.ticket == "a ticket"


def test_a_host_that_is_off_catches_up_when_it_returns(night: Night, agents: Agents) -> None:
    agents.on.discard("pc-01")
    agents.let.set()
    night.add(hosts=2)
    night.look_until("waiting", "ready")
    agents.on.add("pc-01")
    night.look_until("ready", "ready")


def test_a_daemon_that_died_is_followed_by_one_that_joins_what_hosts_fetch(
    night: Night, agents: Agents, tmp_path: Path
) -> None:
    night.add(hosts=1)
    night.look_until("fetching")
    until(lambda: agents.started)
    night.stopping.set()
    agents.on.clear()  # a daemon that ends closes its links
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("stage ")])
    assert night.states() == ["fetching"]
    agents.on.add("pc-01")
    engine = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    after = Night(engine, agents)
    agents.let.set()
    after.look_until("ready")
    assert agents.started == [("pc-01", 1)]
    engine.dispose()


def test_a_rollout_comes_first_and_the_host_fetches_on_after_it(
    night: Night, agents: Agents
) -> None:
    night.add(hosts=1)
    night.look_until("fetching")
    until(lambda: agents.started)
    plan = make_plan()
    plan = replace(plan, hosts=(replace(plan.hosts[0], id="pc-01"),))
    night.rollouts.begin(plan, "ann", lambda _connection: None)
    night.look_until("waiting")
    assert agents.cancelled == {"pc-01"}
    for _ in range(3):
        night.stager.look()
    assert len(agents.started) == 1


def test_outside_its_hours_nothing_is_fetched_and_what_is_under_way_is_called_off(
    night: Night, agents: Agents
) -> None:
    night.add(replace(MADE, not_before=NOON + 60), hosts=1)
    night.stager.look()
    assert night.states() == ["waiting"]
    night.now = NOON + 60
    night.look_until("fetching")
    until(lambda: agents.started)
    night.now = NOON
    night.look_until("waiting")
    assert agents.cancelled == {"pc-01"}


def test_a_host_that_was_revoked_is_waited_for_no_longer(night: Night, agents: Agents) -> None:
    night.add(hosts=2)
    agents.on, fleet = {"pc-01"}, Fleet(night.database)
    pc = Host("pc-02", "PC-02", "main", "office", "workstation", 0, HostStanding.ENROLLED, "")
    fleet.put_host(pc)
    agents.let.set()
    night.look_until("ready", "waiting")
    fleet.set_standing("pc-02", HostStanding.REVOKED)
    night.look_until("ready", "refused")
    assert night.rows()["pc-02"].detail == "it has left the fleet"
    night.stager.look()
    assert [s.state for s in night.stagings.latest()] == [StagingState.DONE]


def test_a_staging_that_is_stopped_calls_its_hosts_off(night: Night, agents: Agents) -> None:
    night.add(hosts=1)
    night.look_until("fetching")
    until(lambda: agents.started)
    night.stagings.end(MADE.id, StagingState.STOPPED, NOON)
    night.look_until("waiting")
    assert agents.cancelled == {"pc-01"}


def test_a_host_that_a_later_staging_takes_is_called_off_and_the_others_fetch_on(
    night: Night, agents: Agents
) -> None:
    night.add()
    night.look_until("fetching", "fetching", "waiting")
    until(lambda: len(agents.started) == 2)
    later = replace(MADE, id=numbered(2))
    night.stagings.add(later, [Staged(later.id, "pc-01", StagedState.WAITING, 0, NOON, NOON)])

    def has_begun() -> bool:
        night.stager.look()
        return f"{later.id}/pc-01/fetch" in [order.step_id for order in agents.orders]

    until(has_begun)
    agents.let.set()
    night.look_until("replaced", "ready", "ready")
    until(lambda: [row.state for row in night.stagings.hosts(later.id)] == [StagedState.READY])
    night.stager.look()
    assert [s.state for s in night.stagings.latest()] == [StagingState.DONE, StagingState.DONE]


@pytest.mark.parametrize(
    "refusal", [Refusal.APP_ABSENT, Refusal.PACKAGE_MISMATCH, Refusal.NOT_SIGNED]
)
def test_what_trying_again_would_not_change_is_told_and_left(
    night: Night, agents: Agents, refusal: Refusal
) -> None:
    agents.ends["pc-01"] = StepReport(
        "", Direction.DO, StepState.REFUSED, refusal=refusal, detail="cannot have it here"
    )
    agents.let.set()
    night.add(hosts=1)
    night.look_until("refused")
    assert night.rows()["pc-01"].detail == "cannot have it here"


def test_what_may_mend_itself_is_told_and_tried_again_later(night: Night, agents: Agents) -> None:
    full = StepReport(
        "", Direction.DO, StepState.REFUSED, refusal=Refusal.DISK_FULL, detail="the disk is full"
    )
    agents.ends["pc-01"] = full
    agents.let.set()
    night.add(hosts=1)

    def told() -> bool:
        night.stager.look()
        return bool(night.rows()["pc-01"].detail)

    until(told)
    first = night.rows()["pc-01"]
    assert (first.state, first.tries, first.detail) == (
        StagedState.WAITING,
        1,
        "the disk is full",
    )
    assert first.next_try > NOON
    del agents.ends["pc-01"]
    night.now = first.next_try
    night.look_until("ready")
    assert agents.started == [("pc-01", 1), ("pc-01", 2)]
    assert night.rows()["pc-01"].detail == ""


def test_a_host_for_which_nothing_is_signed_is_told_so_and_not_asked(
    night: Night, agents: Agents
) -> None:
    night.wanted = "no signed package for its role"
    night.add(hosts=1)
    night.look_until("refused")
    assert night.rows()["pc-01"].detail == "no signed package for its role"
    assert agents.started == []


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), ValueError("damaged")])
def test_what_cannot_be_read_here_is_told_and_tried_again_later(
    night: Night, agents: Agents, fault: Exception
) -> None:
    night.add(hosts=1)
    night.fault = fault
    night.stager.look()
    until(lambda: night.rows()["pc-01"].detail != "")
    row = night.rows()["pc-01"]
    assert (row.state, row.tries, row.next_try) == (StagedState.WAITING, 1, NOON + 30)
    assert "the coordinator cannot give it" in row.detail
    assert agents.started == []
    night.fault, night.now = None, NOON + 31
    agents.let.set()
    night.look_until("ready")


def test_it_runs_by_itself_once_started(night: Night, agents: Agents) -> None:
    agents.let.set()
    night.add(hosts=3)
    night.stager.start()
    until(lambda: night.states() == ["ready"] * 3)
    night.stager.stop()


def test_between_its_daily_hours_it_fetches_and_goes_on_the_next_day(
    night: Night, agents: Agents
) -> None:
    hours = "-".join(f"{datetime.fromtimestamp(at):%H:%M}" for at in (NOON, NOON + 3600))  # noqa: DTZ006 - local
    night.add(replace(MADE, hours=hours), hosts=1)
    night.now = NOON - 60
    night.stager.look()
    assert night.states() == ["waiting"]
    night.now = NOON + 60
    night.look_until("fetching")
    until(lambda: agents.orders)
    assert agents.orders[0].not_after <= 3540  # by then the host ends it, whoever tells it
    night.now = NOON + 3600
    night.look_until("waiting")
    assert agents.cancelled == {"pc-01"}
    night.now = NOON + 86_400
    agents.let.set()
    night.look_until("ready")
