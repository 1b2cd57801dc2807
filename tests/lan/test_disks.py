"""A workstation's disk is full, before a rollout and in the middle of it: nothing is half done."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator.standin.make_release import Size
from tests.lan import agents
from tests.lan.app import APP, NEW, OLD
from tests.lan.box import Box, Host
from tests.lan.cables import Moment, held_at, promptly, standing_still
from tests.lan.faults import Row
from tests.lan.office import LanOffice, Terms
from tests.lan.power import assert_runnable
from tests.lan.refusals import why_not_started
from tests.until import until

_AREA = "A disk is full"
_LARGE = Size(libraries=40, half_a_library=200_000, table=500_000)
_DISK_MEGABYTES = 250
_MUCH_DATA = Size(libraries=20, half_a_library=14_000, table=10_000_000)
_MEGABYTES_FOR_DATA = 500
_TABLES = 4  # in a host's data
_MOST_MENDS = 3
_LEFT_MEGABYTES = 5
_MARGIN_MEGABYTES = 2  # what a file's own blocks take; filled by writing
_FILLER = "/var/tmp/filler"
_FULL = "No space left on device"
_IN_WORDS = (_FULL, "disk is full", "cannot hold the update on the disk")
_WAIT_SECONDS = 60.0
_END_SECONDS = 120.0
Tell = Callable[[Row], None]


@pytest.mark.thorough
def test_a_disk_that_fills_up_at_any_step_leaves_a_runnable_app_and_once_emptied_all_goes_on(
    tmp_path: Path, told: Tell
) -> None:
    with (
        Box(3, disk_megabytes={"h2": _DISK_MEGABYTES}) as box,
        LanOffice(box, tmp_path, terms=Terms(size=_LARGE)) as office,
    ):
        host = box.hosts["h2"]
        assert_told_before(office)
        told(row("before the rollout", "told with its figures; the plan is not started"))
        rollout = office.start()
        for step in ("stage", "back-up"):
            with held_at(office, Moment("h2", step)):
                fill(host)
            assert_waits(office, step)
            assert_runnable(office, "h2")
            empty(host)
            take_the_mend(office)
            told(row(f"during {step}", "waits, says who and why; emptied and tried again: done"))
        until(lambda: has_ended(office) or asks(office), _END_SECONDS, "its way back is taken")
        take_the_mend(office)  # that was the way back, tried again; now the update
        until(lambda: has_ended(office), _END_SECONDS, "the rollout ends")
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []


@pytest.mark.thorough
@pytest.mark.parametrize("place", ["as it begins", "while what the host keeps is carried over"])
def test_a_disk_that_fills_up_while_the_release_is_put_in_place_leaves_the_old_one_whole(
    tmp_path: Path, told: Tell, place: str
) -> None:
    with (
        Box(3, disk_megabytes={"h2": _MEGABYTES_FOR_DATA}) as box,
        LanOffice(box, tmp_path, terms=Terms(size=_MUCH_DATA)) as office,
    ):
        host, rollout = box.hosts["h2"], office.start()
        with _AT[place](office):
            fill(host)
        assert_waits(office, "apply-release")
        assert_was_full(host, "apply-release")
        assert_runnable(office, "h2")
        assert office.stations["h2"].version() == OLD
        empty(host)
        take_the_mends_offered(office)
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
        outcome = "the old release is whole; says who and why; emptied and tried again: done"
        told(row(f"apply-release, {place}", outcome))


def as_it_begins(office: LanOffice) -> AbstractContextManager[None]:
    """Hold the host as soon as its journal says that the step is under way."""
    return held_at(office, Moment("h2", "apply-release"))


@contextmanager
def while_it_carries_over(office: LanOffice) -> Iterator[None]:
    """Hold the host while its own data is being copied into the new release."""
    staging = office.stations["h2"].state / "staging" / office.rollout
    promptly(lambda: list(staging.glob("incoming/data/*")), "data is carried over")
    with standing_still(office.box.hosts["h2"]):
        copied = {file.name for file in staging.glob("incoming/data/*")}
        assert len(copied) < _TABLES, f"all was copied already: {copied}"
        yield


_AT = {
    "as it begins": as_it_begins,
    "while what the host keeps is carried over": while_it_carries_over,
}


def assert_was_full(host: Host, step: str) -> None:
    """The host's agent has found its disk full in this step, as the system's journal has it."""
    said = host.run("journalctl", "--output=cat", f"--unit={agents.UNIT}").stdout.splitlines()
    told = [json.loads(line) for line in said if line.startswith('{"time"')]
    ended = [t["detail"] for t in told if t["what"] == "step ended" and step in t["step"]]
    assert any(_FULL in detail for detail in ended), ended


def take_the_mends_offered(office: LanOffice) -> None:
    """Try again as is offered, as often as is asked: the way back first, then the update."""
    for _ in range(_MOST_MENDS):
        take_the_mend(office)
        until(lambda: has_ended(office) or asks(office), _END_SECONDS, "it ends, or asks again")
        if has_ended(office):
            return


def has_ended(office: LanOffice) -> bool:
    """True at the end."""
    return office.ledger.state_of(office.rollout)["ended"] is not None


def asks(office: LanOffice) -> bool:
    """True while the rollout waits for a person."""
    return bool(office.ledger.state_of(office.rollout)["state"] == "needs-operator")


def take_the_mend(office: LanOffice) -> None:
    """Try again as is offered; returns once the walk has taken that up."""
    before = office.ledger.state_of(office.rollout)["since"]
    office.cli("rollout", "retry", office.rollout, "--host", "h2")
    until(
        lambda: office.ledger.state_of(office.rollout)["since"] != before,
        _WAIT_SECONDS,
        "the walk goes on",
    )


def row(moment: str, outcome: str) -> Row:
    """Return a row of this page."""
    return Row(_AREA, "nothing is left of its disk", "the host being updated", moment, outcome, 0)


def fill(host: Host, left_megabytes: int = 0) -> None:
    """Have so much and no more left on a host's disk."""
    about = os.statvfs(host.root)
    room = about.f_bavail * about.f_frsize - ((left_megabytes or _MARGIN_MEGABYTES) << 20)
    filler = host.root / _FILLER.lstrip("/")
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(room, 1))
    if not left_megabytes:
        more = ["dd", "if=/dev/zero", f"of={filler}", "bs=4k", "oflag=append", "conv=notrunc"]
        assert _FULL in subprocess.run(more, capture_output=True, text=True, check=False).stderr


