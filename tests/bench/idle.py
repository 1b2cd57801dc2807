"""What coordinator and agent take while nothing happens: processor and memory, from /proc."""

import os
import threading
import time
from pathlib import Path

from coordinator.cli.demo_office import DemoOffice
from tests.bench.figure import Figure
from tests.bench.office import bench_office

_LINKS = 20
_SETTLE_SECONDS = 15.0  # for what a start leaves to be done
_WATCH_SECONDS = 40.0  # four pings
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 2**20


def coordinator() -> list[Figure]:
    with bench_office() as office:
        office.crowd(_LINKS)
        assert office.coordinator is not None
        name = f"idle coordinator with {_LINKS} links"
        return _watched(name, office.coordinator.pid, cpu_limit=4.0, memory_limit=150.0)


def agent() -> list[Figure]:
    with bench_office(hosts=1) as office:
        office.enrol_agents()
        return _watched("idle agent", _agent(office), cpu_limit=0.5, memory_limit=60.0)


def _agent(office: DemoOffice) -> int:
    process = office.hosts[0].agent
    assert process is not None
    return process.pid


def _watched(name: str, pid: int, *, cpu_limit: float, memory_limit: float) -> list[Figure]:
    pause = threading.Event()
    pause.wait(_SETTLE_SECONDS)
    begun, before = time.monotonic(), cpu_seconds(pid)
    pause.wait(_WATCH_SECONDS)
    took, spent = time.monotonic() - begun, cpu_seconds(pid) - before
    share, memory = 100 * spent / took, memory_bytes(pid) / _MIB
    return [
        Figure(f"{name}: processor", share, "% of one", cpu_limit, f"over {took:.0f} s"),
        Figure(f"{name}: memory", memory, "MiB", memory_limit, "resident, shared pages too"),
    ]


def cpu_seconds(pid: int) -> float:
    """Return the seconds a process has run, its children that ended included."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def memory_bytes(pid: int) -> int:
    pages = (Path("/proc") / str(pid) / "statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
