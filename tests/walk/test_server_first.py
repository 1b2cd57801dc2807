"""The server first: the others work on with the old release, and are updated one by one."""

from dataclasses import replace

import pytest

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import AfterRollBack, FailurePolicy, SharedData
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import Deed, SimulatedFleet, Waits
from tests.walk.pc import Fate, Pc, Release
from tests.walk.plans import BEGIN, make_plan

DONE, PARTLY = RolloutState.DONE, RolloutState.PARTLY_DONE
ABORTED, LEFT = RolloutState.ABORTED, RolloutState.LEFT_CLOSED
OLD, NEW = Release.OLD, Release.NEW
SERVER_DONE = 168.0  # when, without faults, the server is updated and the others re-open


def _ends(fleet: SimulatedFleet) -> RolloutState:
    end = walk(fleet.plan, fleet)
    assert fleet.faults == []
    return end


def _releases(fleet: SimulatedFleet) -> list[Release]:
    return [pc.release for pc in fleet.pcs.values()]


def _off(host: str) -> Deed:
    def deed(pcs: dict[str, Pc]) -> None:
        pcs[host].on = False

    return deed


def _seen(fleet: SimulatedFleet, at: float) -> list[tuple[str, bool]]:
    """Return, once the walk has passed that moment, which PCs could be used then."""
    seen: list[tuple[str, bool]] = []
    fleet.at.append(
        (at, lambda pcs: seen.extend((h, pc.mode is CordonMode.NONE) for h, pc in pcs.items()))
    )
    fleet.at.sort(key=lambda due: due[0])
    return seen


def test_the_server_is_updated_then_everybody_works_on_but_who_has_his_turn() -> None:
    fleet = SimulatedFleet(make_plan(4, servers=[2]))
    at_server = _seen(fleet, 120.0)
    after = _seen(fleet, SERVER_DONE + 5)
    at_first_client = _seen(fleet, SERVER_DONE + 60)
    assert _ends(fleet) is DONE
    assert [u for _, u in at_server] == [False] * 4
    assert [h for h, u in after if u] == ["pc-2", "pc-3", "pc-4"]
    assert [h for h, u in at_first_client if u] == ["pc-2", "pc-3", "pc-4"]
    assert [a for a in fleet.acts if a.endswith("apply-release")] == [
        "pc-2 apply-release", "pc-1 apply-release", "pc-3 apply-release", "pc-4 apply-release",
    ]  # fmt: skip
    assert fleet.open_hosts() == list(fleet.pcs)


def test_each_of_the_others_is_drained_again_alone_with_its_notice() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1]))
    assert _ends(fleet) is DONE
    assert [fleet.acts.count(f"pc-{n} drain") for n in (1, 2, 3)] == [1, 2, 2]
    assert [pc.shut_on for pc in fleet.pcs.values()] == [0, 0, 0]


def test_one_that_fails_is_back_on_its_old_release_open_and_listed() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1]))
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, OLD, NEW]
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-3"]
    assert fleet.stands().detail == "on the old release, and may be used: PC-02"
    assert fleet.stands().mend == "roundsman plan office 1.1"
    assert not fleet.details(RolloutState.NEEDS_OPERATOR)


def test_a_server_that_fails_is_rolled_back_and_nobody_re_opens() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1]))
    fleet.fail("pc-1", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    with pytest.raises(Waits):
        walk(fleet.plan, fleet)
    assert fleet.faults == []
    assert fleet.open_hosts() == []
    assert "PC-01 could not be updated and is back on its old release" in fleet.stands().detail


def test_without_a_server_that_is_updated_nobody_else_is() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.SKIP)
    fleet = SimulatedFleet(make_plan(3, servers=[1], policy=policy))
    fleet.fail("pc-1", StepName.APPLY_RELEASE, Fate.FAIL)
    assert _ends(fleet) is ABORTED
    assert _releases(fleet) == [OLD] * 3
    assert fleet.open_hosts() == list(fleet.pcs)


def test_with_one_of_two_servers_left_out_the_group_stays_closed_until_its_end() -> None:
    policy = FailurePolicy(retries=0, then=AfterRollBack.SKIP)
    fleet = SimulatedFleet(make_plan(4, servers=[1, 3], policy=policy))
    fleet.fail("pc-3", StepName.APPLY_RELEASE, Fate.FAIL)
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, NEW, OLD, NEW]
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-4"]


