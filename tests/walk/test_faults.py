"""What the walk does when hosts, links and people do what they do."""

from dataclasses import replace

import pytest

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import Plan
from coordinator.walk.ports import Verb
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.walk.fleet import Deed, SimulatedFleet, Waits
from tests.walk.pc import Fate, Pc, Release
from tests.walk.plans import BEGIN, make_plan

DONE, ABORTED = RolloutState.DONE, RolloutState.ABORTED
PARTLY, LEFT = RolloutState.PARTLY_DONE, RolloutState.LEFT_CLOSED
FIRST_VISIT = 94.0  # when, in a rollout without faults, the first visit begins
SECOND_VISIT = 164.0
_DRAIN = (StepName.DRAIN, Direction.DO)


def _off(host: str) -> Deed:
    def deed(pcs: dict[str, Pc]) -> None:
        pcs[host].on = False

    return deed


def _on(host: str) -> Deed:
    return lambda pcs: pcs[host].switch_on()


def _cut(host: str) -> Deed:
    def deed(pcs: dict[str, Pc]) -> None:
        pcs[host].cable = False

    return deed


def _mended(host: str) -> Deed:
    def deed(pcs: dict[str, Pc]) -> None:
        pcs[host].cable = True

    return deed


def _open_by_code(host: str) -> Deed:
    return lambda pcs: pcs[host].open_by_code()


def _ends(fleet: SimulatedFleet) -> RolloutState:
    end = walk(fleet.plan, fleet)
    assert fleet.faults == []
    return end


def _waits(fleet: SimulatedFleet) -> str:
    with pytest.raises(Waits):
        walk(fleet.plan, fleet)
    assert fleet.faults == []
    stands = fleet.stands()
    assert stands.rollout in {RolloutState.NEEDS_OPERATOR, RolloutState.PAUSED}
    assert stands.mend
    return stands.detail


# -- before anything is closed ---------------------------------------------------------------


def test_a_host_that_cannot_be_prepared_waits_for_an_operator_with_all_still_open() -> None:
    fleet = SimulatedFleet(make_plan(3))
    fleet.fail("pc-2", StepName.STAGE, Fate.REFUSE, Fate.REFUSE)
    assert _waits(fleet) == "PC-02 cannot be given the release: disk full. Nothing was changed"
    assert all(pc.app_open for pc in fleet.pcs.values())


def test_it_is_tried_again_when_an_operator_says_so() -> None:
    fleet = SimulatedFleet(make_plan(3), answers=[(Verb.RETRY, "")])
    fleet.fail("pc-2", StepName.STAGE, Fate.REFUSE, Fate.REFUSE)
    assert _ends(fleet) is DONE


def test_several_that_cannot_be_prepared_may_be_answered_for_in_any_order() -> None:
    answers = [(Verb.SKIP, "pc-3"), (Verb.RETRY, "pc-1")]
    fleet = SimulatedFleet(make_plan(3), answers=answers)
    for host in ("pc-1", "pc-3"):
        fleet.fail(host, StepName.SURVEY, Fate.REFUSE, Fate.REFUSE)
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-2"]
    assert any("(1 more waits)" in d for d in fleet.details(RolloutState.NEEDS_OPERATOR))


def test_a_host_left_out_early_is_closed_and_sealed_all_the_same() -> None:
    fleet = SimulatedFleet(make_plan(3), answers=[(Verb.SKIP, "pc-2")])
    fleet.fail("pc-2", StepName.STAGE, Fate.REFUSE, Fate.REFUSE)
    assert _ends(fleet) is PARTLY
    assert "pc-2 drain" in fleet.acts
    assert fleet.pcs["pc-2"].shut_on == 0
    assert fleet.pcs["pc-2"].closed


def test_a_host_that_is_off_is_waited_for_and_joins_when_it_is_switched_on() -> None:
    fleet = SimulatedFleet(make_plan(2), at=[(0.5, _off("pc-2")), (300.0, _on("pc-2"))])
    assert _ends(fleet) is DONE


