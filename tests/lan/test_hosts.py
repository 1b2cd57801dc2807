"""Workstations lose power in the middle of everything and are switched on again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lan.box import Box
from tests.lan.cables import Moment, held_at, promptly
from tests.lan.faults import Row
from tests.lan.moments import Moment as Point
from tests.lan.office import LanOffice
from tests.lan.power import assert_sealed, boot, cut_power, cut_power_at, slowed

_THOROUGH = pytest.mark.thorough
_AREA = "A workstation is switched off"
_UPDATED, _GUARDED = "the host being updated", "a guarded one"
_ON_AGAIN = "on again: runnable, guarded before log-in, the rollout ends well"
_RENAMES, _RENAME_MS = "rename,renameat,renameat2", 700
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
