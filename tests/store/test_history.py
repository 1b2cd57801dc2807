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
from coordinator.model import StagedState, StagingState
from coordinator.planning.staging import Staged, Staging
from coordinator.store.history import History
from coordinator.store.rollouts import Rollouts
from coordinator.store.stagings import Stagings
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
    open_there = Finding("app-open", Severity.BLOCKS, "open for marie", "ask marie")
    made = replace(make_plan(2), id=numbered(number), findings=(open_there,))
    rollouts.add_plan(made)
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
    facts = {"still_in": "marie", "app_version": "1.0.7"}
    report = StepReport(step, Direction.DO, StepState.REFUSED, 1, detail="marie", facts=facts)
    rollouts.end_step(report, "refused", [question])
    survey = replace(report, step_id=f"{one}/pc-01-abcdef/survey", facts={"open_users": "marie"})
    rollouts.end_step(survey, "done", [question])
    rollouts.tell(
        one, News(end, "still open for marie", host=host, state=HostState.NEEDS_OPERATOR)
    )
    assert _names_people(database, one)

    left = history.forget_before(2000.0)

    assert left == ([one] if end is RolloutState.LEFT_CLOSED else [])
    assert rollouts.plan("p1") is not None
    assert "marie" not in repr(rollouts.plan("p1"))
    assert not _names_people(database, one)
    facts_left = {key for found in rollouts.steps(one) for key in found.facts}
    assert facts_left == ({"app_version"} if end is RolloutState.LEFT_CLOSED else set())
    kept = {step.step for step in rollouts.steps(one)}
    stay = {StepName.SURVEY, StepName.DRAIN} if end is RolloutState.LEFT_CLOSED else set()
    assert kept == stay  # what was done there is needed for a way back


def test_what_was_found_for_old_plans_is_forgotten_and_that_it_was_is_not(
    database: Engine,
) -> None:
    for number, when in ((1, 1000.0), (2, 3000.0)):
        _ended(database, number, RolloutState.DONE, when)

    History(database).forget_in_plans(2000.0)

    old, young = (Rollouts(database).plan(key) for key in ("p1", "p2"))
    assert old is not None
    assert young is not None
    assert old.findings == (Finding("app-open", Severity.BLOCKS, "app-open"),)
    assert "marie" in repr(young)


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


def _staging(database: Engine, number: int, ended: float | None) -> Staging:
    made = Staging(numbered(number), 0, f"app-{number}", "1.1", "ann", 10.0, 10.0, "", 5, 3)
    row = Staged(made.id, "pc-01", StagedState.WAITING, 0, 10.0, 10.0)
    stagings = Stagings(database)
    added = stagings.add(made, [row])
    if ended is not None:
        stagings.end(made.id, StagingState.DONE, ended)
    return added


def test_what_was_sent_ahead_long_ago_is_forgotten_and_what_is_under_way_is_not(
    database: Engine,
) -> None:
    old, young, going, last = (
        _staging(database, n, ended) for n, ended in enumerate((1000.0, 3000.0, None, 1000.0), 1)
    )

    History(database).forget_before(2000.0)

    stagings = Stagings(database)
    assert stagings.find(old.id) is None
    assert stagings.hosts(old.id) == []
    left = [found.id for found in stagings.latest()]
    assert left == [last.id, going.id, young.id]
    assert all(len(stagings.hosts(one)) == 1 for one in left)
    assert _staging(database, 5, None).label == "s5"  # no number is given twice


def test_an_old_plan_that_nobody_started_is_forgotten_and_its_number_not_given_again(
    database: Engine,
) -> None:
    rollouts = Rollouts(database, At(1000.0))
    numbers = [rollouts.add_plan(replace(make_plan(2), id=numbered(n))) for n in (1, 2)]
    started = _ended(database, 3, RolloutState.DONE, 1000.0)
    last = rollouts.add_plan(replace(make_plan(2), id=numbered(4)))
    young = Rollouts(database, At(3000.0)).add_plan(replace(make_plan(2), id=numbered(5)))

    History(database).forget_before(2000.0)

    assert [rollouts.plan(f"p{n}") for n in numbers] == [None, None]
    assert rollouts.plan(started) is not None
    assert rollouts.plan(f"p{last}") is None
    assert rollouts.plan(f"p{young}") is not None

    History(database).forget_before(4000.0)

    assert rollouts.plan(f"p{young}") is not None  # the last one
    assert rollouts.add_plan(replace(make_plan(2), id=numbered(6))) == young + 1


def test_where_nothing_is_kept_nothing_is_forgotten(database: Engine) -> None:
    assert History(database).forget_before(2000.0) == []
