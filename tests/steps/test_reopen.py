"""Who had the app open gets it back, or is told that it is available."""

import getpass
import json
import os
from dataclasses import replace

import pytest

from agent.platforms.base import Session
from agent.steps.announce import announce
from agent.steps.drain import HAD_OPEN, drain
from agent.steps.reopen import reopen
from agent.steps.rows import STEPS
from agent.steps.table import Lane
from agent.steps.telling import notice_of
from agent.wire.contract import StepName
from agent.wire.notices import NoticeKind
from tests.steps.bench import AtPause, Bench, SmallPeople, SmallWork, script
from tests.until import until

_ME = getpass.getuser()
_HERE, _THERE = Session("2", _ME, active=True), Session("5", _ME, active=False)
_TELLS = """
import pathlib, signal, sys
with pathlib.Path(sys.argv[0]).with_suffix(".words").open("a") as words:
    words.write(repr(sys.argv[1:]) + "\\n")
signal.pause()
"""


@pytest.fixture
def office(bench: Bench) -> Bench:
    """A bench whose profile gives the app back; one person in two sessions."""
    (bench.app / "bin/app").write_bytes(script(_TELLS))
    _wants(bench, reopens=True)
    bench.log_in(_HERE, _THERE)
    return bench


def _wants(bench: Bench, *, reopens: bool) -> None:
    bench.profile = replace(bench.profile, close=replace(bench.profile.close, reopen=reopens))


def _had(bench: Bench, *people: tuple[str, str, str]) -> None:
    """Have these have had the app open: user, session and program."""
    entries = [{"user": u, "session": s, "program": p} for u, s, p in people]
    bench.memos[StepName.DRAIN].put(HAD_OPEN, json.dumps(entries))


def _reopen(bench: Bench) -> SmallWork:
    work = bench.work(StepName.REOPEN)
    reopen(work)
    return work


def _sessions(bench: Bench) -> list[str]:
    found = sorted(process.session for process in bench.running().values())
    if any(session not in {"", "2", "5", "9"} for session in found):
        pytest.skip("this host puts every program of a test into a session of its own")
    return found


def _told(bench: Bench) -> list[NoticeKind]:
    assert isinstance(bench.people, SmallPeople)
    return [notice.kind for notice in bench.people.notices]


def test_who_had_it_open_has_it_back_in_each_session_without_their_arguments(
    office: Bench,
) -> None:
    _had(office, (_ME, "2", "bin/app"), (_ME, "5", "bin/app"))

    work = _reopen(office)

    assert _sessions(office) == ["2", "5"]
    until(lambda: (office.app / "bin/app.words").read_text() == "[]\n[]\n")
    assert work.facts["reopened_for"] == f"{_ME} (session 2), {_ME} (session 5)"
    assert _told(office) == []


def test_what_the_drain_closed_is_what_is_opened_again(office: Bench) -> None:
    office.open_app("bin/app", "letter.doc", session="5")
    drain(office.work(StepName.DRAIN))
    assert office.running() == {}

    _reopen(office)

    assert _sessions(office) == ["5"]


def test_done_twice_it_is_opened_once(office: Bench) -> None:
    _had(office, (_ME, "2", "bin/app"))
    _reopen(office)
    for pid in office.running():
        os.kill(pid, 9)  # its user has closed it
    until(lambda: not office.running())

    _reopen(office)

    assert office.running() == {}


def test_closed_once_more_in_the_same_rollout_it_is_opened_once_more(office: Bench) -> None:
    _had(office, (_ME, "2", "bin/app"))
    _reopen(office)
    for pid in office.running():
        os.kill(pid, 9)  # a second drain, of this host alone
    until(lambda: not office.running())
    _had(office, (_ME, "2", "bin/app"))

    _reopen(office)

    assert _sessions(office) == ["2"]


def test_a_kill_in_the_middle_opens_no_second_one(office: Bench) -> None:
    _had(office, (_ME, "2", "bin/app"), (_ME, "5", "bin/app"))
    _reopen(office)
    until(lambda: len(office.running()) == 2)
    _had(office, (_ME, "2", "bin/app"), (_ME, "5", "bin/app"))  # not yet forgotten

    _reopen(office)

    assert len(office.running()) == 2


def test_who_has_logged_out_is_named_and_nobody_else_gets_theirs(office: Bench) -> None:
    _had(office, (_ME, "2", "bin/app"), ("paul", "7", "bin/app"))
    office.log_in(_HERE, Session("7", "nina", active=True))

    work = _reopen(office)

    assert _sessions(office) == ["2"]
    assert work.facts["logged_out"] == "paul (session 7)"


def test_who_has_logged_in_anew_has_it_back_there(office: Bench) -> None:
    _had(office, (_ME, "2", "bin/app"))
    office.log_in(Session("9", _ME, active=True))

    _reopen(office)

    assert _sessions(office) == ["9"]


@pytest.mark.parametrize(
    "program",
    [
        "",
        "/bin/rm",
        "../../../bin/sh",
        "bin/manager",  # in the app's folder, but not the app
        "bin/../../evil",
        "\0" + "x" * 100_000,
    ],
)
def test_whatever_is_kept_of_a_process_only_the_app_is_started(
    office: Bench, program: str
) -> None:
    _had(office, (_ME, "2", program))

    _reopen(office)

    (process,) = office.running().values()
    assert process.argv[2:] == (str(office.app / "bin/app"),)


