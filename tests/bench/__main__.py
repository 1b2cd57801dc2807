"""`make bench`: measures what is promised, prints a table, writes `build/bench.json`.

`python -m tests.bench [ROW...]` measures those rows only; the file keeps the others as they were.
Exits 1 when a limit is missed.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from tests.bench import answer, backup, cordon, guard, idle, notice, restart, stage, update, visit
from tests.bench.figure import Figure
from tests.bench.table import begin, end, wanted

FILE = Path("build") / "bench.json"
ROWS: dict[str, Callable[[], list[Figure]]] = {
    "visit": visit.measure,
    "update": update.small,
    "update-large": update.large,
    "backup": backup.measure,
    "cordon": cordon.measure,
    "guard": guard.measure,
    "notice": notice.measure,
    "idle-coordinator": idle.coordinator,
    "idle-agent": idle.agent,
    "stage": stage.speed,
    "stage-delta": stage.delta,
    "stage-memory": stage.memory,
    "help": answer.measure,
    "restart": restart.measure,
}


def main() -> int:
    rows = wanted(ArgumentParser(prog="python -m tests.bench", description=__doc__), ROWS)
    begin()
    return end([figure for row in rows for figure in _measured(row)], FILE)


def _measured(row: str) -> list[Figure]:
    sys.stderr.write(f"measuring {row}\n")
    return ROWS[row]()


if __name__ == "__main__":
    sys.exit(main())
