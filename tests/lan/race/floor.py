"""How soon everybody can be closed at all: clients stopped in every host at once, no network."""

import time
from collections.abc import Sequence

from tests.lan.app import CLIENTS
from tests.lan.box import Host
from tests.lan.race.ground import CLOSE_CLIENTS, OPEN_CLIENTS, at_once


def close_all(hosts: Sequence[Host], rounds: int) -> list[float]:
    """Return the seconds that it took, each time with everybody's app open before."""
    return [_close(hosts) for _ in range(rounds)]


def _close(hosts: Sequence[Host]) -> float:
    begun = time.monotonic()
    at_once(hosts, lambda host: host.run(*CLOSE_CLIENTS))
    seconds = time.monotonic() - begun
    at_once(hosts, _open)
    return seconds


def _open(host: Host) -> None:
    # systemd counts how often they are started, if it has not forgotten them
    host.run("systemctl", "reset-failed", *CLIENTS, check=False)
    host.run(*OPEN_CLIENTS)