def test_of_several_programs_it_is_the_one_they_had(office: Bench) -> None:
    names = ("bin/gone", "bin/app", "bin/updater")
    office.profile = replace(office.profile, app=replace(office.profile.app, programs=names))
    _had(office, (_ME, "2", "bin/updater"), (_ME, "5", "unknown"))

    _reopen(office)

    started = {p.session: p.argv[2] for p in office.running().values()}
    _sessions(office)
    assert started == {
        "2": str(office.app / "bin/updater"),
        "5": str(office.app / "bin/app"),  # the first that is there
    }


@pytest.mark.parametrize("how", ["absent", "link", "not executable", "outside"])
def test_a_program_that_cannot_be_opened_is_told_and_its_user_too(office: Bench, how: str) -> None:
    app = office.app / "bin/app"
    _had(office, (_ME, "2", "bin/app"))
    if how == "outside":
        programs = ("../../outside",)
        office.profile = replace(
            office.profile, app=replace(office.profile.app, programs=programs)
        )
    elif how == "not executable":
        app.chmod(0o644)
    else:
        app.unlink()
        if how == "link":
            app.symlink_to("/bin/sleep")

    work = _reopen(office)

    assert office.running() == {}
    assert work.found == {"not-reopened"}
    assert f"could not be opened again for {_ME} (session 2)" in work.findings[0].message
    assert _told(office) == [NoticeKind.AVAILABLE]


def test_what_has_ended_at_once_is_not_told_as_opened_again(office: Bench) -> None:
    _had(office, (_ME, "2", "bin/app"))
    (office.app / "bin/app").write_bytes(script("raise SystemExit(3)"))
    work = office.work(StepName.REOPEN)
    AtPause(work, 1, lambda: until(lambda: not office.running()))

    reopen(work)

    assert "reopened_for" not in work.facts
    (found,) = work.findings
    assert found.code == "not-reopened"
    assert f"opened again for {_ME} (session 2), and ended within seconds" in found.message
    assert _told(office) == [NoticeKind.AVAILABLE]


def test_where_the_profile_does_not_ask_for_it_they_are_told_in_their_sessions_only(
    office: Bench,
) -> None:
    _wants(office, reopens=False)
    _had(office, (_ME, "2", "bin/app"))
    people = office.people
    assert isinstance(people, SmallPeople)

    work = _reopen(office)

    assert office.running() == {}
    assert _told(office) == [NoticeKind.AVAILABLE]
    assert [list(sessions) for sessions in people.shown_in] == [["2"]]
    assert people.notices[0].version == "1.1"
    assert not people.notices[0].drill
    assert work.facts["told_available"] == f"{_ME} (session 2)"


def test_who_then_wants_it_opened_has_it_opened_there(office: Bench) -> None:
    _wants(office, reopens=False)
    _had(office, (_ME, "2", "bin/app"), (_ME, "5", "bin/app"))
    people = office.people
    assert isinstance(people, SmallPeople)
    _reopen(office)

    people.offers["5", _ME]()

    assert _sessions(office) == ["5"]


def test_who_wants_it_opened_after_it_has_gone_is_no_trouble(
    office: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    _wants(office, reopens=False)
    _had(office, (_ME, "2", "bin/app"))
    people = office.people
    assert isinstance(people, SmallPeople)
    _reopen(office)
    (office.app / "bin/app").unlink()

    people.offers["2", _ME]()

    assert office.running() == {}
    assert "cannot open the app" in caplog.text


def test_a_program_without_a_session_is_nobody_to_be_told(office: Bench) -> None:
    _wants(office, reopens=False)
    _had(office, (_ME, "", "bin/app"))

    _reopen(office)

    assert _told(office) == []  # () would be everybody


def test_where_nobody_had_it_open_nothing_happens(office: Bench) -> None:
    work = _reopen(office)

    assert office.running() == {}
    assert _told(office) == []
    assert work.facts == {}


def test_it_runs_beside_other_steps_and_is_never_cancelled_half_way() -> None:
    row = STEPS[StepName.REOPEN]

    assert (row.lane, row.cancellable) == (Lane.BACKGROUND, False)


@pytest.mark.parametrize("drill", [False, True])
def test_after_a_drill_they_are_told_that_it_was_one(office: Bench, drill: bool) -> None:
    _wants(office, reopens=False)
    _had(office, (_ME, "2", "bin/app"))
    people = office.people
    assert isinstance(people, SmallPeople)

    reopen(office.work(StepName.REOPEN, drill=drill))

    assert [notice.drill for notice in people.notices] == [drill]


@pytest.mark.parametrize("drill", [False, True])
def test_before_a_drill_they_are_told_that_it_is_one(bench: Bench, drill: bool) -> None:
    announce(bench.work(StepName.ANNOUNCE, drill=drill))
    close = notice_of(bench.work(StepName.DRAIN, drill=drill), 60.0, 0)
    people = bench.people
    assert isinstance(people, SmallPeople)

    assert [notice.drill for notice in (*people.notices, close)] == [drill, drill]
