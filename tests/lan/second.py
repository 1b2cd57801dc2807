"""A second coordinator: a copy of the first one's home, on another machine of the LAN.

Agents that dial that machine too, as when an office moves its coordinator, have both.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from coordinator.access import read_access, write_access
from coordinator.cli.demo_processes import end as end_in_order
from coordinator.settings import HTTPS_PORT, LINK_PORT
from tests.lan import agents
from tests.lan.home import environment
from tests.lan.office import LanOffice, listens
from tests.lan.settings import NET, namespace
from tests.until import until

NAME = "seat2"
_NUMBER = 5
IP = f"{NET}.0.{_NUMBER}"
_UP_SECONDS = 60.0
_ALSO = f"""
[[coordinators]]
link = "{IP}:{LINK_PORT}"
https = "https://{IP}:{HTTPS_PORT}"
"""


def have_it_dialed(office: LanOffice) -> None:
    """Have every agent dial the second machine also; return once they are linked again."""
    for station in office.stations.values():
        with (station.state / "agent.toml").open("a", encoding="utf-8") as config:
            config.write(_ALSO)
        (station.state / "links.json").unlink()
        station.host.run("systemctl", "restart", agents.UNIT)
    office.wait_linked(*office.stations)


class Second:
    """The second machine, from entering it to leaving it."""

    def __init__(self, office: LanOffice, copy: Path) -> None:
        self._office = office
        self._folder = office.folder / NAME
        self._copy = copy
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Switch it on, with the copy as its coordinator's home; it does not run yet."""
        self._folder.mkdir()
        self._copy.rename(self._folder / "coordinator")
        ours = read_access(self._office.folder / "operator")
        there = replace(ours, address=f"{IP}:{HTTPS_PORT}")
        write_access(self._folder / "operator", there, ours.ca.read_bytes())
        self._office.box.network.add(NAME, IP, _NUMBER)
        self._office.box.network.plug(NAME)
        return self

    def __exit__(self, *_: object) -> None:
        """Switch it off."""
        self.end()
        with suppress(LookupError):
            self._office.box.network.unplug(NAME)
            self._office.box.network.forget(NAME)

    def start(self) -> None:
        """Start its coordinator; return once it listens."""
        with (self._folder / "coordinator.log").open("ab") as log:
            command = self._typed("serve")
            daemon = subprocess.Popen(command, env=self._surroundings, stdout=log, stderr=log)
        self._daemon = daemon
        until(lambda: listens(daemon) or daemon.poll() is not None, _UP_SECONDS, "it listens")
        assert daemon.poll() is None, (self._folder / "coordinator.log").read_text("utf-8")

    def end(self) -> None:
        """End its coordinator in order."""
        end_in_order([self._daemon])

    def cli(self, *arguments: str) -> Any:
        """Type `roundsman ... --json` there; return what it printed, or its words."""
        ended = subprocess.run(
            self._typed(*arguments, "--json"),
            env=self._surroundings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return json.loads(ended.stdout) if ended.returncode in {0, 1} else ended.stderr

    @property
    def _surroundings(self) -> Mapping[str, str]:
        return os.environ | environment(self._folder)

    def _typed(self, *words: str) -> list[str]:
        enter = ["nsenter", f"--net=/run/netns/{namespace(NAME)}", "--"]
        return [*enter, sys.executable, "-m", "coordinator.cli", *words]
