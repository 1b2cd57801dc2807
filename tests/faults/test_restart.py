"""What holds while somebody is dead: a half-done swap, seals and leases, and who may lead."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coordinator.cli.demo_office import OLD
from coordinator.cli.demo_processes import Process, kill
from coordinator.cli.demo_workstation import Workstation
from coordinator.complaint import Complaint
from coordinator.standin.inspector import judge_answer, judge_disk, note_host
from tests.faults.ledger import Json, cordon_of, fence_of, journal_steps
from tests.faults.office import FaultOffice, office, opened
from tests.until import until

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("uncounted")]

_GUARD_WOULD_HAVE_ACTED_SECONDS = 1.5
_ROLLOUT_SECONDS = 60
_TRIES = 8


# -- a swap cut in two ---------------------------------------------------------------------


def test_an_agent_killed_between_the_two_renames_makes_the_app_runnable_before_any_order(
    tmp_path: Path,
) -> None:
    versions = [f"1.{number}" for number in range(1, _TRIES + 1)]
    with office(tmp_path, hosts=1) as made:
        made.begin(*versions)
        host = made.hosts[0]
        noted = note_host(host.folder)
        before = OLD
        for after in versions:
            rollout = made.start_rollout(after)
            if _is_killed_in_the_swap(made, host, rollout):
                break
            made.start_agent(host)
            _end_of(made, rollout)
            made.open_apps()
            before = after
        assert not host.folder.exists(), f"not caught between the renames in {_TRIES} rollouts"
        made.kill_coordinator()  # so that no order can be what mends it
        made.start_agent(host)
        until(host.folder.exists, what="the app's folder is back")
        until(lambda: _state_of_swap(host, rollout) == "interrupted", what="the journal says so")
        assert _disk(made, host, noted, before) == []
        _check_seal_outlives_agent(made, host)  # and so the app can be opened
        made.start_coordinator()
        _end_of(made, rollout)
        assert _disk(made, host, noted, after) == []


def _is_killed_in_the_swap(made: FaultOffice, host: Workstation, rollout: str) -> bool:
    """Kill the agent the moment its app folder is another, or gone; True when it stays gone."""
    assert host.agent is not None
    until(lambda: made.ledger.state_of(rollout)["state"] == "walking", 30, "the visit begins")
    there, last = _inode(host), time.monotonic() + 30
    while _inode(host) == there:
        assert time.monotonic() < last, "the swap does not begin"
    kill(host.agent)
    return not host.folder.exists()


def _inode(host: Workstation) -> int:
    """Return which folder the app's is, 0 when there is none."""
    try:
        return host.folder.stat().st_ino
    except FileNotFoundError:
        return 0


def _state_of_swap(host: Workstation, rollout: str) -> str:
    rows = journal_steps(host.state, rollout)
    return next(row.state for row in rows if row.key == ("apply-release", "do"))


def _disk(made: FaultOffice, host: Workstation, noted: Json, version: str) -> list[Json]:
    about = {"name": host.name, "folder": str(host.folder), "expected": version}
    return list(judge_disk(about, noted, made.release(version)))


# -- seals and leases ----------------------------------------------------------------------


def test_while_coordinator_and_agents_die_seals_hold_and_leases_end(tmp_path: Path) -> None:
    with office(tmp_path, hosts=3) as made:
        made.begin("1.1")
        rollout = made.start_rollout("1.1")
        _wait_for_a_change(made, rollout)
        made.kill_coordinator()
        for host in made.hosts:
            assert _cordon(host)["mode"] == "sealed"
        for host in made.hosts:
            _assert_kept_closed(host)
        _check_seal_outlives_agent(made, made.hosts[1])
        made.start_coordinator()
        _end_of(made, rollout)
        until(lambda: all(_cordon(h)["mode"] == "none" for h in made.hosts), 20, "all are open")
        for host in made.hosts:
            assert list(judge_answer(_about(host, "1.1"))) == []
            assert opened(host, host.open_app("marie")).poll() is None
        made.kill_coordinator()
        _check_lease_and_seal(made)


def _wait_for_a_change(made: FaultOffice, rollout: str) -> None:
    """Return when the first host is being changed, and so everybody is sealed."""

    def is_changing() -> bool:
        return any(row.key == ("apply-release", "do") for row in made.ledger.steps(rollout))

    until(is_changing, 30, "the first host is being changed")


def _check_seal_outlives_agent(made: FaultOffice, host: Workstation) -> None:
    """With its agent killed nobody closes the app; once it is back, what is open is closed."""
    made.kill_agent(host)
    app = opened(host, host.open_app("paul"))
    time.sleep(_GUARD_WOULD_HAVE_ACTED_SECONDS)
    assert app.poll() is None, "somebody closed it: the guard was not dead"
    before = _cordon(host)
    made.start_agent(host)
    until(lambda: app.poll() is not None, what="the app is closed by the agent that is back")
    after = _cordon(host)
    assert (after["mode"], after["relaunches"]) == ("sealed", before["relaunches"] + 1)
    _assert_kept_closed(host)