def test_a_host_said_to_be_off_is_sealed_the_moment_it_returns() -> None:
    plan = make_plan(3)
    fleet = SimulatedFleet(
        plan, at=[(0.5, _off("pc-3")), (130.0, _on("pc-3"))], answers=[(Verb.SWITCHED_OFF, "")]
    )
    assert _ends(fleet) is PARTLY
    assert fleet.pcs["pc-3"].closed
    assert fleet.pcs["pc-3"].on


def test_all_re_open_when_aborted_before_any_change_even_those_that_were_off() -> None:
    fleet = SimulatedFleet(
        make_plan(3),
        at=[(62.0, _off("pc-3"))],
        answers=[(Verb.SWITCHED_OFF, "pc-3"), (Verb.ABORT_LEAVE_CLOSED, "")],
    )
    fleet.fail("pc-2", StepName.STOP_SERVICE_MANAGER, Fate.REFUSE, Fate.REFUSE)
    fleet.fail("pc-3", StepName.STOP_SERVICE_MANAGER, Fate.LOST)
    assert _ends(fleet) is ABORTED
    assert fleet.open_hosts() == ["pc-1", "pc-2", "pc-3"]
    assert fleet.pcs["pc-1"].manager


def _left_closed(plan: Plan, *hosts: str) -> Plan:
    return replace(plan, hosts=tuple(replace(p, left_closed=p.id in hosts) for p in plan.hosts))


def test_aborting_does_not_re_open_a_mixed_group_that_an_earlier_rollout_left_closed() -> None:
    plan = _left_closed(make_plan(3, ahead=[1]), "pc-2", "pc-3")
    fleet = SimulatedFleet(plan, answers=[(Verb.ABORT_LEAVE_CLOSED, "")])
    fleet.fail("pc-2", StepName.STOP_SERVICE_MANAGER, Fate.REFUSE, Fate.REFUSE)
    assert _ends(fleet) is LEFT
    assert fleet.open_hosts() == ["pc-1"]  # it was let in by the earlier one
    assert "stays closed as it was before: PC-02, PC-03" in fleet.stands().detail
    assert fleet.stands().mend == "roundsman plan office 1.1"


def test_on_one_version_too_what_an_earlier_rollout_left_closed_stays_so() -> None:
    plan = _left_closed(make_plan(3), "pc-1", "pc-2")
    fleet = SimulatedFleet(plan, answers=[(Verb.ABORT_LEAVE_CLOSED, "")])
    fleet.fail("pc-2", StepName.STOP_SERVICE_MANAGER, Fate.REFUSE, Fate.REFUSE)
    assert _ends(fleet) is LEFT
    assert fleet.open_hosts() == ["pc-3"]
    assert "stays closed as it was before: PC-01, PC-02" in fleet.stands().detail


def test_an_update_to_its_end_re_opens_what_an_earlier_rollout_left_closed() -> None:
    plan = _left_closed(make_plan(3), "pc-1", "pc-2")
    fleet = SimulatedFleet(plan)
    for pc in (fleet.pcs["pc-1"], fleet.pcs["pc-2"]):
        pc.order(CordonMode.SEALED)
        pc.shut_on = 0
    assert _ends(fleet) is DONE
    assert fleet.open_hosts() == list(fleet.pcs)
    assert [pc.shut_on for pc in fleet.pcs.values()] == [0, 0, 0]


def test_what_is_closed_stays_closed_while_another_host_is_asked_about() -> None:
    seen: list[bool] = []
    fleet = SimulatedFleet(
        make_plan(2),
        at=[(500.0, lambda pcs: seen.append(pcs["pc-1"].closed))],
        orders=[(1000.0, Verb.RETRY, "pc-2")],
    )
    fleet.fail("pc-2", StepName.DRAIN, Fate.REFUSE, Fate.REFUSE)
    assert _ends(fleet) is DONE
    assert seen == [True]


