"""A whole rollout over a LAN, agents as services of systemd, judged from inside every host."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from coordinator.fleet.enrolment_book import Approval
from tests.lan import agents
from tests.lan.app import CLIENTS, NEW, OLD, SERVICE, USERS, Workstation
from tests.lan.box import Box, Host
from tests.lan.moments import Moment
from tests.lan.office import LanOffice, Terms
from tests.until import until

pytestmark = pytest.mark.timeout(400)
_STUBBORN = Path(__file__).with_name("restart-always.conf")
_RESTARTS = 2  # of which the last gave it back


def test_five_hosts_are_updated_and_all_that_was_promised_held(tmp_path: Path) -> None:
    with Box(5) as box, LanOffice(box, tmp_path, terms=Terms(Approval.OPERATOR)) as office:
        assert_people_are_seen(office)
        rollout = office.start()
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
        assert office.relaunches == []
        for station in office.stations.values():
            assert_updated(station)
            assert_clients_closed_in_order(station)
            assert_nothing_left(station)
            assert_agent_is_a_service(station)
            assert_nothing_is_complained_of(station)
            assert_may_be_opened(station)


def test_a_client_that_systemd_opens_again_and_again_is_kept_closed(tmp_path: Path) -> None:
    with Box(2) as box:
        for host in box.hosts.values():
            reopen_always(host)
        with LanOffice(box, tmp_path) as office:
            rollout = office.start()
            office.when("h2", "stop-service-manager", Moment.ENDED)
            box.hosts["h2"].run("systemctl", "start", SERVICE)  # an administrator, in good faith
            assert office.end(rollout) == "done", office.told(rollout)
            assert office.violations() == []
            assert all(opening["role"] == "client" for opening in office.relaunches)
            for station in office.stations.values():
                assert_was_opened_meanwhile(station)
                until(partial(is_open_for_all, station), 30, "systemd opens the new release")
                assert_updated(station)


def assert_people_are_seen(office: LanOffice) -> None:
    """Who has logged in, as logind tells, and who has the app open, is what `doctor` says."""
    for checked in office.cli("doctor"):
        facts = checked["facts"]
        assert (facts["open_users"], facts["sessions"]) == (", ".join(USERS), str(len(USERS)))


def assert_updated(station: Workstation) -> None:
    """The service is systemd's own, runs the new release, and says so."""
    shown = told(station, "systemctl", "show", "--property=ActiveState,MainPID", SERVICE)
    last = [line for line in station.lines("open") if line.role == "service-manager"][-1]
    assert shown.splitlines() == [f"MainPID={last.pid}", "ActiveState=active"]
    answer = json.loads(told(station, "curl", "--silent", "http://127.0.0.1:8080/status"))
    assert (answer["version"], answer["app"], answer["pid"]) == (NEW, NEW, last.pid)
    group = told(station, "cat", f"/proc/{last.pid}/cgroup")
    assert group.strip().endswith(f"/system.slice/{SERVICE}")


def assert_clients_closed_in_order(station: Workstation) -> None:
    """Both users' clients saved and closed before the service did, and did not fail."""
    for user in USERS:
        opened = [line for line in station.lines("open") if line.user == user]
        closed = [line for line in station.lines("close") if line.user == user]
        assert [line.pid for line in closed] == [line.pid for line in opened]
        assert {line.version for line in opened} == {OLD}
        assert station.saved(user) == [line.pid for line in closed]
        service = next(li for li in station.lines("close") if li.role == "service-manager")
        assert closed[-1].at < service.at
    states = told(station, "systemctl", "is-failed", *CLIENTS, check=False).split()
    assert states == ["inactive"] * len(USERS)


def assert_nothing_left(station: Workstation) -> None:
    """No drop-in keeps the service closed, and no old release lies about."""
    units = station.host.root / "etc/systemd/system"
    assert not list(units.glob("lobapp.service.d/*"))
    beside = {path.name for path in station.folder.parent.iterdir()}
    assert beside - {".roundsman"} == {"lobapp", "evidence.log", "office.ini"}
    shown = told(station, "systemctl", "show", "--property=DropInPaths,NeedDaemonReload", SERVICE)
    assert "roundsman" not in shown
    assert "NeedDaemonReload=no" in shown


def assert_agent_is_a_service(station: Workstation) -> None:
    """It runs as one of systemd's, and opens no port."""
    assert told(station, "systemctl", "is-active", agents.UNIT).strip() == "active"
    pid = told(station, "systemctl", "show", "--property=MainPID", "--value", agents.UNIT).strip()
    assert f"pid={pid}," not in told(station, "ss", "--listening", "--tcp", "--udp", "-np")


def assert_nothing_is_complained_of(station: Workstation) -> None:
    """Neither the agent nor systemd has anything to complain of."""
    log = told(station, "journalctl", "--unit", agents.UNIT, "--output=cat", "--no-pager")
    said = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [fact for fact in said if fact["level"] != "info"] == []
    warnings = told(station, "journalctl", "--priority=warning", "--output=cat", "--no-pager")
    assert [line for line in warnings.splitlines() if "roundsman" in line] == []


def assert_may_be_opened(station: Workstation) -> None:
    """Each user may open the app again, and gets the new release."""
    station.host.run("systemctl", "start", *CLIENTS)
    until(lambda: is_open_for_all(station), 30, f"{station.name}: it is opened again")


def is_open_for_all(station: Workstation) -> bool:
    """True when the new release was opened for each user and is open."""
    closed = {line.pid for line in station.lines("close")}
    open_now = [line for line in station.lines("open") if line.pid not in closed]
    return {(line.user, line.version) for line in open_now} >= {(user, NEW) for user in USERS}


def reopen_always(host: Host) -> None:
    """Have systemd open both clients again whenever they end."""
    drop_ins = host.root / "etc/systemd/system/lobclient@.service.d"
    drop_ins.mkdir()
    shutil.copy(_STUBBORN, drop_ins)


def assert_was_opened_meanwhile(station: Workstation) -> None:
    """Systemd itself says that it opened each client, while nobody might have it open."""
    for unit in CLIENTS:
        restarts = told(station, "systemctl", "show", "--property=NRestarts", "--value", unit)
        assert int(restarts) >= _RESTARTS, f"{station.name}: {unit}"


def told(station: Workstation, *command: str, check: bool = True) -> str:
    """Return what a program inside the host prints."""
    return station.host.run(*command, check=check).stdout
