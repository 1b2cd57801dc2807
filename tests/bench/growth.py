"""What an office of one size takes of its coordinator: links, cordons, visits.

Real links, certificates and enrolments; a real coordinator in a process of its own; simulated
agents, whose steps take no time, in a few processes beside it. All dial at the same moment. Then
a real rollout closes all of them and begins to visit one after another, every other one confirmed
closed before each change; after some visits that is enough.
"""

import contextlib
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.bench.idle import cpu_seconds, memory_bytes
from tests.bench.office import BenchOffice, bench_office, patiently
from tests.bench.watched import Watched

_VISITS = 40
_IDLE_SECONDS = 20.0  # two pings
_LOOK_SECONDS = 0.5
_MEMORY = Path("/dev/shm")
_MB = 1e6
_TURNS = "SELECT began FROM visit WHERE began IS NOT NULL ORDER BY began"
_ROUND = (
    "SELECT completed_at_epoch_ms - started_at_epoch_ms FROM operation_outputs "
    "WHERE function_name = ? ORDER BY function_id LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Growth:
    """What one size took; seconds, MB, and shares of one processor."""

    size: int
    linking: float
    idle: float
    memory: float
    closing: float  # a new cordon on every host, confirmed
    sealing: float
    turns: list[float]  # from one visit's beginning to the next one's
    spent: float  # of the coordinator's processor, a visit
    memory_after: float


def grown(size: int) -> Growth:
    """Measure an office of so many workstations."""
    memory = _MEMORY if _MEMORY.is_dir() else None
    with bench_office() as office, tempfile.TemporaryDirectory(dir=memory) as disks:
        pid = _pid(office)
        office.gather(size, folder=Path(disks))
        linking = office.let_dial()
        office.wait_all_linked(size)
        idle, linked = _idle(pid), memory_bytes(pid) / _MB
        with Watched(pid) as watched:
            office.start_rollout()
            begun = _visited(office)
        return Growth(
            size=size,
            linking=linking,
            idle=idle,
            memory=linked,
            closing=_round(office, "confirm leased"),
            sealing=_round(office, "confirm sealed"),
            turns=[late - early for early, late in pairwise(begun)],
            spent=watched.between(begun[0], begun[-1]) / (len(begun) - 1),
            memory_after=memory_bytes(pid) / _MB,
        )


def _pid(office: BenchOffice) -> int:
    assert office.coordinator is not None
    return office.coordinator.pid


def _idle(pid: int) -> float:
    begun, before = time.monotonic(), cpu_seconds(pid)
    threading.Event().wait(_IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / (time.monotonic() - begun)


def _visited(office: BenchOffice) -> list[float]:
    """Return when the visits began, once there were enough."""
    with _database(office) as database:

        def turns() -> list[float]:
            return [began for (began,) in database.execute(_TURNS)]

        patiently(lambda: len(turns()) > _VISITS, f"{_VISITS} visits", _LOOK_SECONDS)
        return turns()[: _VISITS + 1]


def _round(office: BenchOffice, name: str) -> float:
    """Return how long the first round of cordons of a kind took, by the engine's record."""
    with _database(office) as database:
        return float(database.execute(_ROUND, (name,)).fetchone()[0]) / 1000


@contextlib.contextmanager
def _database(office: BenchOffice) -> Iterator[sqlite3.Connection]:
    file = office.base / "coordinator" / "roundsman.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        yield database
