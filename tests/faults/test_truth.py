"""The fault tests' own judge: it finds each kind of lie in a log or a journal."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.journal import Journal
from agent.records import StepRecord
from agent.wire.contract import Direction, StepName, StepReport, StepState
from tests.agent.fakes import PARAMS
from tests.faults.killers import Kill
from tests.faults.ledger import PLANNED, StepRow
from tests.faults.truth import lies_of_coordinator, lies_of_journal
from tests.plans import numbered

ROLLOUT = numbered(1)
BEGIN = 1_700_000_000.0
KILL = Kill("PC-01", 7, BEGIN + 9.5, BEGIN + 9.5, ROLLOUT, "walking", ())
Said = tuple[float, str, str, int, str]  # at, what, step, attempt, state


def _write(state: Path, said: Sequence[Said], done: StepState = StepState.DONE) -> None:
    """Write a journal in which every planned step is done but one, and a log with `said`."""
    (state / "log").mkdir(parents=True)
    journal = Journal.open(state / "journal.sqlite")
    for number, (step, direction) in enumerate(PLANNED, 1):
        report = StepReport(_id(step), Direction(direction), StepState.DONE, 1)
        if (step, direction) == ("back-up", "do"):
            report = replace(report, state=done)
        journal.put_step(StepRecord(report, PARAMS, number, BEGIN, BEGIN + 9, touched=True))
    journal.close()
    others = [(at, what, key, 1, "done") for key in PLANNED if key != ("back-up", "do")
              for at, what in ((1, "step started"), (2, "step ended"))]  # fmt: skip
    lines = [_line(0, "agent started", ("", ""), 0, "")]
    lines += [_line(*fact) for fact in others]
    lines += [_line(at, what, ("back-up", "do"), n, s) if what.startswith("step")
              else _line(at, what, ("", ""), 0, "") for at, what, _, n, s in said]  # fmt: skip
    (state / "log" / "agent.log").write_text("\n".join(lines) + "\n")


def _id(step: str) -> str:
    return f"{ROLLOUT}/pc-01/{StepName(step)}"


def _line(at: float, what: str, key: tuple[str, str], attempt: int, state: str) -> str:
    moment = datetime.fromtimestamp(BEGIN + at, UTC).isoformat().replace("+00:00", "Z")
    fact: dict[str, object] = {"time": moment, "what": what}
    if key[0]:
        fact |= {"step": _id(key[0]), "direction": key[1], "attempt": attempt, "state": state}
    return json.dumps(fact)


STARTED: Said = (3, "step started", "", 1, "running")
ENDED: Said = (4, "step ended", "", 1, "done")
AGAIN: Said = (10, "agent started", "", 0, "")
INTERRUPTED: Said = (10.1, "step recovered", "", 1, "interrupted")
STARTED_AGAIN: Said = (11, "step started", "", 1, "running")
ENDED_AGAIN: Said = (12, "step ended", "", 1, "done")

TRUE = {
    "done once": [STARTED, ENDED],
    "killed in it, and done by the next run": [
        STARTED, AGAIN, INTERRUPTED, STARTED_AGAIN, ENDED_AGAIN,
    ],
    "killed before its beginning was logged": [AGAIN, INTERRUPTED, STARTED_AGAIN, ENDED_AGAIN],
    "killed before its end was logged": [STARTED, AGAIN],
}  # fmt: skip

FALSE = {
    "never done": [],
    "done twice": [STARTED, ENDED, AGAIN, STARTED_AGAIN, ENDED_AGAIN],
    "not called interrupted": [STARTED, AGAIN, STARTED_AGAIN, ENDED_AGAIN],
    "begun while it ran": [STARTED, STARTED, ENDED],
    "ended and not begun": [ENDED],
    "failed": [STARTED, (4, "step ended", "", 1, "failed")],
    "of another attempt": [(3, "step started", "", 2, "running"), ENDED],
    "interrupted in the same life": [STARTED, (4, "step recovered", "", 1, "interrupted"),
                                     STARTED_AGAIN, ENDED_AGAIN],
}  # fmt: skip


@pytest.mark.parametrize("said", TRUE.values(), ids=TRUE.keys())
def test_the_truth_is_no_lie(tmp_path: Path, said: list[Said]) -> None:
    _write(tmp_path, said)
    assert list(lies_of_journal(tmp_path, ROLLOUT, [KILL])) == []


@pytest.mark.parametrize("said", FALSE.values(), ids=FALSE.keys())
def test_a_lie_is_found(tmp_path: Path, said: list[Said]) -> None:
    _write(tmp_path, said)
    assert list(lies_of_journal(tmp_path, ROLLOUT, [KILL])) != []


@pytest.mark.parametrize(
    "name", ["killed in it, and done by the next run", "killed before its end was logged"]
)
def test_what_only_a_kill_explains_is_a_lie_without_one(tmp_path: Path, name: str) -> None:
    _write(tmp_path, TRUE[name])
    assert list(lies_of_journal(tmp_path, ROLLOUT, [])) != []


def test_a_journal_that_does_not_call_a_step_done_is_found(tmp_path: Path) -> None:
    _write(tmp_path, [STARTED, ENDED], done=StepState.INTERRUPTED)
    assert list(lies_of_journal(tmp_path, ROLLOUT, [KILL])) != []


def test_the_coordinator_must_say_of_each_step_what_the_journal_says(tmp_path: Path) -> None:
    _write(tmp_path, [STARTED, ENDED])
    rows = [
        StepRow("pc-01", key, 1, "done", BEGIN - 1, BEGIN + 10) for key in PLANNED
    ]  # fmt: skip
    assert list(lies_of_coordinator(tmp_path, ROLLOUT, rows)) == []
    first = rows[0]
    for other in (
        replace(first, state="failed"),
        replace(first, attempt=2),
        replace(first, ended=None),
        replace(first, ended=BEGIN + 8),
        replace(first, started=BEGIN + 9.5),
    ):
        assert list(lies_of_coordinator(tmp_path, ROLLOUT, [other, *rows[1:]])) != []
    assert list(lies_of_coordinator(tmp_path, ROLLOUT, rows[1:])) != []
