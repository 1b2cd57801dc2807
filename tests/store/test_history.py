"""What is forgotten of rollouts that ended long ago, and what is not."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

from agent.wire.contract import Direction
from coordinator.store.history import History
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import Command, News, Verb
from coordinator.walk.states import RolloutState
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