@pytest.mark.parametrize(
    ("step", "is_said"),
    [(StepName.SURVEY, False), (StepName.DRAIN, True), (StepName.STOP_SERVICE_MANAGER, False)],
)
def test_who_may_leave_out_a_host_that_is_in_use_is_told_that_its_work_is_lost(
    step: StepName, is_said: bool
) -> None:
    fleet = SimulatedFleet(make_plan(2))
    fleet.fail("pc-2", step, Fate.REFUSE, Fate.REFUSE)
    _waits(fleet)
    mend = fleet.stands().mend
    assert "roundsman rollout skip {rollout} PC-02" in mend
    assert ("unsaved work is lost" in mend) is is_said


def _let_in(host: str) -> Deed:
    return lambda pcs: pcs[host].let_in()


def test_people_who_came_in_when_a_lease_had_ended_are_drained_anew_and_not_sealed_out() -> None:
    fleet = SimulatedFleet(make_plan(3), at=[(91.8, _let_in(h)) for h in ("pc-1", "pc-2")])
    assert _ends(fleet) is DONE
    assert [pc.shut_on for pc in fleet.pcs.values()] == [0, 0, 0]
    assert [a for a in fleet.acts if "drain" in a and "tidy" not in a] == [
        "pc-1 drain", "pc-2 drain", "pc-3 drain",
        "pc-1 drain undo", "pc-2 drain undo", "pc-1 drain", "pc-2 drain",
    ]  # fmt: skip
    assert fleet.acts.index("pc-1 drain undo") < fleet.acts.index("pc-1 back-up")


def test_a_host_that_cannot_be_drained_anew_waits_for_an_operator() -> None:
    fleet = SimulatedFleet(make_plan(2), at=[(91.8, _let_in("pc-1"))])
    fates = fleet.pcs["pc-1"].fates
    fleet.at.insert(0, (80.0, lambda _: fates.update({_DRAIN: [Fate.FAIL] * 9})))
    assert _waits(fleet) == "the first visit waits: PC-01 is not sealed"
    assert fleet.pcs["pc-1"].shut_on == 0


def test_a_service_manager_that_cannot_be_given_back_is_named() -> None:
    fleet = SimulatedFleet(make_plan(2), orders=[(70.0, Verb.ABORT_LEAVE_CLOSED, "")])
    tidy = Direction.TIDY
    fleet.fail("pc-2", StepName.STOP_SERVICE_MANAGER, Fate.FAIL, Fate.FAIL, way=tidy)
    assert _ends(fleet) is ABORTED
    assert "by hand on: PC-02" in fleet.stands().detail


# -- the window ------------------------------------------------------------------------------


def test_nothing_is_closed_before_the_window_opens() -> None:
    seen: list[bool] = []
    fleet = SimulatedFleet(
        make_plan(2, opens=BEGIN + 1800, deadline=BEGIN + 7200),
        at=[(1799.0, lambda pcs: seen.append(pcs["pc-1"].app_open))],
        orders=[(1000.0, Verb.RETRY, "pc-1")],
    )
    assert _ends(fleet) is DONE
    assert seen == [True]
    closing = next(n for n, a in enumerate(fleet.acts) if a == "pc-1 drain")
    assert fleet.acts[closing - 1] == "pc-2 stage"


def test_a_word_while_it_waits_does_not_make_it_late() -> None:
    fleet = SimulatedFleet(
        make_plan(2, opens=BEGIN + 1800, deadline=BEGIN + 1800 + 250),
        orders=[(1790.0, Verb.RETRY, "pc-1")],
    )
    assert _ends(fleet) is DONE


def test_a_group_that_would_not_end_in_time_is_not_begun() -> None:
    fleet = SimulatedFleet(make_plan(3, deadline=BEGIN + 300))
    assert "would not end before the deadline. Nothing was changed" in _waits(fleet)
    assert all(pc.app_open for pc in fleet.pcs.values())


def test_a_window_that_was_missed_never_starts_late_by_itself() -> None:
    fleet = SimulatedFleet(
        make_plan(2), orders=[(10.0, Verb.PAUSE, ""), (20_000.0, Verb.RESUME, "")]
    )
    assert "not begun" in _waits(fleet)


