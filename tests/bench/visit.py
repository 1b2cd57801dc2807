"""How long a visit takes whose steps do nothing: all that is not the vendor's update itself.

Twenty hosts, each with a real runner and journal. From the first visit's beginning to the last
one's end, by the coordinator's own record, over the number of visits: so what is done between
two visits counts too.
"""

import statistics

from coordinator.api.schemas import RolloutView
from tests.bench.figure import Figure, spread
from tests.bench.office import bench_office

_HOSTS, _ROLLOUTS = 20, 3
_LIMIT = 150.0


def measure() -> list[Figure]:
    with bench_office() as office:
        office.crowd(_HOSTS)
        samples = [_visit(office.end_of(office.start_rollout())) for _ in range(_ROLLOUTS)]
    value = statistics.median(samples)
    name = f"a visit, of {_HOSTS} hosts whose steps do nothing"
    return [Figure(name, value, "ms", _LIMIT, spread(samples, 0))]


def _visit(ended: RolloutView) -> float:
    begun = min(visit.began for visit in ended.visits if visit.began)
    over = max(visit.ended for visit in ended.visits if visit.ended)
    return (over - begun) * 1000 / len(ended.visits)
