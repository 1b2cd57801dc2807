"""The engine on a real database: what was answered once is never asked again."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agent.wire.contract import CordonMode, Direction, Sight, StepName
from coordinator.engine import Engine
from coordinator.fleet.stepper import Stopped
from coordinator.model import Plan
from coordinator.store.busy import HostsBusy
from coordinator.store.database import open_database
from coordinator.store.rollouts import Rollouts
from coordinator.walk.back import LeftHost, Return
from coordinator.walk.ports import Command, News, Outcome, Port, SightOf, Verb, Verdict
from coordinator.walk.states import HostState, RolloutState
from tests.plans import make_plan, numbered
from tests.until import until


@dataclass
class Outside:
    """A world in which everything goes well, until `halt` raises."""

    rollouts: Rollouts
    plan: Plan
    asked: list[str]
    halt: Callable[[str], None] = lambda _what: None
    clock: list[float] = field(default_factory=lambda: [0.0])

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.halt(what)

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        self._ask(f"{direction} {step} {host}")
        return Outcome(host, Verdict.DONE)

    def take_all(
        self, attempts: Mapping[str, int], step: StepName, direction: Direction
    ) -> list[Outcome]:
        self._ask(f"{direction} {step}")
        return [Outcome(host, Verdict.DONE) for host in attempts]

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        self._ask(f"confirm {mode}")
        return [SightOf(host, Sight(mode, guarded=True), self.now()) for host in hosts]

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        self._ask("uncordon")
        return []

    def now(self) -> float:
        self.clock[0] += 0.001
        return self.plan.opens + self.clock[0]

    def wait(self, seconds: float) -> None:
        pass

    def safe_point(self, after: int, patience: float) -> Command | None:
        found = self.rollouts.next_command(self.plan.id, after)
        if found is None and patience:
            self.halt("waits for an operator")
        return found

    def tell(self, *news: News) -> None:
        self.rollouts.tell(self.plan.id, *news)


@dataclass
class Coordinator:
    """One daemon's engine after another, on one database."""

    url: str
    rollouts: Rollouts
    asked: list[str] = field(default_factory=list)
    taken_up: list[str] = field(default_factory=list)
    halt: Callable[[str], None] = lambda _what: None
    engine: Engine | None = None

    def launch(self) -> Engine:
        def take_up(plan: Plan) -> Port:
            self.taken_up.append(plan.id)
            return Outside(self.rollouts, plan, self.asked, self.halt)

        self.engine = Engine(self.url, "main", self.rollouts, take_up)
        self.engine.launch()
        return self.engine

    def stop(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def state(self) -> RolloutState:
        found = self.rollouts.find("")
        assert found is not None
        return found.state


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    url = f"sqlite:///{tmp_path}/office.sqlite"
    database = open_database(url)
    made = Coordinator(url, Rollouts(database))
    yield made
    made.stop()
    database.dispose()


def stop_at(what: str, stopped: threading.Event) -> Callable[[str], None]:
    """Have the daemon end when the walk asks for `what`."""

    def halt(asked: str) -> None:
        if asked == what:
            stopped.set()
            raise Stopped

    return halt


def test_a_rollout_is_carried_to_its_end(coordinator: Coordinator) -> None:
    plan = make_plan(2)
    assert coordinator.launch().submit(plan, "ann") == 1
    until(lambda: coordinator.state().is_final, 20)
    assert coordinator.state() is RolloutState.DONE
    visits = coordinator.rollouts.visits(plan.id)
    assert [v.state for v in visits] == [HostState.UPDATED] * 2
    assert coordinator.taken_up == [plan.id]


def test_what_the_engine_keeps_of_an_ended_rollout_can_be_forgotten(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    plan, other = make_plan(2), replace(make_plan(2), id=numbered(2))
    engine = coordinator.launch()
    engine.submit(plan, "ann")
    until(lambda: coordinator.state().is_final, 20)
    engine.submit(other, "ann")
    until(lambda: len(coordinator.taken_up) == 2 and coordinator.state().is_final, 20)
    engine.forget([plan.id, numbered(3)])
    coordinator.stop()

    with closing(sqlite3.connect(tmp_path / "office.sqlite")) as database:
        kept = {
            table: {row[0] for row in database.execute(f"SELECT workflow_uuid FROM {table}")}
            for table in ("workflow_status", "operation_outputs")
        }
    assert kept == {"workflow_status": {other.id}, "operation_outputs": {other.id}}


_ANEW = {"undo stop-service-manager pc-02-abcdef", "do reopen pc-02-abcdef"}
"""Taken twice where the server comes first: once it is done, and after the host's own turn."""


def _told_ahead() -> Plan:
    plan = make_plan(2)
    return replace(plan, announce=(plan.opens,))


def _server_first() -> Plan:
    plan = make_plan(2, server_first="server")
    return replace(plan, hosts=(replace(plan.hosts[0], role="server"), plan.hosts[1]))


@pytest.mark.parametrize(
    ("made", "where"),
    [
        (_told_ahead, "do stage"),
        (_told_ahead, "do announce"),
        (_told_ahead, "confirm sealed"),
        (_told_ahead, "do apply-release pc-02-abcdef"),
        (_told_ahead, "uncordon"),
        (_told_ahead, "do reopen"),
        (_server_first, "undo stop-service-manager pc-02-abcdef"),
        (_server_first, "do drain pc-02-abcdef"),
        (_server_first, "do apply-release pc-02-abcdef"),
        (lambda: make_plan(2, drill=True), "do check-health pc-02-abcdef"),
    ],
)
def test_what_was_answered_before_a_stop_is_not_asked_again(
    coordinator: Coordinator, made: Callable[[], Plan], where: str
) -> None:
    plan, stopped = made(), threading.Event()
    coordinator.halt = stop_at(where, stopped)
    coordinator.launch().submit(plan, "ann")
    assert stopped.wait(20)
    coordinator.stop()
    assert not coordinator.state().is_final
    before = coordinator.asked.copy()

    coordinator.halt = lambda _what: None
    coordinator.launch()
    until(lambda: coordinator.state().is_final, 20)
    assert coordinator.state() is RolloutState.DONE
    assert coordinator.taken_up == [plan.id] * 2
    assert coordinator.asked[len(before)] == where, "it goes on with the call it was in"
    steps = [a for a in coordinator.asked if a.startswith(("do ", "undo ", "tidy "))]
    repeated = {s for s in steps if steps.count(s) > 1}
    assert repeated <= {where} | (_ANEW if plan.server_first else set())


def test_a_command_said_while_the_daemon_was_down_is_heard(coordinator: Coordinator) -> None:
    plan, stopped = make_plan(2), threading.Event()
    coordinator.halt = stop_at("do stage", stopped)
    coordinator.launch().submit(plan, "ann")
    assert stopped.wait(20)
    coordinator.stop()
    coordinator.rollouts.say(plan.id, Command(1, Verb.ABORT_LEAVE_CLOSED, by="bob"))
    coordinator.halt = lambda _what: None
    coordinator.launch()
    until(lambda: coordinator.state().is_final, 20)
    assert coordinator.state() is RolloutState.ABORTED


def test_one_rollout_of_a_group_at_a_time(coordinator: Coordinator) -> None:
    first, stopped = make_plan(2), threading.Event()
    coordinator.halt = stop_at("do survey", stopped)
    engine = coordinator.launch()
    engine.submit(first, "ann")
    assert stopped.wait(20)
    others = tuple(replace(p, id=f"other-{p.id}") for p in first.hosts)
    second = replace(first, id=numbered(2), hosts=others)
    engine.submit(second, "ann")
    assert coordinator.taken_up == [first.id]
    coordinator.stop()
    coordinator.halt = lambda _what: None
    coordinator.launch()
    until(lambda: all(r.state.is_final for r in coordinator.rollouts.all()), 30)
    assert coordinator.taken_up == [first.id, first.id, second.id]


def test_a_walk_that_ends_on_a_defect_is_told_of(coordinator: Coordinator) -> None:
    def defect(asked: str) -> None:
        if asked == "do stage":
            raise ZeroDivisionError

    plan = make_plan(2)
    coordinator.halt = defect
    engine = coordinator.launch()
    engine.submit(plan, "ann")
    until(lambda: engine.broken() == [plan.id], 20)
    engine.end_broken()
    engine.end_broken()  # told once
    ended = coordinator.rollouts.find("r1")
    assert ended is not None
    assert (ended.state, len(coordinator.rollouts.history(plan.id))) == (
        RolloutState.LEFT_CLOSED,
        2,
    )
    assert ended.mend == (
        "roundsman plan office-demo 1.1, or roundsman rollout roll-back r1, or roundsman "
        "rollout codes r1"
    )
    assert engine.submit(make_plan(1, id=numbered(9)), "ann") == 2, "its hosts are free"


def _outdated(coordinator: Coordinator, folder: Path) -> Plan:
    """A rollout under way, in its second step, with another version of the walk."""
    plan, stopped = make_plan(2), threading.Event()
    coordinator.halt = stop_at("do stage", stopped)
    coordinator.launch().submit(plan, "ann")
    assert stopped.wait(20)
    coordinator.stop()
    with sqlite3.connect(folder / "office.sqlite") as database:
        database.execute("update workflow_status set application_version = 'walk-1'")
    database.close()
    coordinator.halt = lambda _what: None
    return plan


class _FullDisk(Rollouts):
    def tell(self, rollout_id: str, *items: News) -> None:
        raise OSError("no room")


def test_a_start_cut_short_while_it_ends_an_outdated_rollout_is_made_good_by_the_next(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    _outdated(coordinator, tmp_path)
    whole, database = coordinator.rollouts, open_database(coordinator.url)
    coordinator.rollouts = _FullDisk(database)
    with pytest.raises(OSError, match="no room"):
        coordinator.launch()
    coordinator.stop()
    database.dispose()
    coordinator.rollouts = whole
    coordinator.launch()
    assert coordinator.state() is RolloutState.LEFT_CLOSED


def test_cut_short_after_it_was_told_the_group_is_free_at_the_next_start(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    plan = _outdated(coordinator, tmp_path)
    coordinator.rollouts.tell(plan.id, News(RolloutState.LEFT_CLOSED, "told already"))
    told = len(coordinator.rollouts.history(plan.id))
    coordinator.launch().submit(make_plan(2, id=numbered(9)), "ann")
    until(lambda: coordinator.state() is RolloutState.DONE, 20)
    assert len(coordinator.rollouts.history(plan.id)) == told


def test_a_rollout_of_another_version_of_the_walk_is_left_closed_and_blocks_no_other(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    _outdated(coordinator, tmp_path)
    engine = coordinator.launch()
    ended = coordinator.rollouts.find("r1")
    assert ended is not None
    assert ended.state is RolloutState.LEFT_CLOSED
    assert "the coordinator was upgraded" in ended.detail
    assert "roundsman rollout roll-back r1" in ended.mend
    engine.submit(make_plan(2, id=numbered(9)), "ann")
    until(lambda: coordinator.state() is RolloutState.DONE, 20)


def _left_closed(coordinator: Coordinator) -> Plan:
    """A rollout of which one host was changed, and whose walk then broke off."""

    def defect(asked: str) -> None:
        if asked == "do back-up pc-02-abcdef":
            raise ZeroDivisionError

    plan = make_plan(2)
    coordinator.halt = defect
    engine = coordinator.launch()
    engine.submit(plan, "ann")
    until(lambda: engine.broken() == [plan.id], 20)
    engine.end_broken()
    coordinator.asked.clear()
    return plan


def _return(plan: Plan, heard: int = 7) -> Return:
    one, two = (p.id for p in plan.hosts)
    hosts = LeftHost(one, HostState.UPDATED, True), LeftHost(two, HostState.UPDATING, False)
    return Return(plan, heard, hosts, ())


def test_a_rollout_that_was_left_closed_is_taken_back(coordinator: Coordinator) -> None:
    plan = _left_closed(coordinator)
    coordinator.halt = lambda _what: None
    assert coordinator.engine is not None
    coordinator.engine.take_back(_return(plan))
    coordinator.engine.end_broken()  # its first walk is no matter any more
    until(lambda: coordinator.state() is RolloutState.ABORTED, 20)
    assert coordinator.asked.index("undo apply-release pc-01-abcdef") < coordinator.asked.index(
        "uncordon"
    )


def test_one_that_a_later_rollout_has_changed_is_not_taken_back(coordinator: Coordinator) -> None:
    plan, later = _left_closed(coordinator), numbered(9)
    coordinator.halt = lambda _what: None
    engine = coordinator.engine
    assert engine is not None
    engine.submit(make_plan(2, id=later), "ann")
    until(lambda: coordinator.state() is RolloutState.DONE, 20)
    step_id = f"{later}/pc-01-abcdef/apply-release"
    coordinator.rollouts.begin_step(step_id, Direction.DO, 1)
    with pytest.raises(HostsBusy, match="cannot take r1 back: changed since are PC-01 by r2"):
        engine.take_back(_return(plan))


def test_a_roll_back_goes_on_after_a_crash_with_the_call_it_was_in(
    coordinator: Coordinator,
) -> None:
    plan, stopped = _left_closed(coordinator), threading.Event()
    where = "undo apply-release pc-01-abcdef"
    coordinator.halt = stop_at(where, stopped)
    assert coordinator.engine is not None
    coordinator.engine.take_back(_return(plan))
    assert stopped.wait(20)
    coordinator.stop()
    assert coordinator.state() is RolloutState.ROLLING_BACK
    before = len(coordinator.asked)
    coordinator.halt = lambda _what: None
    coordinator.launch()
    until(lambda: coordinator.state().is_final, 20)
    assert coordinator.state() is RolloutState.ABORTED
    assert coordinator.asked[before] == where


def test_all_walks_of_a_rollout_are_forgotten_with_it(coordinator: Coordinator) -> None:
    plan = _left_closed(coordinator)
    coordinator.halt = lambda _what: None
    engine = coordinator.engine
    assert engine is not None
    engine.take_back(_return(plan))
    until(lambda: coordinator.state().is_final, 20)
    engine.forget([plan.id])
    assert engine.broken() == []
    engine.forget([plan.id])


def test_nothing_in_the_database_is_pickled(coordinator: Coordinator, tmp_path: Path) -> None:
    coordinator.launch().submit(make_plan(1), "ann")
    until(lambda: coordinator.state().is_final, 20)
    database = sqlite3.connect(tmp_path / "office.sqlite")
    inputs = database.execute("select inputs, serialization from workflow_status").fetchall()
    outputs = database.execute("select output from operation_outputs").fetchall()
    database.close()
    assert len(outputs) > 10
    texts: list[Any] = [row[0] for row in [*inputs, *outputs] if row[0] is not None]
    assert all(text[0] in '{["ntf0123456789' for text in texts), "plain JSON throughout"
