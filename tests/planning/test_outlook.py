from dataclasses import replace

import pytest

from agent.wire.notices import Outlook
from coordinator.model import Plan, SharedData
from coordinator.planning.outlook import Passage, closed_seconds, outlook
from coordinator.walk.states import HostState, RolloutState
from tests.plans import make_plan

S, WALKING = HostState, RolloutState.WALKING
NOW = 10_000.0
ALL = ("pc-01-abcdef", "pc-02-abcdef", "pc-03-abcdef")


def _plan(**changes: object) -> Plan:
    return make_plan(3, **changes)


def _passages(*given: Passage | HostState) -> dict[str, Passage]:
    made = [g if isinstance(g, Passage) else Passage(g) for g in given]
    return dict(zip(ALL, made, strict=True))


def _look(plan: Plan, *given: Passage | HostState, at: RolloutState = WALKING) -> Outlook:
    return outlook(plan, at, _passages(*given), NOW, ALL[2])


def test_it_says_which_host_is_updated_its_number_and_when_people_may_go_on() -> None:
    done = Passage(S.UPDATED, NOW - 100, NOW - 40)  # as estimated
    seen = _look(_plan(), done, Passage(S.UPDATING, NOW - 20), S.PENDING)
    assert seen == Outlook("PC-02", 2, 3, 40.0 + 60.0)


def test_visits_that_took_longer_make_it_later() -> None:
    done = Passage(S.UPDATED, NOW - 200, NOW - 80)  # twice as long
    seen = _look(_plan(), done, Passage(S.CHECKING, NOW - 20), S.PENDING)
    assert seen.back_in == 100.0 + 120.0


def test_a_visit_that_takes_longer_than_thought_is_almost_over() -> None:
    done = Passage(S.UPDATED, NOW - 700, NOW - 640)
    seen = _look(_plan(), done, done, Passage(S.CHECKING, NOW - 600))
    assert (seen.updating, seen.number, seen.back_in) == ("PC-03", 3, 10.0)


@pytest.mark.parametrize(("gone", "left"), [(0.0, 60.0), (45.0, 15.0), (400.0, 0.0)])
def test_while_people_are_asked_to_close_it_what_is_left_of_their_time_counts_too(
    gone: float, left: float
) -> None:
    data = SharedData(ALL[0], old_reads_new=False, seconds=50.0)
    plan = _plan(data=data, postpones=3)
    draining = Passage(S.DRAINING, since=NOW - gone)
    seen = _look(plan, draining, draining, S.PENDING, at=RolloutState.CLOSING)
    assert seen == Outlook("", 0, 0, 180.0 + 50.0 + left)


def test_once_the_drain_is_over_nothing_of_it_is_added() -> None:
    closed = Passage(S.DRAINING, since=NOW - 1)  # closed, and waits for its visit
    seen = _look(_plan(postpones=3), Passage(S.UPDATING, NOW - 20), closed, closed)
    assert seen.back_in == 40.0 + 60.0 + 60.0


@pytest.mark.parametrize(
    "stands",
    [RolloutState.NEEDS_OPERATOR, RolloutState.PAUSED, RolloutState.ROLLING_BACK],
)
def test_nobody_is_told_a_time_that_nobody_knows(stands: RolloutState) -> None:
    seen = _look(_plan(), Passage(S.UPDATING, NOW - 20), S.PENDING, S.PENDING, at=stands)
    assert (seen.updating, seen.back_in) == ("PC-01", 0.0)


def test_who_is_not_visited_is_not_counted() -> None:
    plan = _plan()
    hosts = (*plan.hosts[:2], replace(plan.hosts[2], visited=False))
    plan = replace(plan, hosts=hosts)
    seen = _look(plan, Passage(S.UPDATING, NOW - 20), S.PENDING, S.SKIPPED)
    assert (seen.number, seen.of, seen.back_in) == (1, 2, 100.0)


def _served() -> Plan:
    plan = _plan(server_first="server")
    return replace(plan, hosts=(replace(plan.hosts[0], role="server"), *plan.hosts[1:]))


def test_while_the_server_is_updated_first_everybody_waits_for_it_alone() -> None:
    seen = _look(_served(), Passage(S.UPDATING, NOW - 20), S.PENDING, S.PENDING)
    assert seen == Outlook("PC-01", 1, 1, 40.0)


def test_later_each_waits_for_his_own_visit_only() -> None:
    done = Passage(S.UPDATED, NOW - 500, NOW - 440)
    seen = _look(_served(), done, S.PENDING, Passage(S.UPDATING, NOW - 15))
    assert seen == Outlook("PC-03", 1, 1, 45.0)


def test_how_long_it_is_closed_is_all_visits_and_the_data() -> None:
    plan = _plan(data=SharedData(ALL[0], old_reads_new=False, seconds=50.0))
    assert closed_seconds(plan, plan.hosts[0]) == 230.0


def test_where_the_server_comes_first_it_is_the_longer_of_both_closings() -> None:
    plan = _served()
    assert closed_seconds(plan, plan.hosts[1]) == 60.0
    slow = replace(plan, hosts=(plan.hosts[0], replace(plan.hosts[1], estimate_seconds=300.0)))
    assert closed_seconds(slow, slow.hosts[1]) == 300.0
    assert closed_seconds(slow, slow.hosts[0]) == 60.0
