"""`make bench-scale`: what 50, 200 and 1000 workstations take of a coordinator.

Prints a table, writes `build/bench-scale.json` and draws `build/scale.svg`; exits 1 when a limit
is missed. `python -m tests.bench.scale SIZE...` measures other sizes.
"""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.curve import curves
from tests.bench.figure import Figure, spread
from tests.bench.growth import Growth, grown
from tests.bench.table import begin, end, machine

SIZES = (50, 200, 1000)
FILE, SHEET = Path("build") / "bench-scale.json", Path("build") / "scale.svg"
_LINK_LIMIT, _MEMORY_LIMIT, _GROWTH_LIMIT = 5.0, 200.0, 1.5


def main() -> int:
    begin()
    measured = [_told(size) for size in map(int, sys.argv[1:])] or [_told(n) for n in SIZES]
    figures = [figure for one in measured for figure in _figures(one)] + _compared(measured)
    code = end(figures, FILE)
    SHEET.write_text(_sheet(measured), "utf-8")
    return code


def _told(size: int) -> Growth:
    sys.stderr.write(f"measuring {size} workstations; {machine()}\n")
    return grown(size)


def _figures(one: Growth) -> list[Figure]:
    n, turns = one.size, one.turns
    return [
        Figure(f"{n} agents linked", one.linking, "s", _LINK_LIMIT, "all dialed at once"),
        Figure(f"{n} idle links: memory", one.memory, "MB", _MEMORY_LIMIT, "resident, shared too"),
        Figure(f"{n} idle links: processor", 100 * one.idle, "% of one", None, "over two pings"),
        Figure(f"{n} new cordons confirmed", one.closing, "s", None, "codes made and written"),
        Figure(f"{n} seals confirmed", one.sealing, "s", None, "every host asked"),
        Figure(f"{n} hosts: a visit", statistics.median(turns), "s", None, spread(turns)),
        Figure(f"{n} hosts: processor of a visit", one.spent, "s", None, "the coordinator's"),
        Figure(f"{n} hosts: memory in a rollout", one.memory_after, "MB", None, "resident"),
    ]


def _compared(measured: Sequence[Growth]) -> list[Figure]:
    if len(measured) < 2:
        return []
    few, many = measured[0], measured[-1]
    times = statistics.median(many.turns) / statistics.median(few.turns)
    name = f"a visit, of {many.size} hosts beside {few.size}"
    return [Figure(name, times, "times", _GROWTH_LIMIT, "medians")]


def _sheet(measured: Sequence[Growth]) -> str:
    lines = {
        "a visit, ms": [(g.size, 1000 * statistics.median(g.turns)) for g in measured],
        "all linked, ms": [(g.size, 1000 * g.linking) for g in measured],
        "all seals confirmed, ms": [(g.size, 1000 * g.sealing) for g in measured],
        "memory, MB": [(g.size, g.memory) for g in measured],
    }
    return curves("What a fleet takes of its coordinator", "workstations", lines)


if __name__ == "__main__":
    sys.exit(main())