def test_one_that_would_not_end_before_the_deadline_keeps_its_old_release() -> None:
    fleet = SimulatedFleet(make_plan(4, servers=[1], deadline=BEGIN + 520))
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, NEW, NEW, OLD]
    assert "PC-04" in fleet.stands().detail
    told = [n.detail for n in fleet.news if n.host == "pc-4"]
    assert told[-1] == "would not end before the deadline: it may be used on its old release"


@pytest.mark.parametrize("why", ["held", "late", "stuck"])
def test_one_that_was_closed_before_is_not_said_to_be_usable(why: str) -> None:
    deadline = BEGIN + (345 if why == "late" else 9000)
    plan = make_plan(3, servers=[1], held=[3] if why == "held" else [], deadline=deadline)
    hosts = tuple(replace(p, left_closed=p.id == "pc-3") for p in plan.hosts)
    stuck = [(SERVER_DONE + 2, _stuck("pc-3"))] if why == "stuck" else []
    fleet = SimulatedFleet(replace(plan, hosts=hosts), at=stuck)
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-2"]
    told = [n.detail for n in fleet.news if n.host == "pc-3"][-1]
    assert told.endswith("it stays closed, as it was before")


def test_one_that_cannot_be_closed_at_its_turn_is_left_alone() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1]), at=[(SERVER_DONE + 2, _stuck("pc-2"))])
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, OLD, NEW]
    assert fleet.open_hosts() == list(fleet.pcs)
    assert (
        "cannot be closed, drain: disk full"
        in [n.detail for n in fleet.news if n.host == "pc-2"][-1]
    )


def _stuck(host: str, times: int = 1) -> Deed:
    """Have somebody be asked about unsaved work there, and not answer."""

    def deed(pcs: dict[str, Pc]) -> None:
        pcs[host].fates[StepName.DRAIN, Direction.DO] = [Fate.REFUSE] * 2 * times

    return deed


def test_one_that_is_off_at_its_turn_holds_nobody_up() -> None:
    calm = SimulatedFleet(make_plan(3, servers=[1]))
    _ends(calm)
    turn = next(at for at, act in calm.dated if act == "pc-2 drain undo") - BEGIN
    for when, why in ((turn - 0.15, "cannot be seen"), (turn + 0.1, "drain: no answer")):
        fleet = SimulatedFleet(make_plan(3, servers=[1]), at=[(when, _off("pc-2"))])
        assert _ends(fleet) is PARTLY
        assert _releases(fleet) == [NEW, OLD, NEW]
        assert why in [n.detail for n in fleet.news if n.host == "pc-2"][-1]


def test_one_that_is_silent_in_its_visit_is_asked_about_and_no_other_is_touched() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1]))
    fleet.fail("pc-2", StepName.APPLY_RELEASE, Fate.SILENT)
    assert _ends(fleet) is DONE
    assert any("so no other host is touched" in d for d in fleet.details(_ASKS))


_ASKS = RolloutState.NEEDS_OPERATOR


def test_a_held_one_is_closed_for_the_server_only() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1], held=[3]))
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, NEW, OLD]
    assert fleet.open_hosts() == list(fleet.pcs)
    assert fleet.states()["pc-3"] is HostState.SKIPPED


def test_with_the_server_updated_another_day_nobody_is_closed_but_for_his_own_visit() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[1], ahead=[1]))
    assert _ends(fleet) is DONE
    assert [fleet.acts.count(f"pc-{n} drain") for n in (1, 2, 3)] == [0, 1, 1]


def test_aborted_while_others_wait_for_their_turn_everybody_may_work_on() -> None:
    fleet = SimulatedFleet(
        make_plan(3, servers=[1]), orders=[(SERVER_DONE + 30, Verb.ABORT_LEAVE_CLOSED, "")]
    )
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, NEW, OLD]
    assert fleet.open_hosts() == list(fleet.pcs)
    assert fleet.stands().detail.startswith("aborted; on the old release, and may be used: PC-03")


