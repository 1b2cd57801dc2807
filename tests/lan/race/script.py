"""The local script: the work that cannot be avoided, host after host, with no network at all."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.lan.app import NEW
from tests.lan.box import Host
from tests.lan.race.admin import Taken
from tests.lan.race.ground import CLOSE_CLIENTS, OPEN_CLIENTS, at_once

_SEQUENCE = Path(__file__).with_name("sequence.sh")


def prepare(hosts: Sequence[Host]) -> None:
    """Back up and unpack on every host, ahead of the race."""
    at_once(hosts, lambda host: _run(host, "prepare"))


def roll(hosts: Sequence[Host], mode: str) -> Taken:
    """Close the app everywhere, do the rest host after host ("whole" or "ready"), open it."""
    begun = time.monotonic()
    at_once(hosts, lambda host: host.run(*CLOSE_CLIENTS))
    for host in hosts:
        _run(host, mode)
    at_once(hosts, lambda host: host.run(*OPEN_CLIENTS))
    return Taken(time.monotonic() - begun)


def _run(host: Host, mode: str) -> None:
    host.run("bash", "-s", mode, NEW, text=_SEQUENCE.read_text("utf-8"))