def _check_lease_and_seal(made: FaultOffice) -> None:
    """Two cordons of three seconds, ordered by a coordinator that is killed then."""
    leased, sealed = made.hosts[:2]
    coordinator = _spawn_orderer(made, f"{leased.host_id}=leased:3", f"{sealed.host_id}=sealed:3")
    kill(coordinator)
    ordered = time.monotonic()
    for host in (leased, sealed):
        _assert_kept_closed(host)
    time.sleep(max(0.0, ordered + 3.5 - time.monotonic()))
    after_lease = opened(leased, leased.open_app("paul"))
    _assert_kept_closed(sealed)
    time.sleep(_GUARD_WOULD_HAVE_ACTED_SECONDS)
    assert after_lease.poll() is None, "the lease did not end"


def _spawn_orderer(made: FaultOffice, *orders: str) -> Process:
    home, state = made.base / "coordinator", made.hosts[0].state
    command = [sys.executable, "-m", "tests.faults.order", str(home), str(state), *orders]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.readline()
    assert said == b"ordered\n"
    return process


def _assert_kept_closed(host: Workstation) -> None:
    """Open the app; it is closed again, and counted."""
    before = _cordon(host)["relaunches"]
    app = host.open_app("marie")
    until(lambda: app.poll() is not None, what=f"{host.name}: the guard closes the app")
    assert _cordon(host)["relaunches"] == before + 1


def _cordon(host: Workstation) -> Json:
    found = cordon_of(host.state)
    assert found is not None
    return found


def _about(host: Workstation, version: str) -> Json:
    return {
        "name": host.name, "folder": str(host.folder), "expected": version, "running": True,
    }  # fmt: skip


# -- who leads -----------------------------------------------------------------------------


def test_a_copied_database_leads_nobody_until_an_operator_says_so(tmp_path: Path) -> None:
    home, copy = tmp_path / "coordinator", tmp_path / "copy"
    with office(tmp_path, hosts=2) as made:
        made.begin("1.1", "1.2")
        made.kill_coordinator()
        shutil.copytree(home, copy)
        made.start_coordinator()
        made.wait_linked()
        _end_of(made, made.start_rollout("1.1"))
        assert "already serves this database" in _second_daemon(made)
        made.kill_coordinator()
        home.rename(tmp_path / "original")
        copy.rename(home)
        made.start_coordinator()
        made.wait_linked()
        _check_it_is_refused(made)
        made.kill_coordinator()
        made.start_coordinator("--take-over")
        made.wait_linked()
        until(lambda: _leads(made), 20, "the agents follow the copy")
        made.open_apps()
        _end_of(made, made.start_rollout("1.2"))
        for host in made.hosts:
            assert "1.2" in (host.folder / "VERSION").read_text("utf-8")
            assert _cordon(host)["mode"] == "none"


def _second_daemon(made: FaultOffice) -> str:
    """Start a second daemon on the same home; return what it says. It exits with 2."""
    said = made.serve_again()
    assert said.returncode == 2
    assert made.coordinator is not None
    assert made.coordinator.poll() is None
    return said.stderr


def _check_it_is_refused(made: FaultOffice) -> None:
    before = [(fence_of(host.state), note_host(host.folder)) for host in made.hosts]
    with pytest.raises(Complaint) as said:
        made.start_rollout("1.2")
    assert "follows another coordinator, which is newer than this one" in str(said.value)
    assert "roundsman serve --take-over" in said.value.mend
    assert "switch" not in said.value.mend
    assert [(fence_of(host.state), note_host(host.folder)) for host in made.hosts] == before
    for host in made.hosts:
        assert list(judge_answer(_about(host, "1.1"))) == []
        assert _cordon(host)["mode"] == "none"
    log = made.base / "coordinator" / "log" / "coordinator.log"
    until(lambda: "another coordinator leads this host" in log.read_text("utf-8"), what="the log")


def _leads(made: FaultOffice) -> bool:
    ours = int(made.ledger.rows("SELECT value FROM setting WHERE key = 'epoch'")[0]["value"])
    return all(ours > fence_of(host.state) for host in made.hosts)


def _end_of(made: FaultOffice, rollout: str) -> None:
    """Return when the rollout is done."""
    until(lambda: made.ledger.has_ended(rollout), _ROLLOUT_SECONDS, "the rollout ends")
    assert made.ledger.state_of(rollout)["state"] == "done"
