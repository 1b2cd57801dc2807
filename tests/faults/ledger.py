"""Reads what a coordinator and an agent keep, from their own files, while they run or are dead."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str]
"""A step's name and its direction."""

_DO = ("survey", "stage", "drain", "stop-service-manager", "back-up", "apply-release",
       "start-service-manager", "check-health")  # fmt: skip
_TIDY = ("apply-release", "back-up", "stage", "start-service-manager",
         "check-health", "drain", "survey")  # fmt: skip
PLANNED: tuple[Key, ...] = (
    *[(step, "do") for step in _DO],
    ("start-service-manager", "undo"),  # closed again for the next one's sake
    ("stop-service-manager", "tidy"),
    ("reopen", "do"),
    *[(step, "tidy") for step in _TIDY],
)
"""What one host does in a rollout that ends well: each of these once, in this order."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """What the coordinator has written of one step of one host."""

    host: str
    key: Key
    attempt: int
    state: str
    started: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class JournalRow:
    """What an agent's journal holds of one step."""

    key: Key
    state: str
    attempt: int
    run: int  # which run of any step it was
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an agent's log."""

    at: float
    what: str
    step: str = ""  # rollout/host/step
    direction: str = ""
    attempt: int = 0
    state: str = ""

    @property
    def key(self) -> Key:
        """The step's name and direction."""
        return self.step.rpartition("/")[2], self.direction


class Ledger:
    """A coordinator's database, only ever read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self, query: str, *values: object) -> list[Json]:
        """Return the rows of a query."""
        return read_rows(self._file, query, *values)

    def state_of(self, rollout: str) -> Json:
        """Return the rollout's row."""
        return self.rows("SELECT * FROM rollout WHERE id = ?", rollout)[0]

    def has_ended(self, rollout: str) -> bool:
        """True when the rollout is over."""
        return self.state_of(rollout)["ended"] is not None

    def steps(self, rollout: str) -> list[StepRow]:
        """Return the steps of a rollout."""
        rows = self.rows("SELECT * FROM step_run WHERE rollout = ? ORDER BY started", rollout)
        return [
            StepRow(r["host"], (r["step"], r["direction"]), r["attempt"], r["state"],
                    r["started"], r["ended"])
            for r in rows
        ]  # fmt: skip

    def running(self, rollout: str) -> list[StepRow]:
        """Return the steps that have been asked for and not been answered."""
        return [row for row in self.steps(rollout) if row.state == "running"]


def read_rows(file: Path, query: str, *values: object) -> list[Json]:
    """Return the rows of a query on a database that somebody else may be writing."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


def journal_steps(state: Path, rollout: str) -> list[JournalRow]:
    """Return an agent's steps of one rollout, from its journal."""
    query = "SELECT * FROM step WHERE step_id LIKE ? ORDER BY began"
    return [_journal_row(row) for row in _journal(state, query, f"{rollout}/%")]


def _journal_row(row: Json) -> JournalRow:
    record = json.loads(row["record"])
    key = row["step_id"].rpartition("/")[2], row["direction"]
    report = record["report"]
    return JournalRow(
        key, row["state"], report["attempt"], row["began"], record["started"], record["ended"]
    )


def cordon_of(state: Path) -> Json | None:
    """Return an agent's cordon, from its journal; None when there never was one."""
    rows = _journal(state, "SELECT * FROM cordon")
    if not rows:
        return None
    found: Json = json.loads(rows[0]["record"])
    return found | {"relaunches": rows[0]["relaunches"], "opened": rows[0]["opened"]}


def fence_of(state: Path) -> int:
    """Return the highest epoch that an agent has met."""
    rows = _journal(state, "SELECT epoch FROM fence")
    return int(rows[0]["epoch"]) if rows else 0


def _journal(state: Path, query: str, *values: object) -> list[Json]:
    return read_rows(state / "journal.sqlite", query, *values)


def log_lines(state: Path) -> list[Line]:
    """Return what an agent has logged, oldest first."""
    return list(_lines(state / "log" / "agent.log"))


def _lines(file: Path) -> Iterator[Line]:
    for text in file.read_text("utf-8").splitlines():
        fact = json.loads(text)
        at = datetime.fromisoformat(fact["time"]).timestamp()
        step = str(fact.get("step", ""))
        if step.count("/") == 2:
            yield Line(
                at, fact["what"], step, fact.get("direction", ""), fact.get("attempt", 0),
                fact.get("state", ""),
            )  # fmt: skip
        else:
            yield Line(at, fact["what"])
