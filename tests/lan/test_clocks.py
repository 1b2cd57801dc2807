"""Clocks of workstations are an hour wrong: told with the figure, and no rollout begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lan import agents
from tests.lan.app import APP, NEW
from tests.lan.box import Box, Host
from tests.lan.faults import Row
from tests.lan.office import LanOffice
from tests.lan.refusals import why_not_started
from tests.lan.wrong_clocks import HOUR, WORD
from tests.until import until

_AREA = "A clock is wrong"
_ABOUT_SECONDS = 120
_LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
Tell = Callable[[Row], None]
pytestmark = pytest.mark.thorough


def test_hosts_whose_clocks_are_an_hour_off_are_told_with_the_figure_and_block_a_plan(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        hours = {"h2": HOUR, "h3": -HOUR}
        for name, off in hours.items():
            set_clock(office, name, off)
            assert_clock_is(box.hosts[name], off)
        assert_told_and_refused(office, hours)
        for off in hours.values():
            fault = f"a host's clock is an hour {WORD[off]} the coordinator's"
            told(row(fault, "before a plan", "told with its figure; the plan is not started"))


def row(fault: str, moment: str, outcome: str, at: str = "any") -> Row:
    """Return a row of this page."""
    return Row(_AREA, fault, at, moment, outcome, 0)


def set_clock(office: LanOffice, name: str, off: int) -> None:
    """Have a host's agent read a clock that is so many seconds off, and be linked again."""
    host = office.box.hosts[name]
    place = host.root / f"etc/systemd/system/{agents.UNIT}.d/clock.conf"
    place.parent.mkdir(exist_ok=True)
    lines = [f'Environment="{key}={value}"' for key, value in fake(off).items()]
    place.write_text("\n".join(["[Service]", *lines, ""]))
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", agents.UNIT)
    (office.stations[name].state / "links.json").unlink(missing_ok=True)
    office.wait_linked(name)


def fake(off: int) -> dict[str, str]:
    """Return what has a program read a wrong clock: the clocks that count from the boot do not."""
    if not off:
        return {}
    rest = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    return {"LD_PRELOAD": _LIBRARY, "FAKETIME": f"{off:+d}", **rest}


def assert_clock_is(host: Host, off: int) -> None:
    """What the agent's own settings do to a program: its clock is off, its uptime is not."""
    code = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))"
    settings = [f"{key}={value}" for key, value in fake(off).items()]
    right = [float(word) for word in host.run("python3", "-c", code).stdout.split()]
    wrong = [
        float(word) for word in host.run("env", *settings, "python3", "-c", code).stdout.split()
    ]
    assert abs(wrong[0] - right[0] - off) < _ABOUT_SECONDS
    assert abs(wrong[1] - right[1]) < _ABOUT_SECONDS


def assert_told_and_refused(office: LanOffice, hours: dict[str, int]) -> None:
    """The doctor and a plan name each clock with its figure, and the plan cannot be started."""
    until(lambda: set(hours) <= set(clocks_told(office)), 30, "the doctor tells")
    plan = office.cli("plan", APP, NEW)
    said = [f for f in plan["findings"] if f["code"] == "clock-wrong"]
    assert {f["host"] for f in said} == set(hours)
    for found in said:
        off = hours[found["host"]]
        assert f"s {WORD[off]} the coordinator's" in found["message"]
        seconds = int(found["message"].split("its clock is ")[1].split()[0])
        assert abs(seconds - HOUR) < _ABOUT_SECONDS
        assert f"set the clock of {found['host']}" in found["fix"]
    assert "its clock is" in why_not_started(office, plan)


def clocks_told(office: LanOffice) -> dict[str, Any]:
    """Return what the doctor says of clocks, by host."""
    checks = office.cli("doctor")
    return {
        check["host"]: found
        for check in checks
        for found in check["findings"]
        if found["code"] == "clock-wrong"
    }
