"""Connections of a host of the LAN that come to nothing hold up no rollout and no operator."""

import json
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coordinator.access import read_access
from coordinator.api.client import Client
from coordinator.settings import HTTPS_PORT, LINK_PORT
from tests.lan import agents, half_open
from tests.lan.box import Box, Host
from tests.lan.coordinators import end_in_peace, says
from tests.lan.elsewhere import at
from tests.lan.faults import Row
from tests.lan.office import LanOffice
from tests.until import until

pytestmark = pytest.mark.timeout(600)
_CALLS = 20
_SERVICE_FILES = 1024
_EVERY_SECONDS = 0.25
_ANSWER_SECONDS = 10.0


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.thorough)])
def test_a_rollout_ends_well_beside_connections_that_come_to_nothing(
    tmp_path: Path, told: Callable[[Row], None], count: int
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        start_as_a_service(office)
        with held_open(box.hosts["h3"], box.seat.ip, count), asked(office) as answers:
            link_anew(office, "h1")
            rollout = office.start()
            assert office.end(rollout) == "done", office.told(rollout)
            until(lambda: len(answers) >= _CALLS, 60, "the coordinator was asked often")
        assert "handshake too slow" in says(office)
        assert set(answers) == {"well"}
        assert office.violations() == []
    what = f"{count} half-open connections on each port, silent and slow"
    told(Row("Thieves", what, "the coordinator", "all of a rollout", "done; calls answered", 0))


def start_as_a_service(office: LanOffice) -> None:
    """Start the coordinator again with as few open files as systemd gives a service at first."""
    end_in_peace(office)
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_SERVICE_FILES, most))
    try:
        office.start_coordinator()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    office.wait_linked(*office.stations)


def link_anew(office: LanOffice, name: str) -> None:
    """Have a host's agent dial again, as after a boot; returns once it is linked."""
    (office.stations[name].state / "links.json").unlink()
    office.box.hosts[name].run("systemctl", "restart", agents.UNIT)
    office.wait_linked(name)


@contextmanager
def held_open(host: Host, ip: str, count: int) -> Iterator[None]:
    """Hold so many connections to each port from a host; returns once all were opened."""
    shutil.copy(half_open.__file__, host.root / "var/tmp")
    ports = [str(port) for port in (LINK_PORT, HTTPS_PORT)]
    script = host.spawn("python3", "/var/tmp/half_open.py", ip, str(count), *ports)
    log = host.machine.disk.folder / "spawned.log"
    until(lambda: _opened(log) >= 2 * count, 60, "all connections were opened")
    try:
        yield
        assert script.poll() is None
        assert json.loads(log.read_text().splitlines()[-2])["open"] >= count  # HTTPS bears all
    finally:
        script.kill()


def _opened(log: Path) -> int:
    lines = log.read_text().splitlines()[:-1]  # the last may be half written
    return int(json.loads(lines[-1])["opened"]) if lines else 0


@contextmanager
def asked(office: LanOffice) -> Iterator[list[str]]:
    """Ask the coordinator all the time how it is; yields its answers, or what went wrong."""
    ended = threading.Event()
    answers: list[str] = []

    def ask_on() -> None:
        with Client(read_access(office.folder / "operator"), _ANSWER_SECONDS) as client:
            while not ended.wait(_EVERY_SECONDS):
                answers.append(client.health().state)

    asking = threading.Thread(target=at, args=("seat", ask_on))
    asking.start()
    try:
        yield answers
    finally:
        ended.set()
        asking.join(60)
