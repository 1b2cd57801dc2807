"""How soon the guard closes what is opened although it is kept closed, and what guarding costs.

The guard runs in a program of its own, over a real journal, on a host with about two hundred
processes. What is opened is a copy of `sleep`, at moments that know nothing of the guard's.

The rival: `while sleep 0.2; do pkill -f APP; done`, what an admin would type, which as often
looks at every process as the guard does.
"""

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from tests.bench.figure import Figure, ratio, spread
from tests.bench.idle import cpu_seconds

_PROCESSES, _RELAUNCHES = 200, 100
_LOOP_A_SECOND = 100
_WATCH_SECONDS = 20.0
_LIMIT, _LOOP_LIMIT, _IDLE_LIMIT = 1.0, 5.0, 3.0
_RIVAL = 'while sleep 0.2; do pkill -f "^$0"; done'
_PAUSE = threading.Event()


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, _crowd():
        app = Path(folder) / "app" / "bin" / "app"
        app.parent.mkdir(parents=True)
        shutil.copy("/bin/sleep", app)
        guard = _measured([sys.executable, "-m", "tests.bench.guard_alone", folder], app)
        rival = _measured(["bash", "-c", f"echo on; {_RIVAL}", str(app)], app)
    return _figures(guard, rival)


class _Measured:
    """What one way to keep an app closed came to."""

    def __init__(self, pid: int, app: Path) -> None:
        self.idle = _share(pid, lambda: _PAUSE.wait(_WATCH_SECONDS))
        self.closed = [_closed_after(app) for _ in range(_RELAUNCHES)]
        self.loop = _share(pid, lambda: _loop(app))


def _measured(argv: Sequence[str], app: Path) -> _Measured:
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as keeper:
        try:
            assert keeper.stdout is not None
            if keeper.stdout.readline() != b"on\n":
                raise AssertionError(f"cannot start {argv[0]}")
            return _Measured(keeper.pid, app)
        finally:
            keeper.kill()


@contextmanager
def _crowd() -> Iterator[None]:
    """Have as many processes as an ordinary workstation."""
    with ExitStack() as held:
        for _ in range(max(0, _PROCESSES - len(psutil.pids()))):
            process = held.enter_context(subprocess.Popen(["sleep", "3600"]))
            held.callback(process.kill)
        yield


def _closed_after(app: Path) -> float:
    """Open the app; return the seconds until it was closed."""
    _PAUSE.wait(random.uniform(0, 0.25))
    begun = time.perf_counter()
    with subprocess.Popen([app, "60"]) as opened:
        opened.wait()
    return time.perf_counter() - begun


def _loop(app: Path) -> None:
    """Open the app a hundred times a second, whatever becomes of it."""
    opened, begun = list[subprocess.Popen[bytes]](), time.monotonic()
    for number in range(int(_LOOP_A_SECOND * _WATCH_SECONDS)):
        _PAUSE.wait(max(0.0, begun + number / _LOOP_A_SECOND - time.monotonic()))
        opened.append(subprocess.Popen([app, "60"]))
        opened = [one for one in opened if one.poll() is None]
    for one in opened:
        one.wait()


def _share(pid: int, act: Callable[[], object]) -> float:
    """Return how much of one processor a program took, with its children, in percent."""
    begun, before = time.monotonic(), cpu_seconds(pid)
    act()
    return 100 * (cpu_seconds(pid) - before) / (time.monotonic() - begun)


def _figures(guard: _Measured, rival: _Measured) -> list[Figure]:
    p50 = statistics.median(guard.closed)
    p99 = statistics.quantiles(guard.closed, n=100, method="inclusive")[98]
    how = f"over {_WATCH_SECONDS:.0f} s, {_PROCESSES} processes; the rival: "
    return [
        Figure("relaunch closed, p50", p50, "s", _LIMIT, spread(guard.closed)),
        Figure("relaunch closed, p99", p99, "s", _LIMIT, f"of {_RELAUNCHES}"),
        ratio("relaunch closed beside a loop of pkill", guard.closed, rival.closed, 2.0),
        Figure(
            f"guard during {_LOOP_A_SECOND} relaunches a second: processor",
            guard.loop,
            "% of one",
            _LOOP_LIMIT,
            f"{how}{rival.loop:.1f}",
        ),
        Figure(
            "idle guard: processor", guard.idle, "% of one", _IDLE_LIMIT, f"{how}{rival.idle:.1f}"
        ),
    ]
