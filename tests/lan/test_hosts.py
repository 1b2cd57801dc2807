"""Workstations are switched off in the middle of everything, for a moment and for good."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator.cli.demo_witness import Case, Wanted, Witness
from tests.faults.ledger import cordon_of
from tests.lan.app import NEW, OLD
from tests.lan.box import Box
from tests.lan.cables import Moment, held_at, promptly
from tests.lan.faults import Row
from tests.lan.moments import Moment as Point
from tests.lan.office import LanOffice
from tests.lan.power import assert_sealed, boot, cut_power, cut_power_at, slowed
from tests.until import until

_THOROUGH = pytest.mark.thorough
_AREA = "A workstation is switched off"
_UPDATED, _GUARDED = "the host being updated", "a guarded one"
_ON_AGAIN = "on again: runnable, guarded before log-in, the rollout ends well"
_RENAMES, _RENAME_MS = "rename,renameat,renameat2", 700
_SILENT_SECONDS = 90.0
"""More than the silence that is borne of a host, 60 s."""
Tell = Callable[[Row], None]


def test_hosts_that_lose_power_in_a_visit_are_runnable_and_guarded_and_the_rollout_ends_well(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        during = Moment("h1", "apply-release")
        cut_power_at(office, during)
        boot(office, "h1")
        assert_sealed(office.stations["h1"])
        told(row(_UPDATED, str(during)))
        with held_at(office, Moment("h2", "back-up")):
            cut_power(box.hosts["h3"])
            box.network.cut("h3")  # h2 waits for it, and its own turn comes when it is watched
        boot(office, "h3")
        assert_sealed(office.stations["h3"])
        told(row(_GUARDED, "during back-up of another"))
        cut_power_between_the_renames(office, "h3")
        boot(office, "h3")
        assert_sealed(office.stations["h3"])
        told(row(_UPDATED, "during apply-release, between its two renames"))
        end_well(office)


def cut_power_between_the_renames(office: LanOffice, name: str) -> None:
    """Pull the plug while there is no app: the old one is aside, the new one not yet there."""
    folder = office.stations[name].folder
    with slowed(office.box.hosts[name], _RENAMES, _RENAME_MS):
        office.box.network.put_back(name)
        promptly(lambda: not folder.exists(), f"{name}: the app is renamed away")
        cut_power(office.box.hosts[name])
    assert not folder.exists()


@_THOROUGH
def test_hosts_that_lose_power_outside_of_visits_are_taken_along(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        office.start()
        closing = [Moment("h1", "stage"), Moment("h2", "drain")]
        visited = [Moment("h1", "back-up"), Moment("h2", "check-health")]
        for moment in (*closing, *visited):
            cut_power_at(office, moment)
            boot(office, moment.host)
            told(row(_UPDATED, str(moment)))
        office.when("h3", "start-service-manager", Point.ENDED, direction="undo")
        with slowed(box.hosts["h3"], "unlinkat,unlink,rmdir", 100):
            cut_power_at(office, Moment("h3", "apply-release", direction="tidy"))
        boot(office, "h3")
        told(row("any", "during the commit"))
        end_well(office)


def end_well(office: LanOffice) -> None:
    """The rollout ends as if nothing had been, and nothing was that must not be."""
    assert office.end(office.rollout) == "done", office.told(office.rollout)
    assert office.violations() == []


def row(at: str, moment: str, outcome: str = _ON_AGAIN) -> Row:
    """Return a row of this page."""
    return Row(_AREA, "the plug is pulled, and it is switched on again", at, moment, outcome, 0)


@_THOROUGH
def test_one_that_stays_off_is_left_out_by_an_operator_and_finished_by_a_new_plan(
    tmp_path: Path, told: Tell
) -> None:
    with Box(3) as box, LanOffice(box, tmp_path) as office:
        rollout = office.start()
        cut_power_at(office, Moment("h2", "apply-release"))
        assert_waits_for(office, "h2", "skip")
        assert office.stations["h3"].version() == OLD  # nobody else is touched meanwhile (I1)
        office.cli("rollout", "skip", rollout, "h2", "--switched-off")
        assert office.end(rollout) == "partly-done", office.told(rollout)
        assert office.violations() == []
        told(off_for_good("during apply-release", "skipped by an operator, the others end well"))
        boot(office, "h2")
        assert_sealed(office.stations["h2"])
        finish_with_a_new_plan(office, "h2")
        told(off_for_good("back after the rollout", "stays sealed, ends by a new plan"))


def assert_waits_for(office: LanOffice, name: str, word: str) -> dict[str, Any]:
    """The rollout waits for a person, and says for which host, why, and what to do."""
    rollout = office.rollout
    state = "needs-operator"
    until(lambda: office.ledger.state_of(rollout)["state"] == state, _SILENT_SECONDS, state)
    why: dict[str, Any] = office.cli("rollout", "why", rollout)
    assert name in why["reason"], why
    assert why["reason"].partition(":")[2].strip(), why
    assert f"rollout {word}" in why["mend"], why
    assert name in why["mend"], why
    return why


def finish_with_a_new_plan(office: LanOffice, name: str) -> None:
    """Update what was left; judged anew from here, as the others were open meanwhile."""
    station = office.stations[name]
    releases = {v: office.folder / "releases" / f for v, f in ((OLD, OLD), (NEW, f"{NEW}.zip"))}
    witness = Witness(office.folder, [station], Case("witness-again", releases, OLD, NEW))
    witness.start()
    until(lambda: is_linked(office, name), 60, f"{name} is linked")
    rollout = office.start()
    assert office.end(rollout) == "done", office.told(rollout)
    assert witness.judge_each({name: Wanted(NEW)})["violations"] == []
    assert {s.version() for s in office.stations.values()} == {NEW}
    cordon = cordon_of(station.state)
    assert cordon is None or cordon["mode"] == "none"


def is_linked(office: LanOffice, name: str) -> bool:
    """True when the coordinator has a link to a host."""
    return any(host["linked"] for host in office.cli("fleet", "list") if host["name"] == name)


def off_for_good(moment: str, outcome: str) -> Row:
    """Return a row of this page."""
    return Row(_AREA, "the plug is pulled for good", _UPDATED, moment, outcome, 0)
