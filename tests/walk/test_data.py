"""Data that a group shares (I6): backed up before the first change, restored with the group."""

from dataclasses import replace
from typing import Any

import pytest

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import AfterRollBack, FailurePolicy, Plan, SharedData
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import SimulatedFleet, Waits
from tests.walk.pc import Fate, Pc, Release
from tests.walk.plans import make_plan
from tests.walk.share import Share

DONE, ABORTED = RolloutState.DONE, RolloutState.ABORTED
PARTLY, LEFT = RolloutState.PARTLY_DONE, RolloutState.LEFT_CLOSED
DO, UNDO, TIDY = Direction.DO, Direction.UNDO, Direction.TIDY
BEFORE = "work of years"


def _plan(count: int = 2, *, two_way: bool = False, **changes: Any) -> Plan:
    return make_plan(count, data=SharedData("pc-1", two_way, 50.0), **changes)


def _share(fleet: SimulatedFleet) -> Share:
    assert fleet.share is not None
    return fleet.share


def _data(fleet: SimulatedFleet) -> list[str]:
    return [act for act in fleet.acts if "back-up-data" in act]


def _waits(fleet: SimulatedFleet) -> str:
    with pytest.raises(Waits):
        walk(fleet.plan, fleet)
    assert fleet.faults == []
    assert fleet.stands().rollout is RolloutState.NEEDS_OPERATOR
    return fleet.stands().detail


def _ends(fleet: SimulatedFleet) -> RolloutState:
    end = walk(fleet.plan, fleet)
    assert fleet.faults == []
    return end


def _told(fleet: SimulatedFleet) -> str:
    return "\n".join(fleet.details(RolloutState.NEEDS_OPERATOR))


# -- the backup ------------------------------------------------------------------------------


def test_the_holder_backs_it_up_once_when_all_are_closed_and_before_the_first_visit() -> None:
    fleet = SimulatedFleet(_plan(3))
    assert _ends(fleet) is DONE
    closed = fleet.acts.index("pc-3 stop-service-manager")
    first = fleet.acts.index("pc-1 back-up")
    assert fleet.acts[closed + 1 : first] == ["pc-1 back-up-data"]
    assert _data(fleet) == ["pc-1 back-up-data", "pc-1 back-up-data tidy"]
    assert _share(fleet).aside == []


def test_a_holder_that_has_the_release_already_still_backs_it_up() -> None:
    fleet = SimulatedFleet(_plan(3, ahead=[1]))
    assert _ends(fleet) is DONE
    assert _data(fleet) == ["pc-1 back-up-data", "pc-1 back-up-data tidy"]


def test_it_is_not_backed_up_where_nobody_is_to_be_visited() -> None:
    fleet = SimulatedFleet(_plan(2), answers=[(Verb.SKIP, "pc-1"), (Verb.SKIP, "pc-2")])
    for host in fleet.pcs:
        fleet.fail(host, StepName.STAGE, Fate.FAIL, Fate.FAIL)
    assert _ends(fleet) is ABORTED
    assert "pc-1 back-up-data" not in fleet.acts


def test_a_backup_that_cannot_be_made_is_asked_about_and_tried_again() -> None:
    fleet = SimulatedFleet(_plan(), answers=[(Verb.RETRY, "")])
    fleet.fail("pc-1", StepName.BACK_UP_DATA, Fate.FAIL, Fate.REFUSE)
    assert _ends(fleet) is DONE
    assert "PC-01 cannot back up the data the group shares: disk full. Nothing" in _told(fleet)


def test_without_a_backup_nothing_is_changed_and_abort_opens_all() -> None:
    fleet = SimulatedFleet(_plan(), answers=[(Verb.ABORT_LEAVE_CLOSED, "")])
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 2)
    assert _ends(fleet) is ABORTED
    assert fleet.open_hosts() == ["pc-1", "pc-2"]
    assert not [a for a in fleet.visits() if not a.endswith(TIDY)]


@pytest.mark.parametrize("verb", [Verb.SKIP, Verb.SWITCHED_OFF])
def test_the_holder_cannot_be_left_out_of_the_backup(verb: Verb) -> None:
    fleet = SimulatedFleet(_plan(), answers=[(verb, ""), (verb, "pc-1")])
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 2)
    assert _waits(fleet).startswith("PC-01 holds the data and cannot be left out now; PC-01 cann")
    assert fleet.states()["pc-1"] is HostState.PENDING


@pytest.mark.parametrize("fate", [Fate.SILENT, Fate.SILENT_FAIL, Fate.LOST])
def test_a_holder_that_is_silent_is_asked_again(fate: Fate) -> None:
    fleet = SimulatedFleet(_plan())
    fleet.fail("pc-1", StepName.BACK_UP_DATA, fate)
    assert _ends(fleet) is DONE
    assert "cannot back up the data the group shares: no answer" in _told(fleet)
    assert _share(fleet).backups == 1


