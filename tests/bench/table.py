"""A program that measures: which rows are wanted, on what they are measured, a table of them."""

import os
import platform
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Sequence
from pathlib import Path

from tabulate import tabulate

from tests.bench.figure import Figure, keep


def machine() -> str:
    """Return on what the figures are measured, in words."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    python, system = platform.python_version(), platform.platform(terse=True)
    return f"{cores} processors, load {load:.1f} beforehand, Python {python}, {system}"


def begin() -> None:
    """Say on what is measured; whoever ends this program has it close its office first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.stderr.write(f"{machine()}\n")


def wanted(parser: ArgumentParser, rows: Collection[str]) -> list[str]:
    """Return the rows that were named, all of them where none was."""
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(rows))
    named: list[str] = parser.parse_args().rows
    if unknown := [row for row in named if row not in rows]:
        parser.error(f"cannot measure {', '.join(unknown)}: known are {', '.join(rows)}")
    return named or list(rows)


def end(figures: Sequence[Figure], file: Path) -> int:
    """Keep and show the figures. Returns 1 when one is beyond its limit."""
    keep(file, figures)
    sys.stdout.write(table(figures) + "\n")
    return 0 if all(figure.ok for figure in figures) else 1


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table for a terminal."""
    rows = [(f.name, f"{f.value:.3g}", f.unit, *_judged(f), f.note) for f in figures]
    return tabulate(rows, ("figure", "value", "unit", "limit", "", "how"), disable_numparse=True)


def _judged(figure: Figure) -> tuple[str, str]:
    if figure.limit is None:
        return "", ""
    sign = ">=" if figure.at_least else "<"
    return f"{sign} {figure.limit:g}", "ok" if figure.ok else "MISSED"
