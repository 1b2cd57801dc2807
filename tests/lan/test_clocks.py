"""Clocks of workstations are an hour wrong: told with the figure, and no rollout begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lan.app import APP, NEW
from tests.lan.box import Box
from tests.lan.faults import Row
from tests.lan.office import LanOffice
from tests.lan.refusals import why_not_started
from tests.lan.wrong_clocks import HOUR, WORD, clock_of, make_settable, set_clock
from tests.until import until

_AREA = "A clock is wrong"
_ABOUT_SECONDS = 120
_TOLD_SECONDS = 90.0
Tell = Callable[[Row], None]
pytestmark = pytest.mark.thorough


def test_hosts_whose_clocks_are_an_hour_off_are_told_with_the_figure_and_block_a_plan(
    tmp_path: Path, told: Tell
) -> None:
    hours = {"h2": HOUR, "h3": -HOUR}
    with Box(3) as box:
        make_settable(box)
        with LanOffice(box, tmp_path) as office:
            for name, off in hours.items():
                set_clock(clock_of(box.hosts[name]), off)
            assert_told_and_refused(office, hours)
            for name in hours:
                set_clock(clock_of(box.hosts[name]), 0)
            until(lambda: not clocks_told(office), _TOLD_SECONDS, "nothing is told of clocks")
            assert office.end(office.start()) == "done", office.told(office.rollout)
        for off in hours.values():
            fault = f"a host's clock is an hour {WORD[off]} the coordinator's"
            outcome = "told with its figure; the plan is not started; set right: done"
            told(row(fault, "before a plan, the host linked", outcome))


def row(fault: str, moment: str, outcome: str, at: str = "any") -> Row:
    """Return a row of this page."""
    return Row(_AREA, fault, at, moment, outcome, 0)


def assert_told_and_refused(office: LanOffice, hours: dict[str, int]) -> None:
    """The doctor and a plan name each clock with its figure, and the plan cannot be started."""
    until(lambda: set(hours) <= set(clocks_told(office)), _TOLD_SECONDS, "the doctor tells")
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
