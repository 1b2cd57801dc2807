"""How soon `roundsman --help` answers, beside the least that such a program can take."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figure import Figure, ratio, spread

_TIMES = 15
_LIMIT, _RATIO_LIMIT = 0.4, 2.5
_HELP = [str(Path(sys.executable).parent / "roundsman"), "--help"]
_RIVAL = [sys.executable, "-c", "import typer"]


def measure() -> list[Figure]:
    _seconds(_HELP)  # once for the disk
    pairs = [(_seconds(_HELP), _seconds(_RIVAL)) for _ in range(_TIMES)]
    ours, rivals = [list(samples) for samples in zip(*pairs, strict=True)]
    value = statistics.median(ours)
    return [
        Figure("roundsman --help", value, "s", _LIMIT, spread(ours)),
        ratio("roundsman --help beside python -c 'import typer'", ours, rivals, _RATIO_LIMIT),
    ]


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
