from collections.abc import Iterable

import pytest

from coordinator.walk.states import TRANSITIONS, Event, HostState, RolloutState, advance

ENDS = {HostState.UPDATED, HostState.ROLLED_BACK, HostState.SKIPPED}


@pytest.mark.parametrize("state", list(HostState))
@pytest.mark.parametrize("event", list(Event))
def test_a_move_is_in_the_table_or_is_refused_by_name(state: HostState, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(ValueError, match=f"no move from {state} on {event}"):
            advance(state, event)


def _within_reach(starts: Iterable[HostState]) -> set[HostState]:
    reached = set(starts)
    while new := {to for (at, _), to in TRANSITIONS.items() if at in reached} - reached:
        reached |= new
    return reached


@pytest.mark.parametrize("state", list(HostState))
def test_every_state_can_reach_an_end(state: HostState) -> None:
    assert _within_reach([state]) & ENDS


def test_every_state_is_reached_from_pending() -> None:
    assert _within_reach([HostState.PENDING]) == set(HostState)


@pytest.mark.parametrize("state", [HostState.UPDATING, HostState.CHECKING, HostState.ROLLING_BACK])
def test_a_host_under_change_is_never_skipped_without_being_known(state: HostState) -> None:
    assert (state, Event.SKIPPED) not in TRANSITIONS


def test_only_a_passed_check_makes_a_host_updated() -> None:
    ways = {event for (_, event), to in TRANSITIONS.items() if to is HostState.UPDATED}
    assert ways == {Event.PASSED}


def test_four_states_end_a_rollout() -> None:
    assert {s.value for s in RolloutState if s.is_final} == {
        "done", "partly-done", "aborted", "left-closed",
    }  # fmt: skip