def test_an_operator_may_take_a_later_deadline_upon_himself() -> None:
    fleet = SimulatedFleet(
        make_plan(2, deadline=BEGIN + 150),
        answers=[(Verb.RESUME, "")],
        order_until=BEGIN + 5000,
    )
    assert _ends(fleet) is DONE


def test_a_visit_that_would_not_end_in_time_is_not_begun() -> None:
    fleet = SimulatedFleet(
        make_plan(3, deadline=BEGIN + 345),
        orders=[(200.0, Verb.PAUSE, ""), (260.0, Verb.RESUME, "")],
    )
    assert "would not end before the deadline" in _waits(fleet)
    assert fleet.states()["pc-3"] is HostState.PENDING


def test_a_visit_that_waited_too_long_for_the_others_changes_nothing_any_more() -> None:
    fleet = SimulatedFleet(make_plan(2, deadline=BEGIN + 700))
    fleet.at.append((FIRST_VISIT + 5, _open_by_code("pc-2")))
    fleet.orders.append((800.0, Verb.RETRY, "pc-2"))
    assert "PC-01 waits: what is left of its visit" in _waits(fleet)
    assert fleet.pcs["pc-1"].release is Release.OLD


def test_the_time_an_operator_takes_does_not_count_as_a_slow_visit() -> None:
    fleet = SimulatedFleet(
        make_plan(2, deadline=BEGIN + 3600), orders=[(2000.0, Verb.RETRY, "pc-1")]
    )
    fleet.fail("pc-1", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    assert _ends(fleet) is DONE


def test_a_slow_visit_makes_the_walk_allow_more_for_the_next() -> None:
    fleet = SimulatedFleet(make_plan(2, deadline=BEGIN + 1200))
    fleet.pcs["pc-1"].pace = 7.0
    assert "PC-02 waits: what is left of its visit takes up to 735 s" in _waits(fleet)


# -- others must be closed -------------------------------------------------------------------


def test_a_host_opened_by_its_code_holds_the_walk_until_it_is_closed_again() -> None:
    fleet = SimulatedFleet(make_plan(3), at=[(FIRST_VISIT + 60, _open_by_code("pc-3"))])
    assert "PC-02 waits: PC-03 was opened on the spot" in _waits(fleet)


def test_it_is_told_what_closes_a_host_that_was_opened_and_nothing_new_has_begun() -> None:
    fleet = SimulatedFleet(make_plan(3), at=[(FIRST_VISIT + 45, _open_by_code("pc-3"))])
    assert "with its one-time code; in use by marie" in _waits(fleet)
    assert fleet.stands().mend == (
        "roundsman rollout retry {rollout} --host PC-03, which closes it again, with its notice "
        "and under a new code; or roundsman rollout abort {rollout}"
    )
    assert fleet.states() == {
        "pc-1": HostState.UPDATED,  # the visit that was under way has ended
        "pc-2": HostState.PENDING,  # and this one is not begun
        "pc-3": HostState.PENDING,
    }


def test_between_backup_and_swap_a_host_that_was_opened_stops_the_visit() -> None:
    fleet = SimulatedFleet(make_plan(2), at=[(FIRST_VISIT + 20, _open_by_code("pc-2"))])
    assert "PC-01 waits: PC-02 was opened on the spot" in _waits(fleet)
    assert "pc-1 apply-release" not in fleet.acts
    assert fleet.pcs["pc-1"].release is Release.OLD


def test_it_is_drained_again_and_the_walk_goes_on_when_an_operator_says_so() -> None:
    fleet = SimulatedFleet(
        make_plan(3),
        at=[(FIRST_VISIT + 60, _open_by_code("pc-3"))],
        answers=[(Verb.RETRY, "pc-3")],
    )
    assert _ends(fleet) is DONE
    assert fleet.acts.count("pc-3 drain") == 2
    assert fleet.pcs["pc-3"].shut_on == 0


@pytest.mark.parametrize("fate", [Fate.FAIL, Fate.LOST])
@pytest.mark.parametrize("step", [StepName.BACK_UP, StepName.APPLY_RELEASE])
def test_a_change_tried_again_looks_at_the_others_again(fate: Fate, step: StepName) -> None:
    fleet = SimulatedFleet(make_plan(2), orders=[(900.0, Verb.RETRY, "pc-2")])
    when = FIRST_VISIT + (0.25 if step is StepName.BACK_UP else 40.4)
    fleet.at.append((when, _open_by_code("pc-2")))
    fleet.fail("pc-1", step, fate)
    assert _ends(fleet) is DONE


def test_a_cut_cable_is_borne_while_the_lease_lives() -> None:
    fleet = SimulatedFleet(
        make_plan(2), at=[(FIRST_VISIT - 0.5, _cut("pc-2")), (FIRST_VISIT + 65, _mended("pc-2"))]
    )
    assert _ends(fleet) is DONE
    assert not fleet.details(RolloutState.NEEDS_OPERATOR)


def test_a_cut_cable_stops_the_walk_when_the_lease_is_over() -> None:
    fleet = SimulatedFleet(make_plan(4), at=[(FIRST_VISIT + 5, _cut("pc-4"))])
    assert _waits(fleet).startswith("PC-03 waits: PC-04 cannot be seen")
    assert fleet.states()["pc-2"] is HostState.UPDATED
    assert fleet.pcs["pc-3"].release is Release.OLD


def test_a_host_lost_and_said_to_be_off_is_left_behind_sealed() -> None:
    fleet = SimulatedFleet(
        make_plan(3), at=[(FIRST_VISIT + 5, _off("pc-3"))], answers=[(Verb.SWITCHED_OFF, "pc-3")]
    )
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-1", "pc-2"]


def test_a_host_said_to_be_off_that_answers_counts_again() -> None:
    fleet = SimulatedFleet(
        make_plan(6),
        at=[
            (FIRST_VISIT + 5, _off("pc-6")),
            (FIRST_VISIT + 106, _on("pc-6")),
            (FIRST_VISIT + 156, _cut("pc-6")),
        ],
        orders=[(FIRST_VISIT + 10, Verb.SWITCHED_OFF, "pc-6")],
    )
    assert "PC-05 waits: PC-06 cannot be seen" in _waits(fleet)


def test_an_updated_host_that_is_off_at_the_end_stays_sealed_and_is_named() -> None:
    fleet = SimulatedFleet(
        make_plan(2),
        at=[(SECOND_VISIT + 5, _off("pc-1"))],
        orders=[(SECOND_VISIT + 50, Verb.SWITCHED_OFF, "pc-1")],
    )
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-2"]
    assert "PC-01" in fleet.stands().detail


def test_a_service_manager_left_up_by_a_visit_is_stopped_on_retry() -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(Verb.RETRY, "pc-1")])
    undo = Direction.UNDO
    fleet.fail("pc-1", StepName.START_SERVICE_MANAGER, Fate.FAIL, Fate.FAIL, way=undo)
    assert _ends(fleet) is DONE
    assert "PC-02 waits: PC-01 has its service manager running" in fleet.details(
        RolloutState.NEEDS_OPERATOR
    )


