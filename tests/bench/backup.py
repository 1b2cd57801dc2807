"""How fast a backup is made, beside `cp -a` and `sha256sum` of source and copy on the same files.

The same as step back-up does with nothing copied ahead: copied, on the disk, and every copy read
back beside its source. The rival's copy is on the disk too before it is compared.
"""

import contextlib
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from agent.platforms.linux import Linux
from agent.steps.back_up import app_backup
from agent.steps.backup_set import Pass, make
from agent.steps.backup_store import delete_store
from coordinator.standin.make_release import Size, seed_host, write_folder
from tests.bench.figure import Figure, ratio, spread
from tests.bench.update_office import RIVAL
from tests.steps.bench import Bench

_SIZE = Size(2000, 125_000)
_ROUNDS = 5
_LIMIT = 1.5
_MEGA = 1e6


def measure() -> list[Figure]:
    """Measure an app of 500 MB, in 2,000 files."""
    with _bench() as bench:
        acts = (_plain, _rival, _encrypted)
        rounds = [[act(bench) for act in acts] for _ in range(_ROUNDS)]
        size = sum(file.stat().st_size for file in bench.app.rglob("*") if file.is_file())
    ours, rivals, encrypted = [list(samples) for samples in zip(*rounds, strict=True)]
    return [
        _speed("backup", size, ours),
        ratio("backup beside cp -a and sha256sum", ours, rivals, _LIMIT),
        _speed("backup by cp -a and sha256sum", size, rivals),
        _speed("encrypted backup", size, encrypted),
    ]


def _speed(name: str, size: int, seconds: list[float]) -> Figure:
    note = f"seconds: {spread(seconds)}"
    return Figure(name, size / _MEGA / statistics.median(seconds), "MB/s", None, note)


@contextlib.contextmanager
def _bench() -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="roundsman-bench-"))
    bench = Bench(folder)
    bench.platform = Linux()
    write_folder("1.0", bench.app, _SIZE)
    seed_host(bench.app, "PC-01", 9, _SIZE)
    try:
        yield bench
    finally:
        bench.close()
        shutil.rmtree(folder)


def _plain(bench: Bench) -> float:
    work = bench.work()
    return _timed(bench, lambda: make(work, app_backup(work), Pass.SECOND))


def _encrypted(bench: Bench) -> float:
    work = bench.work()
    wanted = replace(app_backup(work), encrypt=True)
    return _timed(bench, lambda: make(work, wanted, Pass.SECOND))


def _timed(bench: Bench, act: Callable[[], object]) -> float:
    begun = time.monotonic()
    act()
    seconds = time.monotonic() - begun
    delete_store(bench.folders.backup)
    return seconds


def _rival(bench: Bench) -> float:
    command = ["bash", str(RIVAL), "back-up", str(bench.app), "-", "-", "-"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(said) / 1000
