"""Pulls a host's plug at a chosen place in a step, and judges what it is once it is on again."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coordinator.standin.inspector import judge_disk
from tests.faults.ledger import cordon_of
from tests.lan import agents
from tests.lan.app import CLIENTS, NEW, OLD, SERVICE, Workstation
from tests.lan.box import Host
from tests.lan.cables import Moment, place_of, promptly
from tests.lan.office import LanOffice
from tests.lan.remains import CGROUPS, group
from tests.until import until

_LOGIN = "systemd-user-sessions.service"
_AGENT_COMMAND = "roundsman-agent run"
_ATTACH_SECONDS = 20.0


def cut_power_at(office: LanOffice, moment: Moment) -> None:
    """Pull the plug of the host that takes the step, while it is there: it stood still before."""
    try:
        promptly(lambda: place_of(office, moment) is moment.place, f"{moment.host}: {moment}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {office.told(office.rollout)}") from None
    cut_power(office.box.hosts[moment.host])
    found = place_of(office, moment)
    assert found is moment.place, f"{moment.host}: {moment} was missed: {found}"


def cut_power(host: Host) -> None:
    """Have all of a host stand still at once, and nothing of it go on ever after."""
    (CGROUPS / group(host.name) / "cgroup.freeze").write_text("1")
    pids = host.processes()
    host.power_off()
    assert pids
    assert not host.is_on


@contextmanager
def slowed(host: Host, calls: str, milliseconds: int) -> Iterator[None]:
    """Have these system calls of the host's agent begin later, until it ends or this does."""
    delay = f"inject={calls}:delay_enter={milliseconds}ms"
    command = ["strace", "-f", "-q", "-p", str(agent_pid(host)), "-e", f"trace={calls}"]
    log = host.machine.disk.folder / "strace.log"
    with subprocess.Popen([*command, "-e", delay, "-o", str(log)]) as tracer:
        try:
            until(lambda: _is_traced(agent_pid(host)), _ATTACH_SECONDS, "strace is at it")
            yield
        finally:
            tracer.terminate()


def agent_pid(host: Host) -> int:
    """Return the pid of the host's agent, as this machine numbers it."""
    found = [pid for pid in host.processes() if _AGENT_COMMAND in _command_of(pid)]
    assert found, f"{host.name}: no agent runs"
    return found[0]


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _is_traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0\n" not in status


# -- what it is once it is on again ------------------------------------------------------------


def boot(office: LanOffice, name: str) -> None:
    """Switch a host on again; its app is runnable and its agent was there before anybody else."""
    office.box.hosts[name].power_on()
    assert_guarded_before_login(office.stations[name])
    assert_runnable(office, name)


def assert_runnable(office: LanOffice, name: str) -> None:
    """A whole release lies in the app's place, the old one or the new, with what the host owns."""
    station, releases = office.stations[name], office.folder / "releases"
    version = station.version()
    assert version in {OLD, NEW}, f"{name}: {version or 'no app'}"
    release = releases / OLD if version == OLD else releases / f"{NEW}.zip"
    noted = json.loads((office.folder / "witness-noted.json").read_text("utf-8"))[name]
    app = {"name": name, "folder": str(station.folder), "expected": version}
    assert list(judge_disk(app, noted, release)) == []


def assert_guarded_before_login(station: Workstation) -> None:
    """The agent was ready, its guard up, before anybody could log in, as systemd tells."""
    ready, login = _entered(station, agents.UNIT), _entered(station, _LOGIN)
    assert 0 < ready <= login, f"{station.name}: ready {ready}, log-in {login}"


def _entered(station: Workstation, unit: str) -> int:
    shown = ("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", unit)
    return int(station.host.run(*shown).stdout)


def assert_sealed(station: Workstation) -> None:
    """Its agent keeps the app closed, though systemd opens it at every boot."""
    cordon = cordon_of(station.state)
    assert cordon is not None
    assert cordon["mode"] == "sealed"
    until(lambda: is_closed(station), 20, f"{station.name}: the app is closed")


def is_closed(station: Workstation) -> bool:
    """True when systemd says that neither the service nor anybody's client runs."""
    shown = station.host.run("systemctl", "is-active", SERVICE, *CLIENTS, check=False).stdout
    return "active" not in shown.split()
