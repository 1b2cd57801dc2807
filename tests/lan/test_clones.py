"""A workstation's disk was copied, key and all: the copy is noticed, told, and given no order."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ledger import JournalRow, cordon_of, journal_steps
from tests.lan import agents
from tests.lan.app import APP, NEW, OLD, Workstation
from tests.lan.box import Box
from tests.lan.faults import Row
from tests.lan.moments import Moment as Point
from tests.lan.office import LanOffice
from tests.until import until

_AREA = "A workstation is cloned with its key"
_TOLD_SECONDS = 60.0
Tell = Callable[[Row], None]


@pytest.mark.thorough
def test_a_copy_of_a_host_is_told_and_takes_no_order_even_while_the_host_is_cut_off(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        rollout = office.start()
        office.when("h1", "drain", Point.BEGUN)
        office.cli("rollout", "pause", rollout)
        until(lambda: office.ledger.state_of(rollout)["state"] == "paused", 60, "it is paused")
        copy = Workstation(box.clone("h2", "copy"))
        wait_for_alarm(office, copy)
        told(row("in the middle of a rollout", "told in fleet list; the rollout goes on"))
        done = steps_of(office, copy)
        with ThreadPoolExecutor(1) as operator:
            resumed = operator.submit(office.cli, "rollout", "resume", rollout)
            office.when("h2", "back-up", Point.BEGUN)
            box.network.cut("h2")
            resumed.result()
        until(lambda: not is_linked(office), _TOLD_SECONDS, "h2 is lost")
        copy.host.run("systemctl", "restart", agents.UNIT)  # it dials at once
        until(lambda: is_refused(copy), _TOLD_SECONDS, "the copy is refused")
        assert not is_linked(office)
        box.network.heal("h2")
        assert office.end(rollout) == "done", office.told(rollout)
        assert office.violations() == []
        assert steps_of(office, copy) == done
        assert copy.version() == OLD
        cordon = cordon_of(copy.state)
        assert cordon is not None
        assert cordon["mode"] == "sealed"  # what is copied of a closed host is closed
        told(row("the host is cut off in its visit", "refused; the host itself ends its visit"))
        assert_is_told_and_blocks(office, copy)
        mend(office, copy)
        told(row("the next plan", "refused with the way out, which is gone: both enrolled anew"))


def row(moment: str, outcome: str) -> Row:
    """Return a row of this page."""
    return Row(_AREA, "a copy of it is switched on", "the host being updated", moment, outcome, 0)


def steps_of(office: LanOffice, copy: Workstation) -> list[JournalRow]:
    """Return what the copy has done of the rollout; what was under way was recovered at once."""
    return [s for s in journal_steps(copy.state, office.rollout) if s.state != "running"]


def _h2(office: LanOffice) -> dict[str, Any]:
    listed: list[dict[str, Any]] = office.cli("fleet", "list")
    return next(host for host in listed if host["name"] == "h2")


def is_linked(office: LanOffice) -> bool:
    """True when somebody has the link of the host that was copied."""
    return bool(_h2(office)["linked"])


def is_refused(copy: Workstation) -> bool:
    """True when the copy's agent says that it is not wanted, and why."""
    lines = json.loads((copy.state / "links.json").read_text("utf-8"))["lines"]
    return any("another PC holds the same certificate" in line["message"] for line in lines)


def wait_for_alarm(office: LanOffice, copy: Workstation) -> None:
    """The copy was noticed, it is told where it is, and it was not let in."""
    until(lambda: _h2(office)["clone_address"] == copy.host.ip, _TOLD_SECONDS, "it is noticed")
    assert _h2(office)["address"] == office.box.hosts["h2"].ip
    until(lambda: is_refused(copy), _TOLD_SECONDS, "the copy is refused")


def assert_is_told_and_blocks(office: LanOffice, copy: Workstation) -> None:
    """The doctor and a plan say it, with the way out, and the plan cannot be started."""
    checks = office.cli("doctor")
    said = [f for check in checks for f in check["findings"] if f["code"] == "two-machines"]
    plan = office.cli("plan", APP, NEW)
    said += [f for f in plan["findings"] if f["code"] == "two-machines"]
    assert len(said) == len(("doctor", "plan"))
    for found in said:
        assert f"h2: another machine, at {copy.host.ip}" in found["message"]
        assert "roundsman fleet revoke h2, then enrol both again" in found["fix"]
    assert {found["severity"] for found in said} == {"blocks"}


def mend(office: LanOffice, copy: Workstation) -> None:
    """Do what was told: both are enrolled anew, and the copy is updated as a host of its own."""
    office.cli("fleet", "revoke", "h2", "--yes")
    for station, name in ((office.stations["h2"], "h2"), (copy, "h2-copy")):
        token = office.cli("fleet", "token", "--group", "office", "--automatic")
        words = ("roundsman-agent", "enrol", token["token"], "--name", name, "--again")
        station.host.run(*words, seconds=_TOLD_SECONDS)
        station.host.run("systemctl", "restart", agents.UNIT)
    office.wait_linked("h2")
    until(lambda: agents.is_linked(copy), _TOLD_SECONDS, "the copy is linked")
    plan = office.cli("plan", APP, NEW)
    assert [f for f in plan["findings"] if f["severity"] == "blocks"] == [], plan["findings"]
    again = office.cli("rollout", "start", plan["label"])["id"]
    assert office.end(again) == "done", office.told(again)
    assert copy.version() == NEW