def empty(host: Host) -> None:
    """Give the room back."""
    (host.root / _FILLER.lstrip("/")).unlink()


def assert_told_before(office: LanOffice) -> None:
    """The doctor and a plan say what is needed and what is free, and the plan is not started."""
    host = office.box.hosts["h2"]
    fill(host, _LEFT_MEGABYTES)
    checks = office.cli("doctor")
    plan = office.cli("plan", APP, NEW)
    for findings in (*[check["findings"] for check in checks], plan["findings"]):
        for found in findings:
            assert_names_the_figures(found)
    assert [check["host"] for check in checks if check["findings"]] == ["h2"]
    assert {found["host"] for found in plan["findings"]} == {"h2"}
    assert "cannot hold the update on the disk" in why_not_started(office, plan)
    empty(host)


def assert_names_the_figures(found: dict[str, Any]) -> None:
    """A finding says how much is needed, and how much there is."""
    before, _, figures = found["message"].partition("cannot hold the update on the disk of ")
    needed, free = figures.split(": it needs ")[1].removesuffix(" are free").split(", ")
    assert before in {"", "h2: "}  # the doctor has the host in a column of its own
    assert found["fix"]
    assert float(needed.removesuffix(" MB")) > float(free.removesuffix(" MB"))
    assert float(free.removesuffix(" MB")) <= _LEFT_MEGABYTES + 1


def assert_waits(office: LanOffice, step: str) -> None:
    """The rollout waits for a person and says which host, what it could not do, and why."""
    rollout = office.rollout
    until(lambda: asks(office), _WAIT_SECONDS, f"{step} fails")
    told = office.told(rollout)
    why = office.cli("rollout", "why", rollout)
    assert "h2" in why["reason"], why
    assert "rollout retry" in why["mend"], why
    assert any(words in told for words in _IN_WORDS), told