def test_aborted_to_go_back_everybody_is_closed_again_before_anything_is_taken_back() -> None:
    fleet = SimulatedFleet(
        make_plan(3, servers=[1]), orders=[(SERVER_DONE + 30, Verb.ABORT_ROLL_BACK, "")]
    )
    assert _ends(fleet) is ABORTED
    assert _releases(fleet) == [OLD] * 3
    assert [fleet.acts.count(f"pc-{n} drain") for n in (1, 2, 3)] == [2, 3, 2]
    assert [pc.shut_on for pc in fleet.pcs.values()] == [0, 0, 0]


def test_the_roll_back_of_a_group_at_work_waits_for_who_cannot_be_closed() -> None:
    fleet = SimulatedFleet(
        make_plan(3, servers=[1]),
        at=[(SERVER_DONE + 35, _stuck("pc-3"))],
        orders=[(SERVER_DONE + 30, Verb.ABORT_ROLL_BACK, "")],
        answers=[(Verb.RETRY, "pc-3")],
    )
    assert _ends(fleet) is ABORTED
    assert "the roll-back waits: PC-03 cannot close the app: disk full" in fleet.details(_ASKS)


def test_a_second_word_ends_the_closing_and_lets_people_in_where_they_are() -> None:
    fleet = SimulatedFleet(
        make_plan(3, servers=[1]),
        at=[(SERVER_DONE + 35, _stuck("pc-3"))],
        orders=[(SERVER_DONE + 30, Verb.ABORT_ROLL_BACK, "")],
        answers=[(Verb.ABORT_LEAVE_CLOSED, "")],
    )
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, NEW, OLD]
    assert fleet.open_hosts() == list(fleet.pcs)


@pytest.mark.parametrize("more", [1, 2])
def test_the_same_word_said_again_begins_the_closing_anew(more: int) -> None:
    back = Verb.ABORT_ROLL_BACK
    fleet = SimulatedFleet(
        make_plan(3, servers=[1]),
        at=[(SERVER_DONE + 35, _stuck("pc-3", more))],
        orders=[(SERVER_DONE + 30, back, "")],
        answers=[(back, "")] * more,
    )
    assert _ends(fleet) is ABORTED
    assert _releases(fleet) == [OLD] * 3
    assert fleet.open_hosts() == list(fleet.pcs)


def test_one_goes_back_alone_when_an_operator_wants_it() -> None:
    order = (SERVER_DONE + 120, Verb.ROLL_BACK, "pc-2")
    fleet = SimulatedFleet(make_plan(3, servers=[1]), orders=[order])
    assert _ends(fleet) is PARTLY
    assert _releases(fleet) == [NEW, OLD, NEW]
    assert fleet.open_hosts() == list(fleet.pcs)


def test_the_server_does_not_go_back_while_others_work_with_its_new_release() -> None:
    order = (SERVER_DONE + 120, Verb.ROLL_BACK, "pc-1")
    fleet = SimulatedFleet(make_plan(3, servers=[1]), orders=[order])
    assert _ends(fleet) is DONE
    assert any(
        d.startswith("PC-01 cannot go back alone: others work with its new release already")
        for d in fleet.details(RolloutState.WALKING)
    )


def test_data_the_old_release_cannot_read_keeps_the_group_closed() -> None:
    data = SharedData("pc-1", old_reads_new=False, seconds=50.0)
    fleet = SimulatedFleet(make_plan(3, servers=[1], data=data))
    middle = _seen(fleet, SERVER_DONE + 80)
    assert _ends(fleet) is DONE
    assert [u for _, u in middle] == [False] * 3


def test_the_work_of_those_who_worked_on_is_not_set_back_with_the_release() -> None:
    data = SharedData("pc-1", old_reads_new=True, seconds=50.0)
    fleet = SimulatedFleet(
        make_plan(3, servers=[1], data=data),
        orders=[(SERVER_DONE + 90, Verb.ABORT_ROLL_BACK, "")],
    )
    assert _ends(fleet) is ABORTED
    assert fleet.share is not None
    assert fleet.share.aside == []


def test_servers_re_open_before_the_others() -> None:
    fleet = SimulatedFleet(make_plan(3, servers=[3]))
    assert _ends(fleet) is DONE
    shown = [a for a in fleet.acts if a.endswith("reopen")]
    assert shown[:3] == ["pc-3 reopen", "pc-1 reopen", "pc-2 reopen"]
