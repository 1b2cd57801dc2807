"""What a user of a host has named, say a file, is told in reports and spoils no journal."""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.journal import Journal, JournalError
from agent.records import StepRecord, write_record
from agent.steps.table import Step, Work
from agent.wire.codec import decode, encode
from agent.wire.contract import Direction, Finding, Severity, StepName, StepReport, StepState
from tests.agent.fakes import PARAMS, Orders, step_id
from tests.agent.rig import Rig

ID = step_id(StepName.APPLY_RELEASE)
ORDER = Orders().start()
NASTY = "draft\n\x1b[2J\udcff" + "x" * 600
STEP = StepRecord(
    StepReport(ID, Direction.DO, StepState.RUNNING, 1, revision=5, facts={"seen": "1"}),
    PARAMS,
    began=7,
    started=1.75e9,
    touched=True,
    unmended=True,
)


def _find(work: Work) -> None:
    work.find(Finding("autosave-not-copied", Severity.WARNING, NASTY, NASTY))


def test_a_finding_with_a_users_words_can_be_read_back_and_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {StepName.APPLY_RELEASE: Step(StepName.APPLY_RELEASE, _find)})
    try:
        report = rig.take(ORDER)
        kept = rig.journal.last_steps(1)
    finally:
        rig.off()
    assert decode(StepReport, encode(report)) == report
    assert kept[0].findings == report.findings
    (finding,) = report.findings
    assert finding.message.startswith("draft  [2J xxx")
    assert finding.message.isprintable()
    assert (len(finding.message), len(finding.fix)) == (500, 500)


def _write(path: Path, text: str) -> None:
    with closing(Journal.open(path)) as journal:
        journal.put_step(STEP)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE step SET record = ?", (text,))


def _with_bad_words() -> str:
    kept = json.loads(write_record(STEP))
    kept["findings"] = [{"code": "a", "severity": "note", "message": "x" * 900, "fix": "\n"}]
    kept["report"]["facts"] = {"a": "y" * 9000}
    return json.dumps(kept)


def test_a_step_with_words_that_cannot_be_is_recovered_without_them(tmp_path: Path) -> None:
    _write(tmp_path / "journal.sqlite", _with_bad_words())
    recovered = list[str]()

    def recover(work: Work) -> None:
        recovered.append(work.step_id)

    row = Step(StepName.APPLY_RELEASE, _find, recover=recover)
    rig = Rig(tmp_path, {row.name: row})
    try:
        rig.runner.recover()
        assert recovered == [ID]
        assert rig.journal.to_recover() == []
        assert rig.known(ORDER).state is StepState.INTERRUPTED
    finally:
        rig.off()


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON", '{"report": {}}', '{"report": []}'])
def test_a_step_that_cannot_be_read_keeps_no_agent_from_starting(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    _write(tmp_path / "journal.sqlite", text)
    rig = Rig(tmp_path, {})
    try:
        rig.runner.recover()
        assert rig.journal.last_steps(5) == []
        with pytest.raises(JournalError, match="cannot read a step"):
            rig.journal.step(ID, Direction.DO)
    finally:
        rig.off()
    assert {r.getMessage() for r in caplog.records} == {"a step is left out"}
