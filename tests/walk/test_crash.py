"""The coordinator is killed at each call of a rollout: the walk ends as if it had not been."""

from collections.abc import Callable

import pytest

from agent.wire.contract import Direction, StepName
from coordinator.model import SharedData
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import RolloutState
from tests.walk.fleet import SimulatedFleet
from tests.walk.pc import Fate
from tests.walk.plans import BEGIN, make_plan
from tests.walk.replay import Crash, RecordingPort


def _calm() -> SimulatedFleet:
    return SimulatedFleet(make_plan(2))


def _stormy() -> SimulatedFleet:
    answers = [(Verb.RETRY, "pc-2"), (Verb.RETRY, "pc-1"), (Verb.ABORT_ROLL_BACK, "")]
    fleet = SimulatedFleet(make_plan(3, held=[3]), answers=answers)
    fleet.fail("pc-2", StepName.STAGE, Fate.REFUSE, Fate.REFUSE)
    fleet.fail("pc-1", StepName.APPLY_RELEASE, Fate.FAIL, Fate.SILENT_FAIL)
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.SILENT_FAIL, Fate.FAIL)
    fleet.fail("pc-1", StepName.APPLY_RELEASE, Fate.SILENT, way=Direction.UNDO)
    return fleet


def _sharing() -> SimulatedFleet:
    answers = [
        (Verb.RETRY, ""),
        (Verb.RETRY, "pc-2"),
        (Verb.ABORT_ROLL_BACK, ""),
        (Verb.RETRY, ""),
    ]
    plan = make_plan(3, data=SharedData("pc-1", old_reads_new=False, seconds=50.0))
    fleet = SimulatedFleet(plan, answers=answers)
    fleet.fail("pc-1", StepName.BACK_UP_DATA, Fate.FAIL, Fate.FAIL)
    fleet.fail("pc-2", StepName.CHECK_HEALTH, *[Fate.FAIL] * 4)
    fleet.fail("pc-1", StepName.BACK_UP_DATA, Fate.FAIL, Fate.FAIL, way=Direction.UNDO)
    return fleet


def _server_first() -> SimulatedFleet:
    told = (BEGIN + 300.0, BEGIN + 700.0)
    plan = make_plan(4, servers=[2], held=[4], opens=BEGIN + 1000, announce=told)
    fleet = SimulatedFleet(plan)
    fleet.fail("pc-2", StepName.APPLY_RELEASE, Fate.SILENT)
    fleet.fail("pc-3", StepName.CHECK_HEALTH, Fate.FAIL, Fate.SILENT_FAIL)
    return fleet


def _server_back() -> SimulatedFleet:
    orders = [(250.0, Verb.ABORT_ROLL_BACK, "")]
    fleet = SimulatedFleet(make_plan(3, servers=[1]), orders=orders)
    fleet.fail("pc-1", StepName.APPLY_RELEASE, Fate.SILENT, way=Direction.UNDO)
    return fleet


def _drill() -> SimulatedFleet:
    fleet = SimulatedFleet(
        make_plan(3, drill=True), answers=[(Verb.RETRY, ""), (Verb.SKIP, "pc-2")]
    )
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    return fleet


_OFFICES = [_calm, _stormy, _sharing, _server_first, _server_back, _drill]


def _summary(fleet: SimulatedFleet) -> object:
    pcs = fleet.pcs.values()
    return (
        fleet.stands().rollout,
        fleet.states(),
        [(p.release, p.mode, p.app_open, p.manager) for p in pcs],
        [(p.id, step, way) for p in pcs for step, way in p.journal],
        [p.runs for p in pcs],
        fleet.faults,
        fleet.share,
    )


@pytest.mark.parametrize("office", _OFFICES)
def test_replayed_from_what_was_kept_the_walk_asks_the_same(
    office: Callable[[], SimulatedFleet],
) -> None:
    fleet = office()
    first = RecordingPort(fleet)
    end = walk(fleet.plan, first)
    again = RecordingPort(fleet, list(first.kept))
    assert walk(fleet.plan, again) is end
    assert again.calls == first.calls == len(first.kept)


@pytest.mark.parametrize("office", _OFFICES)
def test_killed_at_any_call_it_ends_the_same_with_no_step_done_twice(
    office: Callable[[], SimulatedFleet],
) -> None:
    calm = office()
    whole = RecordingPort(calm)
    walk(calm.plan, whole)
    for number in range(whole.calls):
        fleet = office()
        killed = RecordingPort(fleet, crash_at=number)
        with pytest.raises(Crash):
            walk(fleet.plan, killed)
        walk(fleet.plan, RecordingPort(fleet, killed.kept))
        assert _summary(fleet) == _summary(calm), f"killed at call {number}"
    assert calm.faults == []
    assert calm.stands().rollout in {
        RolloutState.DONE,
        RolloutState.PARTLY_DONE,
        RolloutState.ABORTED,
    }


def test_a_wait_for_the_window_that_is_begun_anew_does_not_make_it_late() -> None:
    plan = make_plan(2, opens=BEGIN + 1800, deadline=BEGIN + 7200)
    port = RecordingPort(SimulatedFleet(plan))
    walk(plan, port)
    waits = [float(call.split()[2]) for call, _ in port.kept if call.startswith("safe_point")]
    assert sum(waits) > 1500
    assert max(waits) <= 120
