"""Whatever becomes of the coordinator's machine, the office is as it was promised."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.wire.contract import LEASE_SECONDS
from tests.faults.ledger import Json, cordon_of, fence_of
from tests.lan.app import APP, CLIENTS, NEW, SERVICE, Workstation
from tests.lan.box import Box, Host
from tests.lan.coordinators import (
    backed_up,
    end_in_peace,
    line_of,
    power_off,
    power_on,
    put_back,
    says,
)
from tests.lan.faults import Row
from tests.lan.moments import Moment
from tests.lan.office import LanOffice
from tests.lan.second import IP, Second, have_it_dialed
from tests.until import until

pytestmark = pytest.mark.timeout(600)
_AREA = "The coordinator"
_THOROUGH = pytest.mark.thorough
_TAKE_OVER = "roundsman serve --take-over"
_NEWER = "follows another coordinator, which is newer than this one"
_STAYS_SECONDS = 2.0  # the guard would have closed it
_SLOW_START = "[Service]\nExecStartPre=/bin/sleep 8\n"
_SLOW_STOP = "[Service]\nExecStop=/bin/sleep 8\n"
Told = Callable[[Row], None]


def _row(fault: str, moment: str, outcome: str = "done") -> Row:
    return Row(_AREA, fault, "the coordinator", moment, outcome, 0)


def _slow(host: Host, text: str) -> None:
    """Have the app's service take its time, so that there is some in which things go wrong."""
    folder = host.root / f"etc/systemd/system/{SERVICE}.d"
    folder.mkdir()
    (folder / "slow.conf").write_text(text, "utf-8")
    host.run("systemctl", "daemon-reload")


