"""What a survey says of sessions: numbers, and what becomes of those where nobody answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Session
from agent.steps.survey import survey
from agent.wire.contract import Severity, StepName
from agent.wire.profile import Unattended
from tests.steps.bench import SmallWork
from tests.steps.desk import DeskBench


@pytest.fixture
def office(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    made.people_at_it()
    yield made
    made.close()


def _surveyed(office: DeskBench, **close: object) -> SmallWork:
    changed = replace(office.profile.close, **close)  # type: ignore[arg-type]
    office.profile = replace(office.profile, close=changed)
    work = office.work(StepName.SURVEY)
    survey(work)
    return work


def _numbers(work: SmallWork) -> tuple[str, str, str]:
    facts = work.facts
    return facts["sessions"], facts["sessions_away"], facts["open_sessions"]


def test_nobody_there_is_no_session(office: DeskBench) -> None:
    work = _surveyed(office)

    assert _numbers(work) == ("0", "0", "0")
    assert work.findings == []


def test_sessions_are_counted_whether_locked_disconnected_away_or_none_of_it(
    office: DeskBench,
) -> None:
    desk, user = office.desk, office.desk.platform_user()
    one, other = office.open_app(), office.open_app()
    desk.sit("s1", one.pid)
    desk.sit("s2", other.pid, idle=3600.0)
    desk.sit("s3", active=False)
    office.log_in(
        Session("s1", user, active=True),
        Session("s2", user, active=True),
        Session("9", "paul", active=False),  # without a desktop of its own
    )

    work = _surveyed(office, away_minutes=60)

    assert _numbers(work) == ("4", "3", "2")
    (finding,) = work.findings
    assert (finding.code, finding.severity) == ("nobody-answers", Severity.NOTE)
    assert finding.message == (
        "nobody can answer in 3 of 4 sessions (locked, disconnected or away), and Bench App is "
        "open in 1 of them: it is closed there as everywhere, and never by force before time is up"
    )
    assert user not in finding.message


def test_nobody_is_away_where_the_profile_has_no_measure(office: DeskBench) -> None:
    office.desk.sit("s1", idle=9e6)

    assert _numbers(_surveyed(office)) == ("1", "0", "0")


@pytest.mark.parametrize(("is_open", "severity"), [(True, "warning"), (False, "note")])
def test_where_it_is_left_open_the_operator_is_told_ahead(
    office: DeskBench, is_open: bool, severity: str
) -> None:
    windows = [office.open_app().pid] if is_open else []
    office.desk.sit("s1", *windows, active=False)

    (finding,) = _surveyed(office, unattended=Unattended.ASK).findings

    assert finding.severity == severity
    assert "it is left open there, and the rollout waits for a person" in finding.message
    assert finding.fix == "have them log out before it begins"


def test_one_program_of_several_processes_is_open_in_one_session(office: DeskBench) -> None:
    office.desk.sit("s1", office.open_app().pid)
    office.open_app()  # in no session that is known: its user's only one
    office.desk.sit("s1", *office.running())

    assert _numbers(_surveyed(office)) == ("1", "0", "1")
