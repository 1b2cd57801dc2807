"""Somebody sets a clock by an hour in the middle of a rollout: a workstation's, the coordinator's.

Nothing that is safe hangs on the time of day: steps, leases and links are timed by what counts
from the boot. What does hang on it is the window, and the coordinator says so when it is over.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.ledger import read_rows
from tests.lan.box import Box
from tests.lan.cables import Moment, assert_each_step_once, held_at, is_waiting, visits_begun
from tests.lan.coordinators import says
from tests.lan.faults import Row
from tests.lan.moments import Moment as Until
from tests.lan.office import LanOffice
from tests.lan.wrong_clocks import (
    HOUR,
    WORD,
    clock_of,
    make_coordinators_settable,
    make_settable,
    set_clock,
)
from tests.until import until

_AREA = "A clock is wrong"
_ABOUT_SECONDS = 120
_END_SECONDS = 240.0
_SET = ("h1", "h3")
_LONG = ("--within", "14400")
Tell = Callable[[Row], None]
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(500)]


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_hosts_whose_clocks_are_set_by_an_hour_in_a_visit_end_it_and_the_rollout(
    tmp_path: Path, told: Tell, off: int
) -> None:
    with Box(3) as box:
        make_settable(box)
        with LanOffice(box, tmp_path) as office:
            jump_in_a_visit(office, off)
        for at in ("the host being updated", "a guarded one"):
            told(row(off, at, "during apply-release", "done, no step twice"))


def jump_in_a_visit(office: LanOffice, off: int) -> None:
    """Set the clock of the host that is being updated, and that of a guarded one."""
    office.start()
    with held_at(office, Moment("h1", "apply-release")):
        for name in _SET:
            set_clock(clock_of(office.box.hosts[name]), off)
    end(office, "done")
    for name in office.stations:
        assert_about(last_told_by(office, name), off if name in _SET else 0)
    assert_each_step_once(office)
    assert office.violations() == []


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_coordinator_whose_clock_is_set_by_an_hour_goes_on_also_when_started_again(
    tmp_path: Path, told: Tell, off: int
) -> None:
    with Box(3) as box, with_a_clock(box, tmp_path) as (office, clock):
        office.start(*_LONG)
        with held_at(office, Moment("h1", "apply-release")):
            set_clock(clock, off)
        office.when("h2", "back-up", Until.BEGUN)
        office.kill_coordinator()
        office.start_coordinator()
        end(office, "done")
        assert_about(last_told_by_coordinator(office), off)
        assert_each_step_once(office)
        assert office.violations() == []
        when = "during apply-release; killed and started in the next visit"
        told(row(off, "the coordinator", when, "done, no step twice"))


def test_a_window_that_is_over_by_the_coordinators_clock_is_told_and_gone_on_from(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, with_a_clock(box, tmp_path) as (office, clock):
        office.start()
        with held_at(office, Moment("h1", "apply-release")):
            set_clock(clock, HOUR)
        until(lambda: is_waiting(office), _END_SECONDS, "it waits for a person")
        begun, why = visits_begun(office), office.cli("rollout", "why", office.rollout)
        assert "h2 waits" in why["reason"], why
        assert "would not end before the deadline" in why["reason"], why
        assert "rollout resume r1 --until" in why["mend"], why
        assert office.ids["h2"] not in {host for host, _ in begun}
        set_clock(clock, 0)
        office.cli("rollout", "resume", office.rollout)
        end(office, "done")
        assert_each_step_once(office)
        assert office.violations() == []
        outcome = "the next visit waits and says why; set right and resumed: done"
        told(row(HOUR, "the coordinator", "in a visit; its window is half an hour", outcome))


@contextmanager
def with_a_clock(box: Box, folder: Path) -> Iterator[tuple[LanOffice, Path]]:
    """Have an office whose coordinator's clock can be set; yields the file that says how."""
    office = LanOffice(box, folder)
    clock = make_coordinators_settable(office)
    with office:
        yield office, clock


def end(office: LanOffice, state: str) -> None:
    """Wait for this end, which is told by a clock that may be wrong."""
    seen = office.ledger.state_of
    until(lambda: seen(office.rollout)["ended"] is not None, _END_SECONDS, "the rollout ends")
    assert seen(office.rollout)["state"] == state, office.told(office.rollout)


def last_told_by(office: LanOffice, name: str) -> str:
    """Return the last line that a host's agent has logged."""
    journal = office.stations[name].state / "journal.sqlite"
    return str(read_rows(journal, "SELECT line FROM log ORDER BY number DESC LIMIT 1")[0]["line"])


def last_told_by_coordinator(office: LanOffice) -> str:
    """Return the last line that the coordinator has logged."""
    return says(office).splitlines()[-1]


def assert_about(line: str, off: int) -> None:
    """The clock that a line was logged by is so many seconds off."""
    at = datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    assert abs(at - time.time() - off) < _ABOUT_SECONDS, line


def row(off: int, at: str, moment: str, outcome: str) -> Row:
    """Return a row of this page."""
    whose = "the hosts'" if at == "the coordinator" else "the coordinator's"
    return Row(_AREA, f"set to an hour {WORD[off]} {whose}", at, moment, outcome, 0)
