"""What a host's fresh survey finds is judged by the plan's own gates before anybody is closed."""

from dataclasses import dataclass, field, replace

import pytest

from agent.wire.contract import Direction, Finding, Severity, StepName, Target
from agent.wire.profile import Data, DataScope
from agent.wire.terms import NO_TERMS, ModuleTerms, Terms
from coordinator.model import Plan, SharedData, SurveyOf
from coordinator.planning.judge_anew import blocks_now, why_not
from coordinator.planning.plan import PackageChoice
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.rollout import walk
from coordinator.walk.states import HostState, RolloutState
from tests.planning.office import make_basis, make_host, make_profile, said
from tests.walk.fleet import SimulatedFleet, Waits
from tests.walk.plans import make_plan

_FULL = Finding("no-room", Severity.BLOCKS, "the disk has 1 MB free", "make room there")
_PACKAGE = Target("package", "b" * 64)
_OWN = Data()
_SHARED = Data(DataScope.SHARED, ("/srv/office",), "client")


@dataclass(slots=True, repr=False)
class LookedAtOffice(SimulatedFleet):
    """An office in which each survey that is done is judged, as the coordinator does."""

    found: dict[str, SurveyOf] = field(default_factory=dict)  # by host; else all is well
    terms: Terms = NO_TERMS
    looks: list[str] = field(default_factory=list)

    def _take(self, host: str, step: StepName, way: Direction, attempt: int) -> Outcome:
        # by name: slots make another class, which `super()` without one does not find
        outcome = SimulatedFleet._take(self, host, step, way, attempt)
        looked = (step, way) == (StepName.SURVEY, Direction.DO)
        if not looked or outcome.verdict is not Verdict.DONE:
            return outcome
        self.looks.append(host)
        why = _judged(self.plan, host, self.found.get(host, said()), self.terms)
        return replace(outcome, verdict=Verdict.REFUSED, detail=why) if why else outcome


def _judged(
    plan: Plan, host_id: str, found: SurveyOf, terms: Terms = NO_TERMS, data: Data = _OWN
) -> str:
    planned = next(p for p in plan.hosts if p.id == host_id)
    host = replace(make_host(planned.name), id=host_id, role=planned.role)
    packages = [PackageChoice(_PACKAGE, planned.role, "", terms)]
    profile = make_profile(data=data)
    basis = make_basis([host], {host.name: found}, packages=packages, profile=profile)
    return why_not(host.name, blocks_now(plan, host, basis))


def _office(*blocked: str) -> LookedAtOffice:
    office = LookedAtOffice(make_plan(3))
    office.found = dict.fromkeys(blocked, said("1.0", _FULL))
    return office


def test_a_host_that_is_blocked_by_now_stops_the_rollout_with_everybody_open() -> None:
    office = _office("pc-2")
    with pytest.raises(Waits):
        walk(office.plan, office)
    stands = office.stands()
    assert stands.rollout is RolloutState.NEEDS_OPERATOR
    assert stands.detail == (
        "PC-02: cannot be visited now: the disk has 1 MB free (mend: make room there). "
        "Nothing was changed"
    )
    assert "roundsman rollout retry {rollout} --host PC-02" in stands.mend
    assert all(pc.app_open for pc in office.pcs.values())
    assert {act.split()[1] for act in office.acts} == {"survey"}
    assert office.faults == []


def test_once_it_is_mended_a_retry_looks_again_and_the_rollout_goes_on() -> None:
    office = _office("pc-2")
    office.at = [(300.0, lambda _pcs: office.found.clear())]
    office.orders = [(400.0, Verb.RETRY, "pc-2")]
    assert walk(office.plan, office) is RolloutState.DONE
    assert office.faults == []
    assert office.looks[:4] == ["pc-1", "pc-2", "pc-3", "pc-2"]  # by itself too, as any step
    assert office.looks.count("pc-2") == 3


def test_a_retry_that_mended_nothing_finds_it_again() -> None:
    office = _office("pc-2")
    office.orders = [(400.0, Verb.RETRY, "pc-2")]
    with pytest.raises(Waits):
        walk(office.plan, office)
    assert "the disk has 1 MB free" in office.stands().detail
    assert all(pc.app_open for pc in office.pcs.values())


def test_the_host_may_be_left_out_and_stays_closed_as_any_that_is() -> None:
    office = _office("pc-2")
    office.answers = [(Verb.SKIP, "pc-2")]
    assert walk(office.plan, office) is RolloutState.PARTLY_DONE
    assert office.faults == []
    assert office.states()["pc-2"] is HostState.SKIPPED
    assert "pc-2 apply-release" not in office.acts
    assert office.pcs["pc-2"].closed


def test_an_abort_leaves_everybody_open_on_the_release_they_had() -> None:
    office = _office("pc-1", "pc-3")
    office.answers = [(Verb.ABORT_LEAVE_CLOSED, "")]
    assert walk(office.plan, office) is RolloutState.ABORTED
    assert all(pc.app_open for pc in office.pcs.values())
    assert office.faults == []


# -- which gates ------------------------------------------------------------------------------

_NOTE = Finding("no-room", Severity.WARNING, "the disk is nearly full")
_NEEDED = Terms(modules=(ModuleTerms("scan", works=">=2", needed=True),))


@pytest.mark.parametrize(
    ("found", "terms", "told"),
    [
        (said(), Terms(), ""),
        (said("1.0", _NOTE), Terms(), ""),
        (said("0.9"), Terms(over=">=1"), "has 0.9, and 1.1 may be put over >=1 only"),
        (said("2.0"), Terms(), "has 2.0, which is newer than 1.1"),
        (said(**{"module.scan": "1.0"}), _NEEDED, "module scan 1.0 does not work with 1.1"),
        (said(**{"module.scan": "2.0"}), _NEEDED, ""),
        (SurveyOf({}, problem="its agent is old"), Terms(), "its agent is old"),
    ],
)
def test_each_gate_of_the_plan_judges_it(found: SurveyOf, terms: Terms, told: str) -> None:
    why = _judged(make_plan(1), "pc-1", found, terms)
    assert told in why
    assert bool(why) is bool(told)


def test_of_many_findings_three_are_told_and_the_sentence_stays_short() -> None:
    many = [Finding(f"f-{n}", Severity.BLOCKS, f"{n} " + "x" * 400, "y" * 400) for n in range(9)]
    why = _judged(make_plan(1), "pc-1", said("1.0", *many))
    assert why.startswith("cannot be visited now: 0 xxx")
    assert len(why) <= 440


def test_a_drill_is_judged_as_drills_are() -> None:
    drill = make_plan(1, drill=True)
    assert _judged(drill, "pc-1", said("2.0")) == ""
    assert "version of office cannot be read" in _judged(drill, "pc-1", said(""))


def test_what_a_drill_that_backs_nothing_up_finds_there_is_no_matter() -> None:
    drill = make_plan(1, drill=True, backs_up=False)
    assert _judged(drill, "pc-1", said("1.0", _FULL)) == ""


def test_data_that_can_be_kept_no_more_blocks_the_host_that_holds_it() -> None:
    plan = make_plan(2, data=SharedData("pc-1", old_reads_new=False))
    found = said(data_bytes="1000", data_problem="its disk is full")
    assert "its disk is full" in _judged(plan, "pc-1", found, data=_SHARED)
    assert _judged(plan, "pc-1", said(data_bytes="1000"), data=_SHARED) == ""
    assert _judged(plan, "pc-2", found, data=_SHARED) == ""
