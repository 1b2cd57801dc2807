"""`make bench-lan`: the race, as a table and in `build/bench-lan.json`.

`python -m tests.lan.race [ROW...]`; HOSTS="5 20" says on how many hosts, ROUNDS=3 how often.
Exits 1 when a limit is missed.
"""

import os
import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.table import begin, end, wanted
from tests.lan.box import Box
from tests.lan.office import LanOffice, Terms
from tests.lan.race import rows
from tests.lan.race.ground import BASE, SIZE
from tests.lan.race.rows import Course

FILE = Path("build") / "bench-lan.json"
ROWS: dict[str, Callable[[Course, Sequence[int]], Iterator[Figure]]] = {
    "rolling": rows.rolling,
    "peers": rows.peers,
    "closing": rows.closing,
    "distribution": rows.distribution,
}


def main() -> int:
    names = wanted(ArgumentParser(prog="python -m tests.lan.race", description=__doc__), ROWS)
    begin()
    return end(_measure(names), FILE)


def _measure(names: Sequence[str]) -> list[Figure]:
    counts = [int(word) for word in os.environ.get("HOSTS", "5 20").split()]
    shutil.rmtree(BASE, ignore_errors=True)
    folder = BASE / "office"
    folder.mkdir(parents=True)
    terms = Terms(size=SIZE, watched=False)
    with Box(max(counts)) as box, LanOffice(box, folder, terms=terms) as office:
        sys.stderr.write(f"{max(counts)} hosts are up, with their agents\n")
        course = Course(office, int(os.environ.get("ROUNDS", "3")))
        return [_told(figure) for row in names for figure in ROWS[row](course, counts)]


def _told(figure: Figure) -> Figure:
    """Show a figure as soon as it is known: all of them take a while."""
    sys.stderr.write(f"  {figure.name}: {figure.value:.2f} {figure.unit} {figure.note}\n")
    return figure


if __name__ == "__main__":
    sys.exit(main())