def test_a_host_opened_meanwhile_is_closed_again_before_the_backup_is_tried_again() -> None:
    fleet = SimulatedFleet(_plan(), answers=[(Verb.RETRY, "pc-1"), (Verb.RETRY, "pc-2")])
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 2)
    fleet.at.append((300.0, lambda pcs: Pc.open_by_code(pcs["pc-2"])))
    assert _ends(fleet) is DONE
    assert "the backup of the data the group shares waits: PC-02 was opened" in _told(fleet)


# -- a visit that fails ----------------------------------------------------------------------


def test_a_host_goes_back_alone_when_its_old_release_reads_the_new_data() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.SKIP)
    fleet = SimulatedFleet(_plan(3, two_way=True, policy=policy))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    assert _ends(fleet) is PARTLY
    assert fleet.pcs["pc-2"].release is Release.OLD
    assert _data(fleet) == ["pc-1 back-up-data", "pc-1 back-up-data tidy"]


@pytest.mark.parametrize("then", [AfterRollBack.STOP, AfterRollBack.SKIP])
def test_else_the_walk_waits_with_the_host_as_it_is_and_says_why(then: AfterRollBack) -> None:
    fleet = SimulatedFleet(_plan(3, policy=FailurePolicy(0, then)))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    assert "PC-02 could not be updated and cannot go back alone: the new rel" in _waits(fleet)
    assert "--roll-back-all" in fleet.stands().mend
    assert "retry {rollout} --host PC-02" in fleet.stands().mend
    assert fleet.pcs["pc-2"].release is Release.NEW
    assert all(pc.closed for pc in fleet.pcs.values())


@pytest.mark.parametrize(
    ("step", "again"),
    [
        (StepName.APPLY_RELEASE, ["apply-release", "start-service-manager", "check-health"]),
        (StepName.START_SERVICE_MANAGER, ["start-service-manager", "check-health"]),
        (StepName.CHECK_HEALTH, ["start-service-manager", "check-health"]),
    ],
)
def test_tried_again_its_visit_goes_on_and_the_new_release_is_not_backed_up(
    step: StepName, again: list[str]
) -> None:
    policy = FailurePolicy(retries=0)
    fleet = SimulatedFleet(_plan(2, policy=policy), answers=[(Verb.RETRY, "pc-2")])
    fleet.fail("pc-2", step, Fate.FAIL)
    assert _ends(fleet) is DONE
    visits = [a.removeprefix("pc-2 ") for a in fleet.visits() if a.startswith("pc-2")]
    visits = visits[: visits.index("apply-release tidy")]
    assert visits[-len(again) - 1 :] == [*again, "start-service-manager undo"]
    assert visits.count("back-up") == 1


def test_a_host_whose_own_backup_fails_goes_back_alone_since_nothing_was_changed() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.SKIP)
    fleet = SimulatedFleet(_plan(3, policy=policy))
    fleet.fail("pc-2", StepName.BACK_UP, Fate.FAIL)
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-3"]


def test_a_host_that_cannot_go_back_may_be_left_closed_as_it_is() -> None:
    fleet = SimulatedFleet(_plan(3), answers=[(Verb.SKIP, "pc-2")])
    fleet.fail("pc-2", StepName.CHECK_HEALTH, *[Fate.FAIL] * 2)
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-3"]
    assert "pc-2 apply-release tidy" not in fleet.acts, "it keeps its way back"


def test_an_operator_cannot_have_one_host_back_and_is_told_why() -> None:
    fleet = SimulatedFleet(_plan(2), orders=[(200.0, Verb.ROLL_BACK, "pc-1")])
    assert _ends(fleet) is DONE
    told = [n.detail for n in fleet.news if not n.host]
    assert any(d.startswith("PC-01 cannot go back alone: the new release may") for d in told)
    assert fleet.pcs["pc-1"].release is Release.NEW


# -- all go back -----------------------------------------------------------------------------


def _all_go_back(plan: Plan, *answers: tuple[Verb, str]) -> SimulatedFleet:
    fleet = SimulatedFleet(plan, answers=[*answers])
    fleet.fail("pc-2", StepName.CHECK_HEALTH, *[Fate.FAIL] * 2)
    return fleet


@pytest.mark.parametrize("two_way", [True, False])
def test_all_go_back_then_the_data_and_only_then_is_anything_opened(two_way: bool) -> None:
    fleet = _all_go_back(_plan(2, two_way=two_way), (Verb.ABORT_ROLL_BACK, ""))
    assert _ends(fleet) is ABORTED
    acts = fleet.acts
    restored = acts.index("pc-1 back-up-data undo")
    assert acts.index("pc-1 back-up undo") < restored < acts.index(f"pc-1 {_SM} tidy")
    assert _share(fleet).content == BEFORE
    assert len(_share(fleet).aside) == 1
    assert "its data as it was; the newer is kept" in fleet.stands().detail


