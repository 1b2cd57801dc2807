from dataclasses import replace
from typing import Any

import pytest

from agent.wire.contract import Refusal, Severity
from coordinator.model import Host, HostStanding, Plan, SurveyOf
from coordinator.planning.plan import make_plan
from coordinator.planning.preflight import Turn, changes_since, timetable, verdict
from tests.planning.office import NOW, make_basis, make_host, make_request, said

PC_1 = "pc-1-1a2b3c"


def _plan(hosts: list[Host], surveys: dict[str, SurveyOf] | None = None, **basis: Any) -> Plan:
    return make_plan(make_request(), make_basis(hosts, surveys, **basis))


def test_a_plan_with_nothing_against_it_is_go() -> None:
    judged = verdict(_plan([make_host("PC-1")]))
    assert judged.go
    assert judged.reasons == ()


def test_a_plan_with_something_against_it_is_no_go_and_says_all_of_it() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2", role="server")]
    judged = verdict(_plan(hosts, {"PC-1": said("2.0")}))
    assert not judged.go
    assert judged.reasons == (
        "PC-1: has 2.0, which is newer than 1.1",
        "PC-2: no signed package of 1.1 for role server there",
    )


@pytest.mark.parametrize(
    ("surveys", "why"),
    [({}, "its agent is not linked"), ({PC_1: SurveyOf({}, problem="no answer")}, "no answer")],
)
def test_a_host_that_cannot_be_asked_blocks_and_may_be_held_instead(
    surveys: dict[str, SurveyOf], why: str
) -> None:
    plan = make_plan(make_request(), replace(make_basis([make_host("PC-1")]), surveys=surveys))
    found = plan.findings[0]
    assert (found.code, found.severity) == ("not-surveyed", Severity.BLOCKS)
    assert why in found.message
    assert "roundsman fleet hold PC-1" in found.fix


@pytest.mark.parametrize("standing", [HostStanding.ENROLLED, HostStanding.HELD])
@pytest.mark.parametrize(
    ("refusal", "fix"),
    [
        (Refusal.STALE_EPOCH, "roundsman serve --take-over"),
        (Refusal.NOT_SIGNED, "PC-1 is on and answers"),
        (None, "PC-1 is on and answers"),
    ],
)
def test_a_host_that_answers_with_a_refusal_is_not_to_be_switched_on(
    standing: HostStanding, refusal: Refusal | None, fix: str
) -> None:
    said = SurveyOf({}, problem="no", refusal=refusal, is_silent=False)
    found = _plan([make_host("PC-1", standing=standing)], {"PC-1": said}).findings
    (told,) = [f for f in found if f.code == "not-surveyed"]
    assert not [f for f in found if f.code == "no-package"]  # which it needs is not known
    assert fix in told.fix
    assert "switch" not in told.fix


def test_a_host_closed_for_a_rollout_not_known_here_is_told_of_and_blocks_nothing() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2")]
    known = replace(make_basis(hosts), orphans={hosts[1].id})
    plan = make_plan(make_request(), known)
    (told,) = [f for f in plan.findings if f.code == "closed-for-unknown"]
    assert told.severity is Severity.WARNING
    assert told.message.startswith("PC-2: is kept closed for a rollout")
    assert "roundsman-agent uncordon" in told.fix
    assert verdict(plan).go


def test_once_held_it_no_longer_blocks_and_the_fix_is_another() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2", standing=HostStanding.HELD)]
    plan = _plan(hosts, {"PC-2": SurveyOf({}, problem="no link")})
    assert verdict(plan).go
    assert plan.findings[0].severity is Severity.WARNING
    assert "--switched-off" in plan.findings[0].fix


@pytest.mark.parametrize(
    ("ahead", "message"),
    [
        (86_400.0, "PC-1: its clock is 86400 s ahead of the coordinator's"),
        (-301.0, "PC-1: its clock is 301 s behind the coordinator's"),
        (-3_600.0, "PC-1: its clock is 3600 s behind the coordinator's"),
        (315_576_000.0, "PC-1: its clock is 315576000 s ahead of the coordinator's"),
        (-315_576_000.0, "PC-1: its clock is 315576000 s behind the coordinator's"),
        (300.0, None),
        (-300.0, None),
        (0.0, None),
    ],
)
def test_a_clock_wrong_by_more_than_five_minutes_blocks(ahead: float, message: str | None) -> None:
    host = make_host("PC-1")
    plan = _plan([host], skews={host.id: ahead})
    assert [f.message for f in plan.findings] == ([message] if message else [])


def test_a_host_whose_certificate_another_machine_shows_blocks_and_the_way_out_is_told() -> None:
    host = make_host("PC-1", standing=HostStanding.HELD)  # the copy may be open all the same
    plan = _plan([host, make_host("PC-2")], clones={host.id: "10.0.0.9"})
    assert not verdict(plan).go
    (found,) = plan.findings
    assert "PC-1: another machine, at 10.0.0.9, shows its certificate" in found.message
    assert "roundsman fleet revoke PC-1" in found.fix


def test_an_empty_group_blocks() -> None:
    plan = _plan([])
    assert [f.code for f in plan.findings] == ["group-empty"]
    assert not verdict(plan).go


def test_a_group_that_is_on_the_version_has_nothing_to_do() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2", standing=HostStanding.HELD)]
    plan = _plan(hosts, {"PC-1": said("1.1")})
    assert [f.code for f in plan.findings] == ["nothing-to-do"]


def test_two_hosts_of_one_name_block_whatever_its_case() -> None:
    hosts = [make_host("PC-1"), make_host("pc-1", id="pc-1-other"), make_host("PC-2")]
    plan = _plan(hosts)
    assert [f.message for f in plan.findings] == ["2 workstations are called pc-1"]


def test_the_timetable_begins_after_the_grace_and_leaves_out_who_is_not_visited() -> None:
    hosts = [
        make_host("PC-1"),
        make_host("PC-2", standing=HostStanding.HELD),
        make_host("PC-3"),
    ]
    assert timetable(_plan(hosts)) == [
        Turn("pc-1-1a2b3c", NOW + 30, NOW + 90),
        Turn("pc-3-1a2b3c", NOW + 90, NOW + 150),
    ]


def test_what_was_opened_or_closed_since_the_plan_was_made_is_told() -> None:
    hosts = [make_host("PC-01"), make_host("PC-02")]
    one, two = (host.id for host in hosts)
    plan = make_plan(make_request(), make_basis(hosts, left_closed=[one]))
    assert changes_since(plan, hosts, [one]) == []
    assert changes_since(plan, hosts, [two]) == ["PC-01 was opened", "PC-02 was closed"]
