"""What is forgotten of rollouts that ended long ago, and what is not."""

from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Connection, Engine

from agent.wire.contract import (
    Direction,
    Finding,
    Severity,
    StepName,
    StepReport,
    StepState,
)
from coordinator.store.history import History
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import Command, News, Verb
from coordinator.walk.states import HostState, RolloutState
from tests.plans import make_plan, numbered


def nothing(_connection: Connection) -> None:
    pass


@dataclass
class At:
    """A clock that stands still."""

    now: float

    def __call__(self) -> float:
        return self.now


def _ended(database: Engine, number: int, end: RolloutState, when: float) -> str:
    rollouts = Rollouts(database, At(when))
    plan = make_plan(2)
    made = replace(plan, id=numbered(number))
    rollouts.begin(made, "ann", nothing)
    rollouts.begin_step(f"{made.id}/pc-01-abcdef/survey", Direction.DO, 1)
    rollouts.say(made.id, Command(1, Verb.PAUSE, by="ann"))
    rollouts.tell(made.id, News(end, "PC-01 has it open: app of marie"))
    return made.id


def test_only_what_ended_for_good_and_before_the_moment_is_forgotten(database: Engine) -> None:
    old = _ended(database, 1, RolloutState.DONE, 1000.0)
    _ended(database, 2, RolloutState.ABORTED, 3000.0)

    assert History(database).ended_before(2000.0) == [old]


def test_a_rollout_left_closed_is_kept_since_it_may_be_gone_on_with(database: Engine) -> None:
    _ended(database, 1, RolloutState.LEFT_CLOSED, 1000.0)

    assert History(database).ended_before(2000.0) == []


def _names_people(database: Engine, rollout: str) -> bool:
    """True when marie is named anywhere in the database's own words about a rollout."""
    rollouts = Rollouts(database)
    row = rollouts.find(rollout)
    told = (row, rollouts.visits(rollout), rollouts.steps(rollout), rollouts.history(rollout))
    return "marie" in repr(told)


@pytest.mark.parametrize("end", [RolloutState.DONE, RolloutState.LEFT_CLOSED])
def test_who_had_it_open_is_named_nowhere_once_it_is_forgotten(
    database: Engine, end: RolloutState
) -> None:
    one = _ended(database, 1, end, 1000.0)
    rollouts, history = Rollouts(database, At(1000.0)), History(database)
    host = make_plan(2).hosts[0].id
    step = f"{one}/{host}/drain"
    rollouts.begin_step(step, Direction.DO, 1)
    question = Finding("asks-a-question", Severity.WARNING, "it asks marie")
    facts = {"still_in": "marie", "closed_how": "marie: window"}
    report = StepReport(step, Direction.DO, StepState.REFUSED, 1, detail="marie", facts=facts)
    rollouts.end_step(report, "refused", [question])
    rollouts.tell(
        one, News(end, "still open for marie", host=host, state=HostState.NEEDS_OPERATOR)
    )
    assert _names_people(database, one)

    history.forget(history.ended_before(2000.0))
    history.forget_people(history.left_closed_before(2000.0))

    assert not _names_people(database, one)
    kept = {step.step for step in rollouts.steps(one)}
    left = {StepName.SURVEY, StepName.DRAIN} if end is RolloutState.LEFT_CLOSED else set()
    assert kept == left  # what was done there is needed for a way back


def test_who_had_it_open_is_forgotten_and_when_a_host_was_visited_is_not(
    database: Engine,
) -> None:
    old, young = (
        _ended(database, number, RolloutState.DONE, when)
        for number, when in ((1, 1000.0), (2, 3000.0))
    )
    history = History(database)

    assert history.forget(history.ended_before(2000.0)) == 3

    rollouts = Rollouts(database)
    assert not rollouts.history(old)
    assert rollouts.next_command(old, 0) is None
    assert len(rollouts.visits(old)) == 2
    assert rollouts.history(young)
    assert rollouts.next_command(young, 0) is not None
