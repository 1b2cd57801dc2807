"""The agent on one host of the box: installed from its package, enrolled over the LAN, linked."""

import json
import shutil
import tomllib
from pathlib import Path

from tests.lan.app import Workstation

UNIT = "roundsman-agent.service"
_INSTALL_SECONDS = 120.0


def install(station: Workstation, deb: Path) -> None:
    """Install the package, as an administrator does."""
    there = f"/root/{deb.name}"
    shutil.copy(deb, station.host.root / there.lstrip("/"))
    station.host.run("dpkg", "--install", there, seconds=_INSTALL_SECONDS)


def enrol(station: Workstation, token: str) -> None:
    """Enrol the host, waiting to be let in, and start its agent."""
    words = ("roundsman-agent", "enrol", token, "--name", station.name)
    station.host.run(*words, seconds=_INSTALL_SECONDS)
    station.host.run("systemctl", "start", UNIT)


def id_of(station: Workstation) -> str:
    """Return what the coordinator calls the host."""
    return str(tomllib.loads((station.state / "agent.toml").read_text("utf-8"))["host"])


def is_linked(station: Workstation) -> bool:
    """True when its agent says that it has a coordinator."""
    file = station.state / "links.json"
    lines = json.loads(file.read_text("utf-8"))["lines"] if file.exists() else []
    return any(line["state"] == "linked" for line in lines)
