"""A rollout that was left closed, taken back by a second walk of the same plan."""

import json
from collections.abc import Callable

import pytest

from agent.wire.codec import decode, encode
from agent.wire.contract import Direction, StepName
from coordinator.model import FailurePolicy, SharedData
from coordinator.walk.back import Return, walk_back
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import SimulatedFleet, Waits
from tests.walk.left import left
from tests.walk.pc import Fate, Pc, Release
from tests.walk.plans import make_plan
from tests.walk.replay import Crash, RecordingPort

ABORTED, LEFT = RolloutState.ABORTED, RolloutState.LEFT_CLOSED
SM = StepName.STOP_SERVICE_MANAGER


def _left_closed(*, shared: bool = True) -> tuple[SimulatedFleet, Return]:
    """One host updated, one failed, one not visited; then an operator gave up for the day."""
    data = SharedData("pc-1", old_reads_new=False, seconds=50.0) if shared else None
    plan = make_plan(3, data=data, policy=FailurePolicy(retries=0))
    fleet = SimulatedFleet(plan, answers=[(Verb.ABORT_LEAVE_CLOSED, "")])
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    assert walk(plan, fleet) is LEFT
    fleet.acts.clear()
    return fleet, left(fleet)


@pytest.mark.parametrize("shared", [True, False])
def test_every_changed_host_goes_back_then_the_data_then_all_re_open(shared: bool) -> None:
    fleet, order = _left_closed(shared=shared)
    assert walk_back(order, fleet) is ABORTED
    assert fleet.faults == []
    assert {pc.release for pc in fleet.pcs.values()} == {Release.OLD}
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-3"]
    assert not [a for a in fleet.acts if "apply-release" in a and "pc-3" in a and "tidy" not in a]
    if fleet.share is not None:
        assert fleet.share.content == "work of years"
        restored = fleet.acts.index("pc-1 back-up-data undo")
        assert fleet.acts.index("pc-1 apply-release undo") < restored
        assert restored < fleet.acts.index(f"pc-1 {SM} tidy")


def test_it_begins_when_every_host_is_confirmed_closed() -> None:
    fleet, order = _left_closed()
    Pc.open_by_code(fleet.pcs["pc-3"])
    with pytest.raises(Waits):
        walk_back(order, fleet)
    assert "the roll-back waits: PC-03 was opened on the spot" in fleet.stands().detail
    assert not [a for a in fleet.acts if a.endswith("undo")]
    fleet, order = _left_closed()
    Pc.open_by_code(fleet.pcs["pc-3"])
    fleet.answers = [(Verb.RETRY, "pc-3")]
    assert walk_back(order, fleet) is ABORTED
    assert fleet.faults == []


def test_what_was_said_to_the_first_walk_is_not_heard_again() -> None:
    fleet, order = _left_closed()
    assert order.heard == 1
    assert walk_back(order, fleet) is ABORTED


def test_it_may_be_left_closed_again_and_taken_back_again() -> None:
    fleet, order = _left_closed()
    fleet.fail("pc-1", StepName.BACK_UP_DATA, Fate.FAIL, way=Direction.UNDO)
    fleet.answers = [(Verb.ABORT_LEAVE_CLOSED, "")]
    assert walk_back(order, fleet) is LEFT
    assert "its data is not restored" in fleet.stands().detail
    assert walk_back(left(fleet), fleet) is ABORTED
    assert fleet.faults == []
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-3"]


def test_a_host_that_stays_off_is_left_closed_and_named() -> None:
    fleet, order = _left_closed()
    fleet.pcs["pc-2"].on = False
    fleet.answers = [(Verb.SWITCHED_OFF, "pc-2")]
    fleet.clock += 1000.0
    assert walk_back(order, fleet) is ABORTED
    assert fleet.open_hosts() == ["pc-1", "pc-3"]
    assert "its release is not known: PC-02" in fleet.stands().detail


@pytest.mark.parametrize("state", list(HostState))
def test_it_goes_on_from_whatever_state_the_first_walk_broke_off_in(state: HostState) -> None:
    fleet, order = _left_closed()
    raw = encode(order)
    for host in raw["hosts"]:
        host["state"] = state.value
    assert walk_back(decode(Return, raw), fleet) is ABORTED
    assert {pc.release for pc in fleet.pcs.values()} == {Release.OLD}
    states = set(fleet.states().values())
    assert not states & {HostState.CHECKING, HostState.ROLLING_BACK, HostState.NEEDS_OPERATOR}


def test_its_order_travels_as_plain_json() -> None:
    _, order = _left_closed()
    assert decode(Return, json.loads(json.dumps(encode(order)))) == order


def _storm() -> tuple[SimulatedFleet, Return]:
    fleet, order = _left_closed()
    undo = Direction.UNDO
    fleet.fail("pc-2", StepName.APPLY_RELEASE, Fate.FAIL, way=undo)
    fleet.fail("pc-1", StepName.BACK_UP_DATA, Fate.FAIL, way=undo)
    fleet.answers = [(Verb.RETRY, ""), (Verb.RETRY, "")]
    return fleet, order


@pytest.mark.parametrize("office", [_left_closed, _storm])
def test_killed_at_any_call_it_ends_the_same(
    office: Callable[[], tuple[SimulatedFleet, Return]],
) -> None:
    calm, order = office()
    whole = RecordingPort(calm)
    assert walk_back(order, whole) is ABORTED
    for number in range(whole.calls):
        fleet, order = office()
        killed = RecordingPort(fleet, crash_at=number)
        with pytest.raises(Crash):
            walk_back(order, killed)
        assert walk_back(order, RecordingPort(fleet, killed.kept)) is ABORTED
        assert (fleet.share, fleet.faults) == (calm.share, [])
        assert [p.runs for p in fleet.pcs.values()] == [p.runs for p in calm.pcs.values()]