def test_killed_in_one_visit_and_cut_off_in_the_next_it_goes_on(
    tmp_path: Path, told: Told
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        rollout = office.start()
        office.when("h1", "apply-release", Moment.BEGUN)
        office.kill_coordinator()
        office.start_coordinator()
        office.when("h2", "back-up", Moment.BEGUN)
        box.network.cut("seat")
        until(lambda: says(office).count("host lost") >= len(office.ids), 40, "all are lost")
        box.network.heal("seat")
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
    told(_row("killed, and started again", "apply-release of one host"))
    told(_row("cut off until it has lost every host, and healed", "back-up of the next host"))


# -- without power -------------------------------------------------------------------------


@_THOROUGH
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("minutes", [LEASE_SECONDS / 60 + 0.25, 10.0])
def test_while_it_is_off_sealed_hosts_stay_closed_and_then_it_goes_on(
    tmp_path: Path, told: Told, minutes: float
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        rollout = office.start()
        office.when("h2", "apply-release", Moment.BEGUN)
        power_off(office)
        _wait(minutes * 60)
        for station in office.stations.values():
            assert _mode(station) == "sealed"
            _assert_is_closed_again(station)
        power_on(office)
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
    told(_row(f"off for {minutes:g} minutes", "apply-release; hosts stay sealed"))


@_THOROUGH
@pytest.mark.timeout(600)
def test_when_it_is_off_before_the_seal_the_leases_end_and_then_it_goes_on(
    tmp_path: Path, told: Told
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        _slow(box.hosts["h3"], _SLOW_STOP)
        rollout = office.start()
        office.when("h1", "stop-service-manager", Moment.ENDED)
        power_off(office)
        stations = list(office.stations.values())
        assert {_mode(station) for station in stations} == {"leased"}
        _wait(LEASE_SECONDS)
        for station in stations:
            until(partial(_has_ended, station), 60, f"{station.name} opens itself")
        opened = [_open(station) for station in stations]
        _wait(_STAYS_SECONDS)
        assert not [s.name for s in stations for pid in opened if pid in _closed(s)]
        power_on(office)
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
        for station, pid in zip(stations, opened, strict=True):
            assert pid in station.saved("alice")
    told(_row("off for longer than a lease", "all closed, none sealed: may be opened again"))


def _mode(station: Workstation) -> str:
    found = cordon_of(station.state)
    return str(found["mode"]) if found else "none"


def _has_ended(station: Workstation) -> bool:
    """True when the agent itself says that its app may be opened."""
    said = station.host.run("roundsman-agent", "status", check=False).stdout
    return "Nothing is kept closed." in said


def _open(station: Workstation) -> int:
    """Open alice's client; return its pid once it is open."""
    before = len(station.lines("open"))
    station.host.run("systemctl", "start", CLIENTS[0])
    until(lambda: len(station.lines("open")) > before, 30, f"{station.name}: it opens")
    return station.lines("open")[-1].pid


def _closed(station: Workstation) -> set[int]:
    return {line.pid for line in station.lines("close")}


def _assert_is_closed_again(station: Workstation) -> None:
    before = _relaunches(station)
    station.host.run("systemctl", "start", CLIENTS[0], check=False)
    until(lambda: _relaunches(station) > before, 30, f"{station.name}: it is closed again")


def _relaunches(station: Workstation) -> int:
    found = cordon_of(station.state)
    return int(found["relaunches"]) if found else 0


def _wait(seconds: float) -> None:
    since = time.monotonic()
    until(lambda: time.monotonic() > since + seconds, seconds + 30)


# -- restored ------------------------------------------------------------------------------


@_THOROUGH
def test_restored_in_mid_rollout_it_is_refused_until_it_takes_over(
    tmp_path: Path, told: Told
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        copy = backed_up(office, "yesterday")
        office.start()
        office.when("h2", "apply-release", Moment.BEGUN)
        office.kill_coordinator()
        office.when("h2", "apply-release", Moment.ENDED)
        _assert_refused_and_mended(office, copy, {"sealed"})
        told(_row("restored from before the rollout", "apply-release; refused, then taken over"))
        rollout = office.start()
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []  # the next coordinator knows nothing of this rollout
        end_in_peace(office)
        _assert_refused_and_mended(office, copy, {"none"})
        told(_row("restored from before the rollout", "after it; refused, then taken over"))
        assert [s.version() for s in office.stations.values()] == [NEW] * len(office.ids)


def _assert_refused_and_mended(office: LanOffice, copy: Path, modes: set[str]) -> None:
    before = _stand(office)
    put_back(office, copy)
    office.start_coordinator()
    office.wait_linked(*office.stations)
    problems = "".join(_refusals(office.cli("plan", APP, NEW, "--within", "1800")))
    assert all(f"{name}: cannot be asked" in problems for name in office.stations), problems
    assert _NEWER in problems
    assert "switch" not in problems
    assert _TAKE_OVER in problems
    until(lambda: _TAKE_OVER in str(office.cli("health")["problems"]), 20, "health tells it")
    assert _stand(office) == before
    assert {_mode(station) for station in office.stations.values()} == modes
    end_in_peace(office)
    office.start_coordinator("--take-over")
    office.wait_linked(*office.stations)
    until(lambda: office.cli("health")["problems"] == [], 20, "health has nothing to tell")
    assert all(not check["problem"] for check in office.cli("doctor"))


def _refusals(plan: Json) -> Iterator[str]:
    found = (f for f in plan["findings"] if f["code"] == "not-surveyed")
    return (f"{f['message']}: {f['fix']}" for f in found)


def _stand(office: LanOffice) -> list[object]:
    return [(s.version(), fence_of(s.state), _mode(s)) for s in office.stations.values()]


# -- there a second time -------------------------------------------------------------------


@_THOROUGH
def test_a_copy_from_before_the_rollout_moves_nothing_beside_the_first(
    tmp_path: Path, told: Told
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        copy = backed_up(office, "copy")
        have_it_dialed(office)
        _slow(box.hosts["h2"], _SLOW_START)
        rollout = office.start()
        office.when("h1", "apply-release", Moment.ENDED)
        with Second(office, copy) as second:
            second.start()
            for station in office.stations.values():
                until(partial(_is_linked_to_it, station), 60, f"{station.name} links to it too")
            refused = "".join(_refusals(second.cli("plan", APP, NEW, "--within", "1800")))
            assert _NEWER in refused
            assert _TAKE_OVER in refused
            assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
    told(_row("a copy from before it runs on another address", "a visit; the copy is refused"))


def _is_linked_to_it(station: Workstation) -> bool:
    return line_of(station, IP) == "linked"
