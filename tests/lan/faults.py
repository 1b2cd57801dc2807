"""The table of faults and what became of each: told by the tests that held, kept as a page.

A test says what it did to the office and what came of it (`told`, a fixture of this folder); only
what a test that passed has said is a row. `LAN=all make test-lan` writes `docs/faults.md` anew.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

RECORD: Final = Path("build/faults.jsonl")
_PAGE: Final = Path("docs/faults.md")
_HEAD: Final = """# Faults of the network and of the hosts: what was done, and what held

Each row was told by a test that passed; `LAN=all make test-lan` runs them all and writes this page
anew. Every office is some Debian hosts with systemd as PID 1, each with its own address on one
switch, the agent installed from its package, and an application that two users have open. The
invariants are judged from the hosts' own files and processes, looked at all along by a process
that shares no code with the product; *violations* is what that found. A test also shows that its
fault fired: of one that did not, there is no row.
"""
_CELLS: Final = ("fault", "at", "moment", "outcome", "violations")


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One fault and what became of the office; in the words of the page."""

    area: str
    fault: str
    at: str  # the host it struck, by its part: "the host being updated", "a guarded one"
    moment: str  # the step and when in it
    outcome: str
    violations: int


def tell(row: Row) -> None:
    """Keep a row for the page."""
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a", encoding="utf-8") as record:
        record.write(json.dumps(asdict(row)) + "\n")


def page(rows: Iterable[Row]) -> str:
    """Return the page: one table an area, each row once."""
    text, area = _HEAD, ""
    for row in sorted(set(rows)):
        if row.area != area:
            area = row.area
            rule = "| --- | --- | --- | --- | ---: |"
            text += f"\n## {area}\n\n| {' | '.join(_CELLS)} |\n{rule}\n"
        text += f"| {' | '.join(str(getattr(row, cell)) for cell in _CELLS)} |\n"
    return text


def main() -> int:
    """Write the page of what was told since the record was begun."""
    lines = RECORD.read_text("utf-8").splitlines()
    _PAGE.write_text(page(Row(**json.loads(line)) for line in lines), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