# -- silence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [StepName.BACK_UP, StepName.APPLY_RELEASE, StepName.CHECK_HEALTH])
@pytest.mark.parametrize("fate", [Fate.SILENT, Fate.SILENT_FAIL, Fate.LOST])
def test_silence_is_asked_about_until_it_is_known(step: StepName, fate: Fate) -> None:
    fleet = SimulatedFleet(make_plan(2))
    fleet.fail("pc-1", step, fate)
    assert _ends(fleet) is DONE
    assert any(
        d.startswith(f"PC-01: what {step} did is not known")
        for d in fleet.details(RolloutState.NEEDS_OPERATOR)
    )


@pytest.mark.parametrize("verb", [Verb.SKIP, Verb.RETRY, Verb.ROLL_BACK])
def test_no_word_but_switched_off_leaves_an_unknown_host_behind(verb: Verb) -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(verb, "pc-1")])
    fleet.at.append((FIRST_VISIT + 45, _off("pc-1")))
    assert "so no other host is touched" in _waits(fleet)
    assert fleet.states()["pc-1"] is HostState.UNKNOWN


def test_a_host_said_to_be_off_in_its_visit_is_not_believed_off_while_it_answers() -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(Verb.SWITCHED_OFF, "pc-1")])
    fleet.fail("pc-1", StepName.APPLY_RELEASE, Fate.SILENT)
    assert _ends(fleet) is DONE
    told = fleet.details(RolloutState.NEEDS_OPERATOR)
    assert "PC-01 answers, so it is not switched off: it is asked again" in told


