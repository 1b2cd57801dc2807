"""How soon two hundred simulated agents have confirmed a cordon, beside as many bare pings.

In a real rollout whose group has two hundred hosts, all held but one: cordons are ordered as for
any other, and there is only one visit to wait for. What each round of cordons took is in the
engine's own record: the first of a rollout, which makes and writes a code for each host, and the
later ones. Each of two hundred PCs has a disk of its own; here their journals are in memory.

The rival: a bare hub over the same links, with nothing to say, to write or to read.
"""

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from agent.wire.tls import Credentials, Side, make_context
from coordinator import __version__
from coordinator.fleet.hub import Hub, HubOptions
from coordinator.fleet.listener import Listener
from coordinator.walk.states import RolloutState
from tests.bench.figure import Figure, ratio, spread
from tests.bench.office import BenchOffice, bench_office, patiently

_HOSTS, _ROLLOUTS, _PINGS = 200, 5, 15
_LIMIT, _RATIO_LIMIT = 0.5, 5.0
_MEMORY = Path("/dev/shm")
_NEW, _LATER = "confirm leased", "confirm sealed"


def measure() -> list[Figure]:
    memory = _MEMORY if _MEMORY.is_dir() else None
    with bench_office() as office, tempfile.TemporaryDirectory(dir=memory) as disks:
        office.crowd(_HOSTS, folder=Path(disks))
        _hold_all_but_one(office)
        for _ in range(_ROLLOUTS):
            office.end_of(office.start_rollout(), RolloutState.PARTLY_DONE)
        new, later = _rounds(office, _NEW), _rounds(office, _LATER)
        office.stop_coordinator()
        pings = _bare_pings(office)
    return [
        _figure(f"new cordon confirmed by {_HOSTS} agents", new),
        _figure(f"cordon confirmed again by {_HOSTS} agents", later),
        ratio(f"{_HOSTS} cordons confirmed again beside bare pings", later, pings, _RATIO_LIMIT),
    ]


def _figure(name: str, samples: list[float]) -> Figure:
    return Figure(name, statistics.median(samples), "s", _LIMIT, spread(samples))


def _hold_all_but_one(office: BenchOffice) -> None:
    with office.client() as client:
        for host in client.hosts()[1:]:
            client.hold(host.id, "not visited here")


def _rounds(office: BenchOffice, name: str) -> list[float]:
    """Return the seconds of each round: of all hosts, or of all but the one visited."""
    query = (
        "SELECT completed_at_epoch_ms - started_at_epoch_ms FROM operation_outputs "
        "WHERE function_name = ?"
    )
    database = sqlite3.connect(office.base / "coordinator" / "roundsman.sqlite")
    try:
        return [milliseconds / 1000 for (milliseconds,) in database.execute(query, (name,))]
    finally:
        database.close()


def _bare_pings(office: BenchOffice) -> list[float]:
    folder = office.base / "coordinator" / "ca"
    files = (folder / "coordinator-key.pem", folder / "coordinator.pem", folder / "ca.pem")
    context = make_context(Side.SERVER, Credentials(*files))
    hub = Hub(HubOptions(__version__))
    address = ("127.0.0.1", office.link_port)
    listener = Listener(address, context, hub.welcome, lambda _identity: False)
    listener.start()
    try:
        patiently(lambda: len(hub.linked()) == _HOSTS, "everybody linked again")
        return [_seconds(hub) for _ in range(_PINGS)]
    finally:
        listener.close()
        hub.close()


def _seconds(hub: Hub) -> float:
    begun = time.perf_counter()
    hub.beat()
    return time.perf_counter() - begun
