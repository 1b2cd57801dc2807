"""What an operator is told when a host follows another coordinator, at each place in the walk."""

from dataclasses import replace

import pytest

from agent.wire.contract import CordonMode, Direction, Refusal, Sight, StepName
from coordinator.walk import led
from coordinator.walk.closed import are_others_closed
from coordinator.walk.course import Course
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import RolloutState
from tests.walk.fleet import SimulatedFleet, Waits
from tests.walk.pc import Fate, Pc
from tests.walk.plans import make_plan

DO, UNDO, TIDY = Direction.DO, Direction.UNDO, Direction.TIDY
_TRIES = [Fate.STALE] * 9
_MEND = f"{led.TAKE_OVER}; then roundsman rollout retry {{rollout}} --host "
_PLACES = [
    (StepName.SURVEY, DO),
    (StepName.STAGE, DO),
    (StepName.DRAIN, DO),
    (StepName.STOP_SERVICE_MANAGER, DO),
    (StepName.STOP_SERVICE_MANAGER, TIDY),
]


@pytest.mark.parametrize(("step", "way"), _PLACES)
def test_a_host_led_elsewhere_is_mended_by_taking_over(step: StepName, way: Direction) -> None:
    fleet = SimulatedFleet(make_plan(2))
    host = fleet.plan.hosts[1]
    fleet.fail(host.id, step, *_TRIES, way=way)
    with pytest.raises(Waits):
        walk(fleet.plan, fleet)
    assert fleet.stands().rollout is RolloutState.NEEDS_OPERATOR
    assert fleet.stands().mend == f"{_MEND}{host.name}"
    assert fleet.faults == []


def test_a_host_led_elsewhere_in_its_visit_is_mended_by_taking_over() -> None:
    fleet = SimulatedFleet(make_plan(2))
    host = fleet.plan.hosts[0]
    for way in (DO, UNDO):
        fleet.fail(host.id, StepName.START_SERVICE_MANAGER, *_TRIES, way=way)
    with pytest.raises(Waits):
        walk(fleet.plan, fleet)
    assert "cannot be rolled back" in fleet.stands().detail
    assert fleet.stands().mend == f"{_MEND}{host.name}"


def test_once_it_was_taken_over_and_tried_again_the_walk_goes_on() -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(Verb.RETRY, "")])
    tries = fleet.plan.policy.retries + 1
    fleet.fail(fleet.plan.hosts[1].id, StepName.DRAIN, *_TRIES[:tries])
    assert walk(fleet.plan, fleet) is RolloutState.DONE


class _Led(Pc):
    """A PC whose agent refuses every cordon of this coordinator."""

    def sight(self) -> Sight:
        """Return what it sees, with its refusal."""
        return replace(super().sight(), refusal=Refusal.STALE_EPOCH, detail="led elsewhere")


def test_a_host_that_refuses_its_cordon_is_said_to_follow_another_coordinator() -> None:
    fleet = SimulatedFleet(make_plan(2))
    host = fleet.plan.hosts[1]
    fleet.pcs[host.id] = _Led(host.id, mode=CordonMode.SEALED)
    course = Course.begin(fleet.plan, fleet)
    assert not are_others_closed(course, fleet.plan.hosts[0].id)
    assert f"{host.name} follows another coordinator" in fleet.stands().detail
    assert fleet.stands().mend == f"{_MEND}{host.name}"