def test_a_host_switched_off_in_its_visit_is_left_behind_when_an_operator_says_so() -> None:
    fleet = SimulatedFleet(make_plan(3), answers=[(Verb.SWITCHED_OFF, "")])
    fleet.at.append((FIRST_VISIT + 45, _off("pc-1")))
    assert _ends(fleet) is PARTLY
    assert fleet.states()["pc-1"] is HostState.SKIPPED
    assert fleet.open_hosts() == ["pc-2", "pc-3"]


def test_the_unknown_host_is_settled_before_the_others_go_back() -> None:
    fleet = SimulatedFleet(
        make_plan(2),
        at=[(SECOND_VISIT + 45, _cut("pc-2")), (SECOND_VISIT + 900, _mended("pc-2"))],
        orders=[(SECOND_VISIT + 300, Verb.ABORT_ROLL_BACK, "")],
    )
    assert _ends(fleet) is ABORTED
    assert {pc.release for pc in fleet.pcs.values()} == {Release.OLD}


def test_a_host_unknown_in_its_backup_is_settled_before_the_others_go_back() -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(Verb.ABORT_ROLL_BACK, "")])
    fleet.fail("pc-2", StepName.BACK_UP, Fate.SILENT)
    assert _ends(fleet) is ABORTED
    assert list(fleet.visits())[7:9] == ["pc-2 check-health undo", "pc-2 check-health undo"]


# -- roll back -------------------------------------------------------------------------------


def test_a_host_opened_by_its_code_at_its_own_turn_is_closed_again_before_the_next_try() -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(Verb.RETRY, "pc-1")])
    fleet.at.append((FIRST_VISIT - 0.75, _open_by_code("pc-1")))
    assert _ends(fleet) is DONE


