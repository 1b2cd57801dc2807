"""`make bench`: measures what is promised, prints a table, writes `build/bench.json`.

`python -m tests.bench [ROW...]` measures those rows only; the file keeps the others as they were.
Exits 1 when a limit is missed.
"""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import answer, backup, cordon, guard, idle, notice, restart, stage, update, visit
from tests.bench.figure import Figure, keep
from tests.bench.table import machine, table

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
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    wanted = parser.parse_args().rows
    if unknown := [row for row in wanted if row not in ROWS]:
        parser.error(f"cannot measure {', '.join(unknown)}: known are {', '.join(ROWS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that every office is closed
    sys.stderr.write(f"{machine()}\n")
    figures = [figure for row in wanted or ROWS for figure in _measured(row)]
    keep(FILE, figures)
    sys.stdout.write(table(figures) + "\n")
    return 0 if all(figure.ok for figure in figures) else 1


def _measured(row: str) -> list[Figure]:
    sys.stderr.write(f"measuring {row}\n")
    return ROWS[row]()


if __name__ == "__main__":
    sys.exit(main())
