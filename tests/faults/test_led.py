"""What a restored or copied coordinator tells: who leads, what stays closed, the mend."""

import shutil
from pathlib import Path

import pytest

from coordinator.api.asks import DoctorAsk, PlanAsk
from coordinator.api.plan_schemas import PlanView
from coordinator.api.schemas import WhyView
from coordinator.cli.demo_office import APP
from coordinator.cli.demo_workstation import Workstation
from coordinator.walk.states import RolloutState
from tests.faults.ledger import cordon_of, fence_of, journal_steps
from tests.faults.office import FaultOffice, office
from tests.until import until

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("uncounted")]

_TAKE_OVER = "roundsman serve --take-over"
_NEWER = "follows another coordinator, which is newer than this one"
_UNKNOWN = "kept closed for a rollout that this coordinator does not know"
_FINAL = {"done", "failed"}


def test_restored_it_says_who_leads_its_hosts_and_that_they_stay_closed(tmp_path: Path) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        yesterday = _copied(made)
        made.start_coordinator()
        made.wait_linked()
        _is_left_closed_in(made, made.start_rollout("1.1"))
        _put_back(made, yesterday)
        before = [_stand(host) for host in made.hosts]
        until(lambda: str(_problems(made)).count("PC-02") == 2, 40, "health tells of PC-02")
        until(lambda: str(_problems(made)).count("PC-01") == 2, 40, "health tells of PC-01")
        led, closed = _problems(made)
        assert "make sure that the other coordinator is stopped for good" in led
        assert _TAKE_OVER in led
        assert _UNKNOWN in closed
        assert "roundsman plan APP VERSION" in closed
        assert "roundsman-agent uncordon" in closed
        _assert_planned_and_doctored(made)
        assert [_stand(host) for host in made.hosts] == before
        _end_by_taking_over(made)


def _is_left_closed_in(made: FaultOffice, rollout: str) -> None:
    """Kill the coordinator once one host was changed; every host is sealed then."""
    until(lambda: any(_is_applied(host, rollout) for host in made.hosts), 40, "one is changed")
    made.kill_coordinator()
    assert {_mode(host) for host in made.hosts} == {"sealed"}


def _is_applied(host: Workstation, rollout: str) -> bool:
    rows = journal_steps(host.state, rollout)
    return any(row.key == ("apply-release", "do") and row.state in _FINAL for row in rows)


def _assert_planned_and_doctored(made: FaultOffice) -> None:
    found = _plan(made).findings
    refused = [f for f in found if f.code == "not-surveyed"]
    assert {f.host for f in refused} == {host.name for host in made.hosts}
    for finding in refused:
        assert _NEWER in finding.message
        assert _TAKE_OVER in finding.fix
        assert "switch" not in finding.fix
    assert len([f for f in found if _UNKNOWN in f.message]) == 2
    said = made.typed("doctor", "--app", APP)
    assert said.returncode == 1
    with made.client() as client:
        for check in client.doctor(DoctorAsk(app=APP)):
            told = [f"{f.message} {f.fix}" for f in check.findings]
            assert _NEWER in check.problem
            assert [text for text in told if _TAKE_OVER in text and "switch" not in text]
            assert [text for text in told if _UNKNOWN in text]
        assert all(_UNKNOWN in host.problem for host in client.hosts())


def _end_by_taking_over(made: FaultOffice) -> None:
    """Follow the mends to the end: nothing is left to be told."""
    made.kill_coordinator()
    made.start_coordinator("--take-over")
    made.wait_linked()
    until(lambda: [_UNKNOWN in p for p in _problems(made)] == [True], 40, "one problem is left")
    findings = _plan(made).findings
    assert not [f for f in findings if f.code == "not-surveyed"]
    rollout = made.start_rollout("1.1")
    until(lambda: made.ledger.has_ended(rollout), 60, "the rollout ends")
    assert made.ledger.state_of(rollout)["state"] == "done"
    until(lambda: not _problems(made), 40, "nothing is left to be told")
    assert {_mode(host) for host in made.hosts} == {"none"}


def test_a_walk_whose_host_another_leads_asks_for_the_take_over_not_for_a_skip(
    tmp_path: Path,
) -> None:
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1")
        rollout = made.start_rollout("1.1")
        _is_left_closed_in(made, rollout)
        copy = _copied(made)
        made.start_coordinator()
        until(lambda: made.ledger.has_ended(rollout), 60, "the rollout ends under the original")
        assert made.ledger.state_of(rollout)["state"] == "done"
        made.kill_coordinator()
        before = [_stand(host) for host in made.hosts]
        _put_back(made, copy)
        until(lambda: _why(made).state is RolloutState.NEEDS_OPERATOR, 60, "the copy is stuck")
        why = _why(made)
        assert why.holder in {host.name for host in made.hosts}
        assert _NEWER in why.reason
        assert "make sure that the other coordinator is stopped for good" in why.mend
        assert f"{_TAKE_OVER}; then roundsman rollout retry r1 --host {why.holder}" in why.mend
        assert "skip" not in why.mend
        assert _TAKE_OVER in made.typed("rollout", "why", "r1").stdout
        assert [_stand(host) for host in made.hosts] == before


def _why(made: FaultOffice) -> WhyView:
    with made.client() as client:
        return client.why("r1")


def _copied(made: FaultOffice) -> Path:
    """Kill the coordinator and copy its home; it is not started again."""
    made.kill_coordinator()
    copy = made.base / "yesterday"
    shutil.copytree(made.base / "coordinator", copy)
    return copy


def _put_back(made: FaultOffice, copy: Path) -> None:
    """Start the coordinator from the copy of its home."""
    home = made.base / "coordinator"
    made.kill_coordinator()
    home.rename(made.base / "lost")
    copy.rename(home)
    made.start_coordinator()
    made.wait_linked()


def _plan(made: FaultOffice) -> PlanView:
    with made.client() as client:
        return client.make_plan(PlanAsk(app=APP, version="1.1", within_seconds=1800))


def _problems(made: FaultOffice) -> list[str]:
    with made.client() as client:
        return client.health().problems


def _stand(host: Workstation) -> tuple[object, ...]:
    return fence_of(host.state), _mode(host), (host.folder / "VERSION").read_text("utf-8")


def _mode(host: Workstation) -> str:
    found = cordon_of(host.state)
    return str(found["mode"]) if found else "none"