def test_a_host_that_cannot_be_rolled_back_asks_and_goes_on_asking() -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(Verb.RETRY, "pc-1"), (Verb.SKIP, "pc-1")])
    undo = Direction.UNDO
    fleet.fail("pc-1", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    fleet.fail("pc-1", StepName.APPLY_RELEASE, *[Fate.FAIL] * 9, way=undo)
    assert _ends(fleet) is PARTLY
    assert fleet.open_hosts() == ["pc-2"]


def test_a_host_left_half_way_never_re_opens_with_the_rest() -> None:
    fleet = SimulatedFleet(make_plan(3), answers=[(Verb.SKIP, "pc-2"), (Verb.ABORT_ROLL_BACK, "")])
    undo = Direction.UNDO
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    fleet.fail("pc-2", StepName.APPLY_RELEASE, *[Fate.FAIL] * 2, way=undo)
    fleet.fail("pc-3", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    assert _ends(fleet) is ABORTED
    assert {pc.release for pc in fleet.pcs.values()} == {Release.OLD}  # tried again, and back


def test_a_second_abort_ends_a_roll_back_and_leaves_all_closed() -> None:
    fleet = SimulatedFleet(
        make_plan(2), answers=[(Verb.ABORT_ROLL_BACK, ""), (Verb.ABORT_LEAVE_CLOSED, "")]
    )
    undo = Direction.UNDO
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    fleet.fail("pc-1", StepName.APPLY_RELEASE, *[Fate.FAIL] * 2, way=undo)
    assert _ends(fleet) is LEFT
    assert fleet.open_hosts() == []


def test_the_group_goes_back_only_while_it_is_closed() -> None:
    fleet = SimulatedFleet(
        make_plan(2),
        at=[(SECOND_VISIT + 500, _open_by_code("pc-2"))],
        orders=[(SECOND_VISIT + 600, Verb.ABORT_ROLL_BACK, "")],
    )
    fleet.fail("pc-2", StepName.CHECK_HEALTH, Fate.FAIL, Fate.FAIL)
    assert "PC-01 waits: PC-02 was opened on the spot" in _waits(fleet)
    assert fleet.pcs["pc-1"].release is Release.NEW


# -- re-opening ------------------------------------------------------------------------------


def test_a_host_whose_service_manager_is_not_back_stays_closed_and_is_asked_about() -> None:
    fleet = SimulatedFleet(make_plan(2))
    tidy = Direction.TIDY
    fleet.fail("pc-1", StepName.STOP_SERVICE_MANAGER, *[Fate.FAIL] * 2, way=tidy)
    assert "PC-01 is updated and stays closed: its service manager is not back" in _waits(fleet)
    assert fleet.open_hosts() == ["pc-2"]


@pytest.mark.parametrize(
    ("verb", "end", "opened"),
    [
        (Verb.RETRY, DONE, ["pc-1", "pc-2"]),
        (Verb.SKIP, PARTLY, ["pc-2"]),
        (Verb.ABORT_ROLL_BACK, PARTLY, ["pc-2"]),
    ],
)
def test_an_operator_decides_what_becomes_of_it(
    verb: Verb, end: RolloutState, opened: list[str]
) -> None:
    fleet = SimulatedFleet(make_plan(2), answers=[(verb, "")])
    tidy = Direction.TIDY
    fleet.fail("pc-1", StepName.STOP_SERVICE_MANAGER, *[Fate.FAIL] * 2, way=tidy)
    assert _ends(fleet) is end
    assert fleet.open_hosts() == opened


def test_silence_at_re_opening_ends_when_the_host_is_back() -> None:
    fleet = SimulatedFleet(make_plan(2))
    fleet.fail("pc-1", StepName.STOP_SERVICE_MANAGER, Fate.SILENT, way=Direction.TIDY)
    assert _ends(fleet) is DONE


def test_what_could_not_be_deleted_at_the_end_is_told() -> None:
    fleet = SimulatedFleet(make_plan(2))
    fleet.fail("pc-2", StepName.BACK_UP, Fate.FAIL, Fate.FAIL, way=Direction.TIDY)
    assert _ends(fleet) is DONE
    assert fleet.stands().detail == "could not delete all it no longer needs: PC-02"


# -- the operator ----------------------------------------------------------------------------


def test_a_pause_holds_and_a_resume_goes_on_where_it_was() -> None:
    fleet = SimulatedFleet(
        make_plan(2), orders=[(100.0, Verb.PAUSE, ""), (1000.0, Verb.RESUME, "")]
    )
    assert _ends(fleet) is DONE
    assert fleet.details(RolloutState.PAUSED) == [
        "paused by ann; the app stays closed where it is"
    ]
    assert fleet.clock > BEGIN + 1000


def test_a_pause_without_a_resume_waits_and_says_how_to_go_on() -> None:
    fleet = SimulatedFleet(make_plan(2), orders=[(100.0, Verb.PAUSE, "")])
    assert "paused by ann" in _waits(fleet)


def test_two_pauses_need_one_resume() -> None:
    orders = [(100.0, Verb.PAUSE, ""), (200.0, Verb.PAUSE, ""), (300.0, Verb.RESUME, "")]
    assert _ends(SimulatedFleet(make_plan(2), orders=orders)) is DONE


def test_a_host_may_be_left_out_before_its_turn() -> None:
    fleet = SimulatedFleet(make_plan(3), orders=[(100.0, Verb.SKIP, "pc-2")])
    assert _ends(fleet) is PARTLY
    assert "pc-2 back-up" not in fleet.acts
    assert fleet.open_hosts() == ["pc-1", "pc-3"]


def test_a_word_about_a_host_that_does_not_exist_changes_nothing() -> None:
    orders = [(100.0, Verb.SKIP, "pc-9"), (101.0, Verb.SWITCHED_OFF, "pc-8")]
    assert _ends(SimulatedFleet(make_plan(2), orders=orders)) is DONE
