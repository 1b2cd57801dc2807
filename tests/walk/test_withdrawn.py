"""A release is withdrawn under a rollout: no further host is begun, and both ways out are open."""

from dataclasses import dataclass

import pytest

from agent.wire.contract import Direction, StepName
from coordinator.model import AfterRollBack, FailurePolicy
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import SimulatedFleet, Waits
from tests.walk.pc import Release
from tests.walk.plans import BEGIN, make_plan

_NEARER = {StepName.STAGE, StepName.DRAIN, StepName.BACK_UP, StepName.APPLY_RELEASE}
_WHY = "cannot go on with office 1.1: it was withdrawn"
_FIRST_VISIT = 100.0


@dataclass(slots=True, repr=False)
class Withdrawing(SimulatedFleet):
    """An office whose coordinator refuses what brings a host nearer to a withdrawn release."""

    back_on_offer: bool = False

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        withdrawn = any(word.verb is Verb.WITHDRAW for word in self.said)
        has_begun = any("apply-release" in act for act in self.acts)
        nearer = direction is Direction.DO and step in _NEARER
        nearer = nearer and not (step is StepName.DRAIN and has_begun)
        if withdrawn and nearer and not self.back_on_offer:
            return Outcome(host, Verdict.REFUSED, None, _WHY)
        return SimulatedFleet.take(self, host, step, direction, attempt)


def _office(at: float, *answers: Verb, **given: object) -> Withdrawing:
    fleet = Withdrawing(make_plan(3, **given), orders=[(at, Verb.WITHDRAW, "")])  # type: ignore[arg-type]
    fleet.answers = [(verb, "") for verb in answers]
    return fleet


def _waits(fleet: SimulatedFleet) -> None:
    with pytest.raises(Waits):
        walk(fleet.plan, fleet)
    assert not fleet.faults


def _ends(fleet: SimulatedFleet) -> RolloutState:
    state = walk(fleet.plan, fleet)
    assert not fleet.faults
    return state


def _releases(fleet: SimulatedFleet) -> list[Release]:
    return [pc.release for pc in fleet.pcs.values()]


def test_the_visit_under_way_ends_and_no_other_begins() -> None:
    fleet = _office(_FIRST_VISIT)
    _waits(fleet)
    assert fleet.states()["pc-1"] is HostState.UPDATED
    assert not [act for act in fleet.visits() if not act.startswith("pc-1")]
    assert fleet.open_hosts() == []
    assert fleet.stands().rollout is RolloutState.NEEDS_OPERATOR
    assert fleet.stands().detail.startswith("office 1.1 was withdrawn by ann. No further")
    assert fleet.stands().mend.startswith("roundsman rollout abort {rollout} --roll-back-all, or")


def test_the_changed_hosts_go_back_when_an_operator_says_so() -> None:
    fleet = _office(_FIRST_VISIT, Verb.ABORT_ROLL_BACK)
    assert _ends(fleet) is RolloutState.ABORTED
    assert _releases(fleet) == [Release.OLD] * 3
    assert len(fleet.open_hosts()) == 3


def test_before_the_first_change_an_abort_re_opens_everybody() -> None:
    fleet = _office(1.0, Verb.ABORT_LEAVE_CLOSED)
    assert _ends(fleet) is RolloutState.ABORTED
    assert all(act.endswith(" tidy") for act in fleet.visits())
    held_up = fleet.details(RolloutState.NEEDS_OPERATOR)
    assert len(held_up) == 1
    told = next(n for n in fleet.news if n.detail == held_up[0])
    assert told.mend.startswith("roundsman rollout abort {rollout}, or, to go on")
    assert _releases(fleet) == [Release.OLD] * 3


def test_once_it_is_on_offer_again_the_rollout_goes_on_where_it_was() -> None:
    fleet = _office(_FIRST_VISIT, Verb.RESUME)
    fleet.back_on_offer = True
    assert _ends(fleet) is RolloutState.DONE
    assert _releases(fleet) == [Release.NEW] * 3


