"""When a staging may go on, and who is next: pure decisions."""

from dataclasses import replace
from datetime import datetime
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.model import StagedState, StagingState
from coordinator.planning.staging import (
    LONGEST_SECONDS,
    LONGEST_WAIT,
    Staged,
    Staging,
    next_hosts,
    open_until,
    opens_at,
    state_by,
    wait_after,
)
from tests.plans import numbered

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp()


NOON = at("2026-03-10 12:00")
MADE = Staging(numbered(1), 1, "office", "1.1", "ann", NOON, NOON, "", 0, 2)
NIGHTLY = replace(MADE, hours="22:00-06:00")


def row(host: str, state: StagedState = StagedState.WAITING, **more: float) -> Staged:
    tries, next_try = int(more.get("tries", 0)), more.get("next_try", NOON)
    return Staged(MADE.id, host, state, tries, next_try, NOON)


def test_without_hours_it_goes_on_at_any_time_from_its_beginning_on() -> None:
    assert open_until(MADE, NOON, PARIS) == inf
    assert open_until(replace(MADE, not_before=NOON + 1), NOON, PARIS) is None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-10 21:59", None),
        ("2026-03-10 22:00", "2026-03-11 06:00"),
        ("2026-03-11 05:59", "2026-03-11 06:00"),
        ("2026-03-11 06:00", None),
        ("2026-03-28 23:00", "2026-03-29 06:00"),  # the night in which the clock goes forward
    ],
)
def test_it_goes_on_within_its_hours_alone(now: str, until: str | None) -> None:
    assert open_until(NIGHTLY, at(now), PARIS) == (at(until) if until else None)


@pytest.mark.parametrize("state", [s for s in StagingState if s is not StagingState.UNDER_WAY])
def test_what_is_over_never_goes_on(state: StagingState) -> None:
    assert open_until(replace(MADE, state=state), NOON, PARIS) is None


def test_it_opens_now_or_at_the_beginning_of_its_hours() -> None:
    assert opens_at(MADE, NOON, PARIS) == NOON
    assert opens_at(NIGHTLY, NOON, PARIS) == at("2026-03-10 22:00")
    assert opens_at(NIGHTLY, at("2026-03-11 01:00"), PARIS) == at("2026-03-11 01:00")


def test_no_more_begin_than_there_are_slots() -> None:
    rows = [row("a", StagedState.FETCHING), row("b"), row("c")]
    assert [r.host for r in next_hosts(MADE, rows, NOON, {"a", "b", "c"})] == ["b"]


def test_who_is_off_or_in_a_rollout_is_passed_over_and_comes_later() -> None:
    rows = [row("a"), row("b"), row("c", next_try=NOON + 1)]
    assert [r.host for r in next_hosts(MADE, rows, NOON, {"b", "c"})] == ["b"]
    assert [r.host for r in next_hosts(MADE, rows, NOON + 1, {"a", "c"})] == ["a", "c"]


def test_who_was_tried_least_comes_first() -> None:
    rows = [row("a", tries=3), row("b", tries=1), row("c")]
    assert [r.host for r in next_hosts(MADE, rows, NOON, {"a", "b", "c"})] == ["c", "b"]


@given(st.lists(st.sampled_from(StagedState), max_size=30), st.integers(1, 10))
def test_slots_are_never_exceeded_and_nobody_is_begun_twice(
    states: list[StagedState], slots: int
) -> None:
    rows = [row(f"h{n}", state) for n, state in enumerate(states)]
    begun = next_hosts(replace(MADE, slots=slots), rows, NOON, {r.host for r in rows})
    under_way = states.count(StagedState.FETCHING)
    assert len(begun) + under_way <= max(slots, under_way)
    assert all(r.state is StagedState.WAITING for r in begun)
    assert len({r.host for r in begun}) == len(begun)


def test_one_hosts_share_of_the_rate_is_by_the_slots_and_never_nothing() -> None:
    assert MADE.host_rate == 0
    assert replace(MADE, rate=20_000_000, slots=8).host_rate == 2_500_000
    assert replace(MADE, rate=3, slots=8).host_rate == 1


def test_it_is_tried_again_ever_more_slowly() -> None:
    waits = [wait_after(tries) for tries in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] < 60 < waits[-1] == LONGEST_WAIT
    assert wait_after(10**6) == LONGEST_WAIT


def test_it_is_done_once_nothing_more_is_to_be_done_for_any_host() -> None:
    rows = [row("a", StagedState.READY), row("b", StagedState.REFUSED)]
    assert state_by(MADE, rows, NOON) is StagingState.DONE
    assert state_by(MADE, [*rows, row("c")], NOON) is StagingState.UNDER_WAY


def test_it_ends_without_hosts_that_never_came() -> None:
    late = NOON + LONGEST_SECONDS + 1
    assert state_by(MADE, [row("a")], late) is StagingState.TIMED_OUT
    assert state_by(replace(MADE, not_before=late), [row("a")], late) is StagingState.UNDER_WAY
