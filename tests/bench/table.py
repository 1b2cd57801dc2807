"""What is shown of figures on a terminal: on what they were measured, and a table of them."""

import os
import platform
from collections.abc import Sequence

from tabulate import tabulate

from tests.bench.figure import Figure


def machine() -> str:
    """Return on what the figures are measured, in words."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    python, system = platform.python_version(), platform.platform(terse=True)
    return f"{cores} processors, load {load:.1f} beforehand, Python {python}, {system}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table for a terminal."""
    rows = [(f.name, f"{f.value:.3g}", f.unit, *_judged(f), f.note) for f in figures]
    return tabulate(rows, ("figure", "value", "unit", "limit", "", "how"), disable_numparse=True)


def _judged(figure: Figure) -> tuple[str, str]:
    if figure.limit is None:
        return "", ""
    sign = ">=" if figure.at_least else "<"
    return f"{sign} {figure.limit:g}", "ok" if figure.ok else "MISSED"