def test_resumed_too_early_the_next_host_is_refused_and_an_operator_asked_again() -> None:
    fleet = _office(_FIRST_VISIT, Verb.RESUME)
    _waits(fleet)
    assert fleet.states()["pc-2"] is HostState.ROLLED_BACK
    assert "PC-02 could not be updated" in fleet.stands().detail
    assert fleet.pcs["pc-2"].release is Release.OLD
    assert any(_WHY in n.detail for n in fleet.news if n.host == "pc-2")
    assert fleet.open_hosts() == []


def test_resumed_too_early_the_group_can_still_go_back() -> None:
    fleet = _office(_FIRST_VISIT, Verb.RESUME, Verb.ABORT_ROLL_BACK)
    assert _ends(fleet) is RolloutState.ABORTED
    assert _releases(fleet) == [Release.OLD] * 3


def test_it_is_held_up_before_the_way_back_is_deleted_though_every_host_has_it() -> None:
    fleet = SimulatedFleet(make_plan(3))
    _ends(fleet)
    last = next(at for at, act in fleet.dated if act == "pc-3 check-health")
    opened = next(at for at, act in fleet.dated if act.startswith("pc-1 apply-release tidy"))
    assert last < opened

    held = _office(last - BEGIN)
    _waits(held)
    assert _releases(held) == [Release.NEW] * 3
    assert held.open_hosts() == []
    assert not [act for act in held.acts if act.endswith(" tidy")]


@pytest.mark.parametrize(
    ("said", "release", "end"),
    [
        (Verb.RESUME, Release.NEW, RolloutState.DONE),
        (Verb.ABORT_ROLL_BACK, Release.OLD, RolloutState.ABORTED),
    ],
)
def test_a_group_that_has_it_whole_keeps_it_or_goes_back_as_an_operator_says(
    said: Verb, release: Release, end: RolloutState
) -> None:
    plain = SimulatedFleet(make_plan(3))
    _ends(plain)
    last = next(at for at, act in plain.dated if act == "pc-3 check-health")
    fleet = _office(last - BEGIN, said)
    assert _ends(fleet) is end
    assert _releases(fleet) == [release] * 3


def test_said_twice_it_is_heeded_once() -> None:
    fleet = _office(_FIRST_VISIT, Verb.WITHDRAW, Verb.RESUME)
    fleet.back_on_offer = True
    assert _ends(fleet) is RolloutState.DONE
    assert len(fleet.details(RolloutState.NEEDS_OPERATOR)) == 1


def test_of_a_paused_rollout_each_is_ended_by_a_word_of_its_own() -> None:
    fleet = _office(_FIRST_VISIT + 100.0, Verb.RESUME)
    fleet.orders.insert(0, (_FIRST_VISIT, Verb.PAUSE, ""))
    fleet.back_on_offer = True
    _waits(fleet)
    assert fleet.stands().rollout is RolloutState.PAUSED


@pytest.mark.parametrize("then", list(AfterRollBack))
def test_no_policy_goes_past_it(then: AfterRollBack) -> None:
    fleet = _office(_FIRST_VISIT, policy=FailurePolicy(retries=1, then=then))
    _waits(fleet)
    assert fleet.states()["pc-2"] is HostState.PENDING


def test_a_host_that_was_opened_meanwhile_is_closed_again_so_that_the_group_goes_back() -> None:
    fleet = _office(_FIRST_VISIT, Verb.ABORT_ROLL_BACK, Verb.RETRY)
    fleet.at = [(_FIRST_VISIT + 60.0, lambda pcs: pcs["pc-3"].open_by_code())]
    assert _ends(fleet) is RolloutState.ABORTED
    assert fleet.acts.count("pc-3 drain") == 2
    assert _releases(fleet) == [Release.OLD] * 3
