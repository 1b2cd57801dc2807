"""The exclusive part of an update beside the same work done by a shell script on the same files.

One workstation with a real agent and the stand-in application; its coordinator walks it from one
release to the next, and in between `rival.sh` takes two copies of the same folder there too, one
from stop to deleted, one already unpacked and backed up. Counted for us from the beginning of
stop-service-manager to the end of check-health, by the coordinator's own record.
"""

import contextlib
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from coordinator.standin.make_release import Size
from tests.bench.figure import Figure, ratio, spread
from tests.bench.update_office import RIVALS, UpdateOffice

_WHOLE_LIMIT, _READY_LIMIT = 0.6, 1.5
_HALF_A_LIBRARY = 125_000  # bytes: a file of 250 kB
Samples = dict[str, list[float]]


def small() -> list[Figure]:
    """Measure an app of 50 MB, in 200 files."""
    return _figures("50 MB", _measure(Size(200, _HALF_A_LIBRARY), 7))


def large() -> list[Figure]:
    """Measure an app of 500 MB, in 2,000 files."""
    return _figures("500 MB", _measure(Size(2000, _HALF_A_LIBRARY), 3))


def _measure(size: Size, rounds: int) -> Samples:
    versions = [f"1.{number + 1}" for number in range(rounds)]
    samples: Samples = {name: [] for name in ("ours", "all of it", *RIVALS)}
    with _office(size, versions) as office:
        for version in versions:
            for who in random.sample(("ours", *RIVALS), 3):
                _take_turn(office, who, version, samples)
    return samples


def _take_turn(office: UpdateOffice, who: str, version: str, samples: Samples) -> None:
    if who in RIVALS:
        samples[who].append(office.update_by_hand(who, version))
        return
    exclusive, total = office.update(version)
    samples["ours"].append(exclusive)
    samples["all of it"].append(total)


@contextlib.contextmanager
def _office(size: Size, versions: Sequence[str]) -> Iterator[UpdateOffice]:
    base = Path(tempfile.mkdtemp(prefix="roundsman-bench-"))
    office = UpdateOffice(base, size)
    try:
        office.open(versions)
        yield office
    finally:
        office.close()
        shutil.rmtree(base)


def _figures(size: str, samples: Samples) -> list[Figure]:
    ours, total = samples["ours"], samples["all of it"]
    name = f"exclusive part, {size}"
    return [
        Figure(name, statistics.median(ours), "s", None, spread(ours)),
        ratio(f"{name}, beside a script", ours, samples["whole"], _WHOLE_LIMIT),
        ratio(f"{name}, beside a prepared script", ours, samples["ready"], _READY_LIMIT),
        Figure(f"a whole rollout of {size}", statistics.median(total), "s", None, spread(total)),
    ]
