"""What is sent ahead outlives the daemon, and a later staging of an app replaces the earlier."""

from dataclasses import replace

from sqlalchemy import Engine

from coordinator.model import StagedState, StagingState
from coordinator.planning.staging import Staged, Staging
from coordinator.store.rollouts import Rollouts
from coordinator.store.stagings import Stagings
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.plans import make_plan, numbered

MADE = Staging(numbered(1), 0, "office", "1.1", "ann", 10.0, 20.0, "22:00-06:00", 5, 3)
ROW = Staged(MADE.id, "pc-01", StagedState.WAITING, 0, 10.0, 10.0)


def test_what_was_written_is_read_back_by_id_and_by_label(database: Engine) -> None:
    added = Stagings(database).add(MADE, [ROW])
    again = Stagings(database)
    assert added == replace(MADE, number=1)
    assert again.find(MADE.id) == again.find("s1") == added
    assert again.hosts(MADE.id) == [ROW]
    assert again.under_way() == again.latest() == [added]


def test_a_key_that_is_none_finds_nothing(database: Engine) -> None:
    stagings = Stagings(database)
    stagings.add(MADE, [ROW])
    assert [stagings.find(key) for key in ("s2", "1", "s", "", "s-1", "s" + "9" * 40)] == [
        None
    ] * 6


def test_how_far_a_host_has_come_is_kept(database: Engine) -> None:
    stagings = Stagings(database)
    stagings.add(MADE, [ROW, replace(ROW, host="pc-02")])
    come = replace(ROW, state=StagedState.FETCHING, tries=2, bytes_done=5, bytes_total=9)
    stagings.put(replace(come, detail="x" * 900))
    assert stagings.hosts(MADE.id) == [
        replace(come, detail="x" * 500),
        replace(ROW, host="pc-02"),
    ]


def test_a_later_one_of_the_same_app_replaces_it_and_one_of_another_does_not(
    database: Engine,
) -> None:
    stagings = Stagings(database)
    stagings.add(MADE, [ROW])
    other = replace(MADE, id=numbered(2), app="other")
    stagings.add(other, [replace(ROW, staging=other.id)])
    later = replace(MADE, id=numbered(3), made=99.0)
    stagings.add(later, [replace(ROW, staging=later.id)])
    assert [s.label for s in stagings.under_way()] == ["s2", "s3"]
    replaced = stagings.find("s1")
    assert replaced is not None
    assert (replaced.state, replaced.ended) == (StagingState.REPLACED, 99.0)


def test_a_later_one_takes_the_hosts_that_it_names_and_leaves_the_others(
    database: Engine,
) -> None:
    stagings = Stagings(database)
    fetching = replace(ROW, state=StagedState.FETCHING, tries=1)
    stagings.add(MADE, [fetching, replace(ROW, host="pc-02")])
    later = replace(MADE, id=numbered(2), made=99.0)
    stagings.add(later, [replace(ROW, staging=later.id)])
    assert [s.label for s in stagings.under_way()] == ["s1", "s2"]
    assert stagings.taken() == {(MADE.id, "pc-01")}
    stagings.put(replace(fetching, state=StagedState.READY))
    assert [row.state for row in stagings.hosts(MADE.id)] == [
        StagedState.REPLACED,
        StagedState.WAITING,
    ]


def test_it_ends_once(database: Engine) -> None:
    stagings = Stagings(database)
    stagings.add(MADE, [ROW])
    stagings.end(MADE.id, StagingState.STOPPED, 30.0)
    stagings.end(MADE.id, StagingState.DONE, 40.0)
    found = stagings.find("s1")
    assert found is not None
    assert (found.state, found.ended) == (StagingState.STOPPED, 30.0)


def test_hosts_of_a_rollout_are_named_until_it_has_ended(database: Engine) -> None:
    rollouts, stagings, plan = Rollouts(database), Stagings(database), make_plan()
    assert stagings.in_rollouts() == frozenset()
    rollouts.begin(plan, "ann", lambda _connection: None)
    assert stagings.in_rollouts() == {planned.id for planned in plan.hosts}
    rollouts.tell(plan.id, News(RolloutState.DONE))
    assert stagings.in_rollouts() == frozenset()
