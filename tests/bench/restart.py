"""How soon after kill -9 of the coordinator an agent hears the first order again.

Five hosts whose steps take half a second each. The coordinator is killed at a random moment
among the visits and started again at once; counted from the kill to the first order that any
agent is given, links and engine and all in between. Agents dial again by themselves.
"""

import random
import statistics
import threading
import time

from coordinator.walk.states import HostState
from tests.bench.figure import Figure, spread
from tests.bench.office import BenchOffice, bench_office, patiently

_HOSTS, _KILLS = 5, 7
_STEP_SECONDS = 0.5
_LIMIT = 5.0


def measure() -> list[Figure]:
    with bench_office() as office:
        office.crowd(_HOSTS, _STEP_SECONDS)
        samples = [_killed(office) for _ in range(_KILLS)]
    value = statistics.median(samples)
    name = "first order again after kill -9 of the coordinator"
    return [Figure(name, value, "s", _LIMIT, spread(samples, 1))]


def _killed(office: BenchOffice) -> float:
    label = office.start_rollout()
    patiently(lambda: _is_visiting(office, label), f"{label} visits somebody")
    threading.Event().wait(random.uniform(0.0, _HOSTS * 1.5))
    office.kill_coordinator()
    killed = time.monotonic()
    office.start_coordinator()
    patiently(lambda: any(at > killed for at in office.order_times()), "an order again")
    first = min(at for at in office.order_times() if at > killed)
    office.end_of(label)
    office.wait_all_linked(_HOSTS)
    return first - killed


def _is_visiting(office: BenchOffice, label: str) -> bool:
    seen = office.rollout(label)
    return seen is not None and any(v.state is HostState.UPDATING for v in seen.visits)
