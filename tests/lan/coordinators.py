"""The coordinator's machine in trouble: cut off, without power, restored, there a second time."""

import json
import shutil
from pathlib import Path

from coordinator.cli.demo_processes import end as end_in_order
from tests.lan.app import Workstation
from tests.lan.office import LanOffice


def end_in_peace(office: LanOffice) -> None:
    """End the coordinator as its service manager does."""
    end_in_order([office.coordinator])


def power_off(office: LanOffice) -> None:
    """Pull the plug of the seat: no host is told that the coordinator is gone."""
    office.box.network.cut("seat")
    office.kill_coordinator()


def power_on(office: LanOffice) -> None:
    """Boot the seat again, with the coordinator."""
    office.box.network.heal("seat")
    office.start_coordinator()


def backed_up(office: LanOffice, name: str) -> Path:
    """Return a copy of the coordinator's home, taken while it does not run."""
    end_in_peace(office)
    copy = office.folder / name
    shutil.copytree(_home(office), copy)
    office.start_coordinator()
    office.wait_linked(*office.stations)
    return copy


def put_back(office: LanOffice, copy: Path) -> None:
    """Have the home as it was when it was copied; the coordinator does not run."""
    shutil.rmtree(_home(office))
    shutil.copytree(copy, _home(office))


def says(office: LanOffice) -> str:
    """Return what the coordinator has written of what it does."""
    return (_home(office) / "log" / "coordinator.log").read_text("utf-8")


def line_of(station: Workstation, address: str = "") -> str:
    """Return how an agent's link stands, in its own word."""
    file = station.state / "links.json"
    lines = json.loads(file.read_text("utf-8"))["lines"]
    return next(str(line["state"]) for line in lines if line["address"].startswith(address))


def _home(office: LanOffice) -> Path:
    return office.folder / "coordinator"
