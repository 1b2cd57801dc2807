"""The agents' package is installed anew in the middle of a rollout, on all workstations."""

import shutil
from pathlib import Path

import pytest

from tests.lan import agents
from tests.lan.box import Box
from tests.lan.moments import Moment
from tests.lan.office import LanOffice
from tests.lan.package import package
from tests.lan.verdict import Json

_THOROUGH = pytest.mark.thorough
_HOSTS = ("h1", "h2", "h3")
_PLACES = ("/etc/systemd/system/", "/opt/roundsman", "/root", "/usr/", "/var/lib/dpkg")


def _pid(office: LanOffice, name: str) -> str:
    shown = ("systemctl", "show", "--property=MainPID", "--value", agents.UNIT)
    return office.box.hosts[name].run(*shown).stdout.strip()


def _is_the_packages(found: Json) -> bool:
    """True when something is where dpkg has put it, and nobody else has to write."""
    return found["kind"] == "elsewhere" and str(found["detail"]).startswith(_PLACES)


@pytest.mark.parametrize("step", [pytest.param("back-up", marks=_THOROUGH), "apply-release"])
def test_agents_are_replaced_in_the_middle_of_a_rollout_and_it_ends_well(
    tmp_path: Path, step: str
) -> None:
    with Box(len(_HOSTS)) as box, LanOffice(box, tmp_path) as office:
        for host in box.hosts.values():
            shutil.copy(package(), host.root / "root/again.deb")
        before = {name: _pid(office, name) for name in _HOSTS}
        rollout = office.start()
        office.when("h2", step, Moment.BEGUN)
        upgrades = [h.spawn("dpkg", "--install", "/root/again.deb") for h in box.hosts.values()]
        assert [upgrade.wait(120) for upgrade in upgrades] == [0, 0, 0]
        assert office.end(rollout) == "done", office.told(rollout)
        assert [found for found in office.violations() if not _is_the_packages(found)] == []
        for name in _HOSTS:
            assert _pid(office, name) not in {"0", before[name]}
