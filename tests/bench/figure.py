"""One figure: what was measured, and what it must stay below if that is promised."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table. `note` says how it was come by; it is not in the file."""

    name: str
    value: float
    unit: str
    limit: float | None  # None: only shown
    note: str = ""
    at_least: bool = False  # the limit is what it must come up to

    @property
    def ok(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value < self.limit

    def row(self) -> dict[str, object]:
        """Return the row of `build/bench.json`."""
        value, limit = round(self.value, 3), self.limit
        return {
            "name": self.name, "value": value, "unit": self.unit, "limit": limit, "ok": self.ok,
        }  # fmt: skip


def spread(samples: Sequence[float], digits: int = 2) -> str:
    """Return the samples in words: how many, the least and the most of them."""
    low, high = min(samples), max(samples)
    return f"median of {len(samples)}, {low:.{digits}f} to {high:.{digits}f}"


def ratio(name: str, ours: Sequence[float], rivals: Sequence[float], limit: float) -> Figure:
    """Return how many times what a rival takes is taken by us, medians both."""
    rival = statistics.median(rivals)
    note = f"the rival, in seconds: {rival:.3f}, {spread(rivals, 3)}"
    return Figure(name, statistics.median(ours) / rival, "times", limit, note)


def keep(file: Path, figures: Sequence[Figure]) -> None:
    """Write the figures' rows to a file of rows; those of other figures stay in it."""
    file.parent.mkdir(exist_ok=True)
    known = json.loads(file.read_text("utf-8")) if file.exists() else []
    rows = {row["name"]: row for row in known} | {f.name: f.row() for f in figures}
    file.write_text(json.dumps(list(rows.values()), indent=1) + "\n", "utf-8")
