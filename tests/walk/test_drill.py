"""A drill: the whole walk with nothing applied; and who is told ahead of a walk."""

import pytest

from agent.wire.contract import Direction, StepName
from coordinator.model import AfterRollBack, FailurePolicy, SharedData
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import SimulatedFleet
from tests.walk.pc import Fate, Pc, Release
from tests.walk.plans import BEGIN, make_plan

DONE, PARTLY = RolloutState.DONE, RolloutState.PARTLY_DONE
SKIP = FailurePolicy(retries=0, then=AfterRollBack.SKIP)


def _ends(fleet: SimulatedFleet) -> RolloutState:
    end = walk(fleet.plan, fleet)
    assert fleet.faults == []
    return end


def test_a_drill_takes_every_step_but_those_that_apply() -> None:
    fleet = SimulatedFleet(make_plan(2, drill=True))
    assert _ends(fleet) is DONE
    done = {a.split()[1] for a in fleet.acts if len(a.split()) == 2}
    assert done == {
        "survey", "drain", "stop-service-manager", "back-up", "start-service-manager",
        "check-health", "reopen",
    }  # fmt: skip
    assert fleet.stands().detail == "drill: nothing was applied, and every host came back"
    assert fleet.open_hosts() == ["pc-1", "pc-2"]
    assert all(pc.release is Release.OLD and pc.manager for pc in fleet.pcs.values())


def test_a_drill_backs_up_the_data_too_and_one_that_only_re_opens_backs_up_nothing() -> None:
    data = SharedData("pc-1", old_reads_new=False, seconds=50.0)
    whole = SimulatedFleet(make_plan(2, drill=True, data=data))
    assert _ends(whole) is DONE
    assert "pc-1 back-up-data" in whole.acts
    bare = SimulatedFleet(make_plan(2, drill=True, backs_up=False, data=data))
    assert _ends(bare) is DONE
    assert not [a for a in bare.acts if "back-up" in a]


def test_a_host_that_does_not_come_back_is_named_and_open_again_like_the_others() -> None:
    fleet = SimulatedFleet(make_plan(3, drill=True, policy=SKIP))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    assert _ends(fleet) is PARTLY
    assert fleet.stands().detail == (
        "drill: nothing was applied; would not have come through: PC-02"
    )
    assert fleet.stands().mend == "roundsman rollout report {rollout}"
    (skipped,) = [n.detail for n in fleet.news if n.host and n.state is HostState.SKIPPED]
    assert skipped == "taken back: check-health: check-health broke"
    assert fleet.open_hosts() == list(fleet.pcs)
    assert fleet.states()["pc-3"] is HostState.UPDATED


def test_what_was_written_in_a_failed_drill_does_not_keep_the_group_closed() -> None:
    fleet = SimulatedFleet(make_plan(3, drill=True, policy=SKIP))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL)
    fleet.fail("pc-2", StepName.BACK_UP, *[Fate.FAIL] * 9, way=Direction.UNDO)
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == list(fleet.pcs)


def test_a_service_manager_that_is_not_given_back_spoils_a_drill() -> None:
    fleet = SimulatedFleet(make_plan(2, drill=True))
    tidy = Direction.TIDY
    fleet.fail("pc-2", StepName.STOP_SERVICE_MANAGER, Fate.FAIL, Fate.FAIL, way=tidy)
    assert _ends(fleet) is PARTLY
    assert "start the service manager by hand on: PC-02" in fleet.stands().detail


def test_a_drill_of_a_server_first_group_keeps_it_closed_to_its_end() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[3], drill=True))
    assert _ends(fleet) is DONE
    assert [fleet.acts.count(f"pc-{n} drain") for n in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.parametrize("verb", [Verb.ABORT_LEAVE_CLOSED, Verb.ABORT_ROLL_BACK])
def test_an_aborted_drill_re_opens_everybody(verb: Verb) -> None:
    fleet = SimulatedFleet(make_plan(3, drill=True), orders=[(60.0, verb, "")])
    assert _ends(fleet) is RolloutState.ABORTED
    assert fleet.open_hosts() == list(fleet.pcs)
    assert fleet.stands().detail.startswith("aborted: every host is on the release it had")


# -- told ahead --------------------------------------------------------------------------------


def _times(fleet: SimulatedFleet, host: str) -> list[float]:
    return [at - BEGIN for at, act in fleet.dated if act == f"{host} announce"]


def test_everybody_is_told_at_each_moment_once() -> None:
    plan = make_plan(
        2,
        opens=BEGIN + 1000,
        deadline=BEGIN + 9000,
        announce=(BEGIN + 300.0, BEGIN + 700.0, BEGIN + 1000.0),
    )
    fleet = SimulatedFleet(plan)
    assert _ends(fleet) is DONE
    assert [round(t, -1) for t in _times(fleet, "pc-1")] == [300, 700, 1000]
    assert len(_times(fleet, "pc-2")) == 3


def test_moments_that_passed_while_hosts_were_prepared_are_one() -> None:
    plan = make_plan(
        2, opens=BEGIN + 300, deadline=BEGIN + 9000, announce=(BEGIN + 10.0, BEGIN + 20.0)
    )
    fleet = SimulatedFleet(plan)
    assert _ends(fleet) is DONE
    assert len(_times(fleet, "pc-1")) == 1


@pytest.mark.parametrize("fate", list(Fate))
def test_whatever_comes_of_it_holds_nothing_up(fate: Fate) -> None:
    told = tuple(BEGIN + at for at in (300.0, 500.0, 700.0, 900.0))
    plan = make_plan(2, opens=BEGIN + 1000, deadline=BEGIN + 9000, announce=told)
    fleet = SimulatedFleet(plan)
    fleet.fail("pc-1", StepName.ANNOUNCE, fate)
    assert _ends(fleet) is DONE
    assert not fleet.details(RolloutState.NEEDS_OPERATOR)
    assert len(_times(fleet, "pc-1")) == len(_times(fleet, "pc-2")) == 4


def test_who_was_off_is_told_at_the_next_moment() -> None:
    plan = make_plan(
        2, opens=BEGIN + 1000, deadline=BEGIN + 9000, announce=(BEGIN + 300.0, BEGIN + 700.0)
    )

    def off(pcs: dict[str, Pc]) -> None:
        pcs["pc-2"].on = False

    fleet = SimulatedFleet(plan, at=[(200.0, off), (500.0, lambda pcs: pcs["pc-2"].switch_on())])
    assert _ends(fleet) is DONE
    assert "pc-2 announce do" in fleet.ran


def test_nobody_is_told_that_it_begins_while_it_does_not_fit() -> None:
    plan = make_plan(2, deadline=BEGIN + 100, announce=(BEGIN,))
    fleet = SimulatedFleet(plan, answers=[(Verb.ABORT_LEAVE_CLOSED, "")])
    assert _ends(fleet) is RolloutState.ABORTED
    assert not _times(fleet, "pc-1")