_SM = StepName.STOP_SERVICE_MANAGER


def test_a_policy_may_take_all_back_without_asking() -> None:
    policy = FailurePolicy(retries=1, then=AfterRollBack.ROLL_BACK_ALL)
    fleet = _all_go_back(_plan(3, policy=policy))
    assert _ends(fleet) is ABORTED
    assert {pc.release for pc in fleet.pcs.values()} == {Release.OLD}
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-3"]
    assert _share(fleet).content == BEFORE


def test_a_policy_may_take_all_back_where_nothing_is_shared() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.ROLL_BACK_ALL)
    fleet = SimulatedFleet(make_plan(3, policy=policy))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    assert _ends(fleet) is ABORTED
    assert {pc.release for pc in fleet.pcs.values()} == {Release.OLD}
    assert "pc-3 apply-release" not in fleet.acts


def test_data_that_cannot_be_restored_keeps_every_host_closed_until_it_is() -> None:
    fleet = _all_go_back(_plan(), (Verb.ABORT_ROLL_BACK, ""))
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 9, way=UNDO)
    assert "cannot restore the data the group shares: back-up-data broke. Every" in _waits(fleet)
    assert fleet.open_hosts() == []
    assert {pc.mode for pc in fleet.pcs.values()} == {CordonMode.SEALED}
    fleet = _all_go_back(_plan(), (Verb.ABORT_ROLL_BACK, ""), (Verb.SKIP, ""), (Verb.RETRY, ""))
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 2, way=UNDO)
    assert _ends(fleet) is ABORTED
    assert _share(fleet).content == BEFORE


def test_data_that_is_given_up_leaves_all_closed_and_says_so() -> None:
    words = [(Verb.ABORT_ROLL_BACK, ""), (Verb.ABORT_LEAVE_CLOSED, "")]
    fleet = _all_go_back(_plan(), *words)
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 9, way=UNDO)
    assert _ends(fleet) is LEFT
    assert "its data is not restored" in fleet.stands().detail
    assert fleet.open_hosts() == []


def test_where_no_host_could_be_updated_the_data_goes_back_before_the_old_release_opens() -> None:
    fleet = SimulatedFleet(_plan(2, held=[2]), answers=[(Verb.SKIP, "pc-1")])
    fleet.fail("pc-1", StepName.CHECK_HEALTH, *[Fate.FAIL] * 2)
    assert _ends(fleet) is ABORTED
    assert fleet.open_hosts() == ["pc-2"]
    assert _share(fleet).content == BEFORE


def test_that_data_too_may_be_given_up() -> None:
    words = [(Verb.SKIP, "pc-1"), (Verb.ABORT_ROLL_BACK, "")]
    fleet = SimulatedFleet(_plan(2, held=[2]), answers=words)
    fleet.fail("pc-1", StepName.CHECK_HEALTH, *[Fate.FAIL] * 2)
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 2, way=UNDO)
    assert _ends(fleet) is LEFT
    assert fleet.open_hosts() == []


def test_before_the_data_is_restored_every_host_is_confirmed_closed() -> None:
    words = [(Verb.ABORT_ROLL_BACK, ""), (Verb.RETRY, "pc-1"), (Verb.RETRY, "pc-2")]
    fleet = _all_go_back(_plan(), *words)
    fleet.fail("pc-1", StepName.BACK_UP_DATA, *[Fate.FAIL] * 2, way=UNDO)
    fleet.at.append((1200.0, lambda pcs: Pc.open_by_code(pcs["pc-2"])))
    assert _ends(fleet) is ABORTED
    assert "the roll-back of the data the group shares waits: PC-02 was opened" in _told(fleet)


# -- commit, time ----------------------------------------------------------------------------


def test_the_way_back_is_given_up_once_when_every_host_is_decided_about() -> None:
    fleet = SimulatedFleet(_plan(3), answers=[(Verb.RETRY, "pc-2")])
    fleet.fail("pc-2", _SM, *[Fate.FAIL] * 2, way=TIDY)
    assert _ends(fleet) is DONE
    last = fleet.acts.index("pc-2 reopen")
    commit = [i for i, act in enumerate(fleet.acts) if act.endswith("apply-release tidy")]
    assert commit == list(range(last + 1, last + 4))


def test_no_visit_begins_that_could_not_end_with_all_taken_back_and_the_data_restored() -> None:
    plan = _plan(2)
    needed = 30 + 50 + 2 * 70 + 35 + 35 + 50
    plenty = replace(plan, deadline=plan.opens + 66.0 + needed)
    assert _ends(SimulatedFleet(plenty)) is DONE
    short = SimulatedFleet(replace(plan, deadline=plan.opens + 66.0 + needed - 20))
    assert "the group needs" in _waits(short)
