"""`roundsman plan` and `roundsman drill` at a terminal: what may be asked, and what may not."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.wire.contract import Finding, Severity
from coordinator.api.asks import PackageAsk, ProfileAsk
from coordinator.model import SurveyOf
from coordinator.walk.ports import News
from coordinator.walk.states import HostState, RolloutState
from tests.api.real import APP, PROFILE, RealOffice, make_zip
from tests.cli.terminal import Terminal
from tests.plans import make_plan

PLAN = f"plan {APP} 1.1 --within 7200"


@pytest.fixture
def ready(office: RealOffice, tmp_path: Path) -> RealOffice:
    """An office with two hosts, a signed profile and a signed package."""
    office.add_hosts(2)
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        client.add_package(PackageAsk(app=APP, version="1.1"), make_zip(tmp_path / "r.zip"))
    office.sign()
    return office


def test_a_plan_says_who_is_told_when_and_how_often_it_is_postponed(
    ready: RealOffice, terminal: Terminal
) -> None:
    said = terminal(f"{PLAN} --announce start --postpones 3")
    assert said.code == 0
    assert "told ahead" in said.out
    assert "5 more minutes, 3 times at most" in said.out
    kept = ready.rollouts.plan("p1")
    assert kept is not None
    assert kept.announce == (kept.opens,)
    assert kept.postpones == 3


@pytest.mark.parametrize(("times", "often"), [(1, "once at most"), (2, "twice at most")])
def test_how_often_it_is_postponed_is_said_in_words(
    ready: RealOffice, terminal: Terminal, times: int, often: str
) -> None:
    assert ready.rollouts.plan("p1") is None
    assert f"5 more minutes, {often}" in terminal(f"{PLAN} --postpones {times}").out


def test_nobody_is_told_ahead_or_written_to_unless_it_is_asked_for(
    ready: RealOffice, terminal: Terminal
) -> None:
    terminal(PLAN)
    kept = ready.rollouts.plan("p1")
    assert kept is not None
    assert (kept.announce, kept.mail, kept.postpones) == ((), (), 2)


@pytest.mark.parametrize(("severity", "waits"), [("warning", True), ("note", False)])
def test_a_plan_says_when_closing_would_wait_for_a_person(
    ready: RealOffice, terminal: Terminal, severity: str, waits: bool
) -> None:
    found = Finding("nobody-answers", Severity(severity), "nobody can answer in 1 of 3 sessions")
    facts = {"app_version": "1.0", "system": "linux"}
    ready.surveyor.said["pc-01-abcdef"] = SurveyOf(facts, (found,))

    said = terminal(PLAN).out

    assert ("min at most, then waits for you where nobody can answer" in said) is waits
    assert "nobody can answer in 1 of 3 sessions" in said


def test_sessions_are_counted_in_the_timetable_and_by_the_doctor(
    ready: RealOffice, terminal: Terminal
) -> None:
    facts = {"app_version": "1.0", "system": "linux", "open_users": "marie, paul"}
    facts |= {"sessions": "3", "sessions_away": "1", "open_sessions": "2"}
    ready.surveyor.said["pc-01-abcdef"] = SurveyOf(facts)

    planned, checked = terminal(f"{PLAN} --grace 90"), terminal("doctor PC-01")

    assert "3, 1 away, open in 2" in planned.out
    assert "takes 12 min at most" in planned.out  # 90 s, and twice 5 minutes more
    assert "marie" not in planned.out
    assert "3, 1 away, open in 2" in checked.out
    hosts = terminal("plan p1 --json").json["hosts"]
    asked = [(h["sessions"], h["sessions_away"], h["sessions_open"]) for h in hosts]
    assert asked == [(3, 1, 2), (0, 0, 0)]


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--announce", "tomorrow", "announce 'tomorrow': must be day-before 16:00, morning"),
        ("--announce", "morning 25:00", "must be day-before 16:00"),
        ("--announce", "", "must be day-before 16:00"),
        ("--postpones", "21", "less than or equal to 20"),
        ("--postpones", "-1", "greater than or equal to 0"),
        ("--postpones", "often", "valid integer"),
        ("--mail", "ann", "mail 'ann': must be an address"),
        ("--mail", "ann@example.org\nbcc: all", "must be an address"),
    ],
)
def test_what_cannot_be_asked_for_says_how_it_is_written(
    ready: RealOffice, terminal: Terminal, option: str, value: str, why: str
) -> None:
    said = terminal(PLAN, option, value)
    assert said.code == 2
    assert why in said.err
    assert ready.rollouts.plan("p1") is None


def test_eleven_announcements_are_too_many(ready: RealOffice, terminal: Terminal) -> None:
    said = terminal(PLAN, *["--announce", "start"] * 11)
    assert said.code == 2
    assert "announce" in said.err


def test_a_drill_is_confirmed_started_and_shown_as_one(
    ready: RealOffice, terminal: Terminal
) -> None:
    terminal(PLAN)
    said = terminal("drill p1 --yes")
    assert (said.code, said.out.strip()) == (
        0, "r1, a drill, is under way: roundsman rollout watch r1",
    )  # fmt: skip
    row = ready.rollouts.find("r1")
    assert row is not None
    for state in (HostState.UPDATING, HostState.CHECKING, HostState.UPDATED):
        ready.tell(row.id, News(RolloutState.WALKING, host="pc-01-abcdef", state=state))
    ready.tell(row.id, News(RolloutState.DONE, "drill: nothing was applied"))
    shown = terminal("rollout status r1").out
    assert "r1: drill of office-maker 1.1" in shown
    assert "drilled" in shown
    assert "updated" not in shown
    report = terminal("rollout report r1").out
    assert "r1: drill of office-maker 1.1" in report
    assert "drilled  1.0" in report
    assert "(drill)" in terminal("rollout list").out


def test_a_drill_of_what_is_no_plan_is_refused(ready: RealOffice, terminal: Terminal) -> None:
    said = terminal("drill p9 --yes")
    assert said.code == 2
    assert "no plan 'p9'" in said.err


def test_aborting_while_others_work_on_says_that_they_may_go_on(
    ready: RealOffice, terminal: Terminal
) -> None:
    plan = make_plan(2, server_first="server")
    plan = replace(plan, hosts=(replace(plan.hosts[0], role="server"), plan.hosts[1]))
    ready.rollouts.add_plan(plan)
    started = ready.start("p1")
    for state in (HostState.UPDATING, HostState.UPDATED):
        ready.tell(started, News(RolloutState.WALKING, host="pc-01-abcdef", state=state))
    assert "The others keep the old release, and may use it" in terminal("rollout abort --yes").err
    back = terminal("rollout abort --roll-back-all --yes").err
    assert "Before that the app is closed again on every host; data they share stays" in back
