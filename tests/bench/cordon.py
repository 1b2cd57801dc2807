"""How soon two hundred simulated agents have confirmed a cordon, beside as many bare pings.

In a real rollout whose group has two hundred hosts, all held but one: cordons are ordered as for
any other, and there is only one visit to wait for. What each round of cordons took is in the
engine's own record. The rival: a bare hub over the same links, with nothing to say or to write.
"""

import sqlite3
import statistics
import time

from agent.wire.tls import Credentials, Side, make_context
from coordinator import __version__
from coordinator.fleet.hub import Hub, HubOptions
from coordinator.fleet.listener import Listener
from coordinator.walk.states import RolloutState
from tests.bench.figure import Figure, ratio, spread
from tests.bench.office import BenchOffice, bench_office, patiently

_HOSTS, _ROLLOUTS, _PINGS = 200, 3, 9
_LIMIT, _RATIO_LIMIT = 0.5, 4.0


def measure() -> list[Figure]:
    with bench_office() as office:
        office.crowd(_HOSTS)
        _hold_all_but_one(office)
        for _ in range(_ROLLOUTS):
            office.end_of(office.start_rollout(), RolloutState.PARTLY_DONE)
        cordons = _rounds(office)
        office.stop_coordinator()
        pings = _bare_pings(office)
    value = statistics.median(cordons)
    return [
        Figure(f"cordon confirmed by {_HOSTS} agents", value, "s", _LIMIT, spread(cordons)),
        ratio(f"{_HOSTS} cordons beside {_HOSTS} bare pings", cordons, pings, _RATIO_LIMIT),
    ]


def _hold_all_but_one(office: BenchOffice) -> None:
    with office.client() as client:
        for host in client.hosts()[1:]:
            client.hold(host.id, "not visited here")


def _rounds(office: BenchOffice) -> list[float]:
    """Return the seconds of each round of cordons: all hosts, or all but the one visited."""
    query = (
        "SELECT completed_at_epoch_ms - started_at_epoch_ms FROM operation_outputs "
        "WHERE function_name LIKE 'confirm %'"
    )
    database = sqlite3.connect(office.base / "coordinator" / "roundsman.sqlite")
    try:
        return [milliseconds / 1000 for (milliseconds,) in database.execute(query)]
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
