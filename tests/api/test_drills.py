"""Drills over the API: planned afresh and started at once, on the version each host has."""

from pathlib import Path

import pytest

from agent.wire.contract import CordonMode, Finding, Severity
from coordinator.api.asks import DrillAsk, PlanAsk
from coordinator.api.schemas import RolloutView
from coordinator.complaint import Complaint
from coordinator.model import AfterRollBack, HostStanding, Plan, SurveyOf
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.api.real import APP, RealOffice, made_ready

ASK = PlanAsk(app=APP, version="1.1", within_seconds=7200, postpones=1)

ENDED = News(RolloutState.DONE)


@pytest.fixture
def ready(office: RealOffice, tmp_path: Path) -> RealOffice:
    """An office with three hosts, a signed profile and a signed package."""
    return made_ready(office, tmp_path)


def _drill(office: RealOffice, ask: DrillAsk) -> tuple[RolloutView, Plan]:
    with office.client() as client:
        started = client.drill(ask)
    row = office.rollouts.find(started.id)
    assert row is not None
    return started, row.plan


def test_a_drill_of_a_plan_is_a_rollout_of_its_own_that_applies_nothing(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.make_plan(ASK)
    started, plan = _drill(ready, DrillAsk(plan=made.label))
    assert started.drill
    assert plan.drill
    assert plan.opens - made.opens < 60
    assert plan.deadline == made.deadline
    assert plan.postpones == 1
    assert plan.policy.then is AfterRollBack.SKIP
    assert "nothing is changed" in plan.notice
    assert [p.from_version for p in plan.hosts] == ["1.0"] * 3
    kept = ready.rollouts.plan(made.label)
    assert kept is not None
    assert not kept.drill
    assert kept.id != plan.id


def test_a_plan_that_was_drilled_can_still_be_started(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.make_plan(ASK)
        drilled = client.drill(DrillAsk(plan=made.label))
        ready.tell(drilled.id, ENDED)
        assert client.start(made.label).drill is False


def test_one_host_is_drilled_as_it_is_without_a_backup(ready: RealOffice) -> None:
    ask = DrillAsk(app=APP, hosts=["PC-02"], back_up=False, grace_seconds=0, notice="Only a try")
    started, plan = _drill(ready, ask)
    assert [v.host for v in started.visits] == ["PC-02"]
    assert (plan.drill, plan.backs_up, plan.notice, plan.version) == (
        True, False, "Only a try", "1.0",
    )  # fmt: skip
    assert started.visits[0].steps_total == 5


def test_hosts_that_are_busy_blocked_or_gone_are_not_drilled(ready: RealOffice) -> None:
    full = Finding("disk-full", Severity.BLOCKS, "no room")
    ready.surveyor.said["pc-01-abcdef"] = SurveyOf({"app_version": "1.0"}, (full,))
    ready.surveyor.said["pc-02-abcdef"] = SurveyOf({}, (), "its agent is not linked")
    with ready.client() as client:
        with pytest.raises(Complaint, match="cannot start p1: PC-01: no room"):
            client.drill(DrillAsk(app=APP, hosts=["PC-01"]))
        with pytest.raises(Complaint, match="PC-02: its version of office-maker cannot be read"):
            client.drill(DrillAsk(app=APP, hosts=["PC-02"], back_up=False))
        client.drill(DrillAsk(app=APP, hosts=["PC-03"]))
        with pytest.raises(Complaint, match="already under way on PC-03"):
            client.drill(DrillAsk(app=APP, hosts=["PC-03"]))


def test_what_an_earlier_rollout_left_closed_is_not_drilled(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.make_plan(ASK)
        ready.keeper.confirm(["pc-02-abcdef"], made.id, CordonMode.SEALED)
        for ask in (DrillAsk(app=APP, hosts=["PC-02"]), DrillAsk(plan=made.label)):
            with pytest.raises(Complaint, match="earlier rollout left closed: PC-02") as no:
                client.drill(ask)
            assert no.value.mend.startswith(f"roundsman plan {APP} VERSION")
        assert client.drill(DrillAsk(app=APP, hosts=["PC-01"])).drill


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (DrillAsk(plan="p99"), "no plan 'p99'"),
        (DrillAsk(), "what is to be drilled"),
        (DrillAsk(app=APP), "what is to be drilled"),
        (DrillAsk(hosts=["PC-01"]), "what is to be drilled"),
        (DrillAsk(app=APP, hosts=["PC-99"]), "no host 'PC-99'"),
        (DrillAsk(app="nothing", hosts=["PC-01"]), "no profile for an app 'nothing'"),
    ],
)
def test_what_cannot_be_drilled_says_why(ready: RealOffice, ask: DrillAsk, said: str) -> None:
    with ready.client() as client, pytest.raises(Complaint, match=said):
        client.drill(ask)


def test_hosts_of_two_groups_are_not_drilled_at_once(ready: RealOffice) -> None:
    first = ready.fleet.hosts()[0]
    ready.add_hosts(1, group="attic")
    ready.fleet.set_standing(first.id, HostStanding.ENROLLED)
    with ready.client() as client, pytest.raises(Complaint, match="cannot drill two groups"):
        client.drill(DrillAsk(app=APP, hosts=["PC-01", "PC-02"]))


def test_a_plan_whose_window_is_over_is_not_drilled(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.make_plan(ASK)
        ready.clock.ahead = 7201
        with pytest.raises(Complaint, match="a missed window never starts late"):
            client.drill(DrillAsk(plan=made.label))
        with pytest.raises(Complaint, match="cannot use the window"):
            client.drill(DrillAsk(plan=made.label, window="25:00-26:00"))
        started = client.drill(DrillAsk(plan=made.label, within_seconds=3600))
        assert started.deadline > made.deadline


def test_a_drill_says_nothing_of_how_long_an_update_takes(ready: RealOffice) -> None:
    started, _ = _drill(ready, DrillAsk(app=APP, hosts=["PC-01"]))
    ready.visit(started.id, "pc-01-abcdef", 900.0)
    ready.tell(started.id, ENDED)
    with ready.client() as client:
        made = client.make_plan(ASK)
    turn = made.hosts[0]
    assert turn.begins is not None
    assert turn.ends is not None
    assert turn.ends - turn.begins < 900.0
