"""Plans over the API: made from surveys, frozen, refused where something speaks against them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.wire.contract import Fence, Finding, Hello, Severity
from coordinator.api.asks import DoctorAsk, PackageAsk, PlanAsk, ProfileAsk
from coordinator.api.releases import SIGN
from coordinator.complaint import Complaint
from coordinator.fleet.standing import Standing
from coordinator.model import AfterRollBack, HostStanding, SurveyOf
from tests.api.real import APP, PROFILE, RealOffice, made_ready, make_zip

ASK = PlanAsk(app=APP, version="1.1", within_seconds=7200)


@pytest.fixture
def ready(office: RealOffice, tmp_path: Path) -> RealOffice:
    """An office with three hosts, a signed profile and a signed package."""
    return made_ready(office, tmp_path, notes="Faster.")


def test_a_plan_says_who_comes_when_and_why(ready: RealOffice) -> None:
    ready.fleet.set_standing("pc-02-abcdef", HostStanding.HELD, "Marie is away")
    with ready.client() as client:
        made = client.make_plan(ASK)
        assert client.plan(made.label) == made
        assert client.plan(made.id).hosts == made.hosts
    assert (made.label, made.fits, made.needs_a_person) == ("p1", True, False)
    first, second, third = made.hosts
    assert (first.from_version, first.visited) == ("1.0", True)
    assert not second.visited
    assert "Marie is away" in second.reason
    assert first.ends == third.begins
    assert made.notes == "Faster."


def test_a_plan_that_does_not_fit_says_so_and_cannot_be_started(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.make_plan(PlanAsk(app=APP, version="1.1", within_seconds=60))
        assert not made.fits
        with pytest.raises(Complaint, match="cannot start p1: the group needs") as caught:
            client.start(made.label)
    assert "roundsman plan p1" in caught.value.mend


def test_what_a_host_finds_is_in_the_plan(ready: RealOffice) -> None:
    finding = Finding("folder-rights", Severity.BLOCKS, "cannot rename the folder", "give rights")
    ready.surveyor.said["pc-01-abcdef"] = SurveyOf({"system": "linux"}, (finding,))
    ready.surveyor.said["pc-03-abcdef"] = SurveyOf({}, (), "its agent is not linked")
    with ready.client() as client:
        made = client.make_plan(ASK)
    assert made.needs_a_person
    assert {"folder-rights", "not-surveyed"} <= {f.code for f in made.findings}


def test_hosts_closed_for_a_rollout_not_known_here_are_told_of_everywhere(
    ready: RealOffice,
) -> None:
    with ready.client() as client:
        made = client.make_plan(ASK)
        ready.orphans.add("pc-02-abcdef")
        with pytest.raises(Complaint, match="PC-02 was closed"):
            client.start(made.label)
        again = client.make_plan(ASK)
        (told,) = [f for f in again.findings if f.code == "closed-for-unknown"]
        assert (told.host, told.severity) == ("PC-02", Severity.WARNING)
        assert client.health().problems[0].startswith("PC-02 is kept closed for a rollout that")
        assert [h.name for h in client.hosts() if "kept closed" in h.problem] == ["PC-02"]
        checks = [(c.host, f.code) for c in client.doctor(DoctorAsk()) for f in c.findings]
        assert ("PC-02", "closed-for-unknown") in checks
        assert client.start(again.label).label == "r1"


def test_a_clock_that_is_a_day_off_is_a_finding(ready: RealOffice) -> None:
    now = datetime.now(UTC)
    hello = Hello(1, "0", "boot", "PC-01", "linux", now.timestamp() - 86_400, Fence(1, ""))
    standing = Standing("pc-01-abcdef", linked=True, since=now, hello=hello, met=now)
    ready.links.known = {"pc-01-abcdef": standing}
    with ready.client() as client:
        found = [f for f in client.make_plan(ASK).findings if f.code == "clock-wrong"]
    assert "86400 s behind" in found[0].message


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (PlanAsk(app="nothing", version="1.1"), "no profile for an app 'nothing'"),
        (PlanAsk(app=APP, version="9.9"), f"no package of {APP} 9.9"),
        (PlanAsk(app=APP, version="1.1", group="attic"), "no workstation in group 'attic'"),
        (PlanAsk(app=APP, version="1.1", window="25:00-26:00"), "cannot use the window"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(ready: RealOffice, ask: PlanAsk, said: str) -> None:
    with ready.client() as client, pytest.raises(Complaint, match=said):
        client.make_plan(ask)


def test_with_several_groups_one_must_be_named(ready: RealOffice) -> None:
    host, *_ = ready.fleet.hosts()
    ready.add_hosts(1, group="attic")
    ready.fleet.set_standing(host.id, HostStanding.ENROLLED)
    with ready.client() as client:
        with pytest.raises(Complaint, match="which group: main/attic, main/office"):
            client.make_plan(ASK)
        named = PlanAsk(app=APP, version="1.1", group="attic", within_seconds=7200)
        assert [h.host for h in client.make_plan(named).hosts] == ["PC-01"]


def test_an_unsigned_profile_or_package_is_no_basis(office: RealOffice, tmp_path: Path) -> None:
    office.add_hosts()
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        with pytest.raises(Complaint, match="not signed yet") as caught:
            client.make_plan(ASK)
        assert caught.value.mend == "roundsman release sign"
        office.sign()
        client.add_package(PackageAsk(app=APP, version="1.1"), make_zip(tmp_path / "r.zip"))
        assert "no-package" in {f.code for f in client.make_plan(ASK).findings}


def test_policy_grace_and_notice_are_frozen_in_the_plan(ready: RealOffice) -> None:
    ask = PlanAsk(
        app=APP,
        version="1.1",
        within_seconds=7200,
        grace_seconds=5,
        retries=0,
        then=AfterRollBack.SKIP,
        notice="Tea time",
    )
    with ready.client() as client:
        made = client.make_plan(ask)
    kept = ready.rollouts.plan(made.label)
    assert kept is not None
    assert (kept.grace_seconds, kept.notice, kept.asked_by) == (5, "Tea time", "ann")
    assert (kept.policy.retries, kept.policy.then) == (0, AfterRollBack.SKIP)


def test_a_missed_window_never_starts_late(ready: RealOffice) -> None:
    with ready.client() as client:
        made = client.make_plan(ASK)
        ready.clock.ahead = 7201
        with pytest.raises(Complaint, match="a missed window never starts late"):
            client.start(made.label)


def test_an_unknown_plan_is_named(ready: RealOffice) -> None:
    with ready.client() as client:
        for ask in (client.plan, client.start):
            with pytest.raises(Complaint, match="no plan 'p99'"):
                ask("p99")


def test_the_doctor_asks_the_hosts_that_are_named(ready: RealOffice) -> None:
    finding = Finding("port-taken", Severity.WARNING, "port 8085 is taken", "free it")
    ready.surveyor.said["pc-01-abcdef"] = SurveyOf({"app_version": "1.0"}, (finding,))
    with ready.client() as client:
        (check,) = client.doctor(DoctorAsk(hosts=["PC-01"]))
        assert (check.host, check.app, check.needs_a_person) == ("PC-01", APP, False)
        assert [f.code for f in check.findings] == ["port-taken"]
        assert len(client.doctor(DoctorAsk())) == 3
        with pytest.raises(Complaint, match="no host 'PC-99'"):
            client.doctor(DoctorAsk(hosts=["PC-99"]))


def test_the_doctor_needs_a_signed_profile(office: RealOffice) -> None:
    office.add_hosts()
    with office.client() as client:
        with pytest.raises(Complaint, match="no profile is signed yet") as none:
            client.doctor(DoctorAsk())
        office.repository.add("profiles/till.toml", b"x")
        with pytest.raises(Complaint, match="no profile is signed yet") as unsigned:
            client.doctor(DoctorAsk())
    add = "roundsman profile add FILE, then "
    assert (none.value.mend, unsigned.value.mend) == (f"{add}{SIGN}", SIGN)


def test_the_slowest_visit_so_far_is_the_estimate(ready: RealOffice) -> None:
    with ready.client() as client:
        rollout = ready.start(client.make_plan(ASK).label)
        ready.visit(rollout, "pc-01-abcdef", seconds=3000.0)
        turn = client.make_plan(ASK).hosts[0]
    assert (turn.ends or 0) - (turn.begins or 0) == pytest.approx(3000.0, abs=5)
