"""Sessions that cannot be told or seen are findings, each with its fix."""

import pytest

from agent.steps.survey import survey
from agent.steps.table import Seat
from agent.wire.contract import Finding, Severity
from agent.wire.notices import Blind
from tests.steps.bench import Bench, SmallPeople


def found(bench: Bench, *seats: Seat) -> list[Finding]:
    bench.people = SmallPeople(at=list(seats))
    work = bench.work()
    survey(work)
    return work.findings


@pytest.mark.parametrize(
    ("blind", "code", "severity", "fix"),
    [
        (Blind.NO_TKINTER, "no-tkinter", Severity.WARNING, "install python3-tk"),
        (Blind.NO_DISPLAY, "no-display", Severity.WARNING, "XAUTHORITY"),
        (Blind.NOT_RUNNING, "desktop-program-absent", Severity.WARNING, "agent's Python"),
        (Blind.UNSEEN, "windows-unseen", Severity.NOTE, "X11 session"),
    ],
)
def test_each_reason_is_a_finding_with_its_fix(
    bench: Bench, blind: Blind, code: str, severity: Severity, fix: str
) -> None:
    (finding,) = found(bench, Seat("3", "marie", active=True, blind=blind))
    assert (finding.code, finding.severity) == (code, severity)
    assert "marie" in finding.message
    assert fix in finding.fix


def test_a_session_that_is_seen_or_has_only_begun_is_none(bench: Bench) -> None:
    assert found(bench, Seat("3", "marie", True, sees=True), Seat("4", "paul", True)) == []


def test_one_reason_is_one_finding_for_all_it_holds_for(bench: Bench) -> None:
    seats = [Seat(str(n), f"user-{n:02}", active=True, blind=Blind.UNSEEN) for n in range(30)]
    (finding,) = found(bench, *seats)
    assert "user-00, user-01, user-02, user-03, user-04 and 25 more" in finding.message
