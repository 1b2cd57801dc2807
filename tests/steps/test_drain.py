import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import PrintJob
from agent.steps.drain import HAD_OPEN, drain
from agent.steps.table import Refused
from agent.wire.contract import STILL_IN, Refusal, StepName
from agent.wire.notices import NoticeKind, Word
from agent.wire.profile import Unattended, Windowless
from tests.steps.bench import STUBBORN, Bench, SmallWork, script
from tests.steps.desk import Desk, DeskBench
from tests.until import until


@pytest.fixture
def office(tmp_path: Path) -> Iterator[DeskBench]:
    """A host with people at their desktops."""
    made = DeskBench(tmp_path)
    made.people_at_it()
    yield made
    made.close()


def _drain(bench: Bench, **params: object) -> SmallWork:
    work = bench.work(StepName.DRAIN, **params)
    drain(work)
    return work


def _refused(bench: Bench, **params: object) -> tuple[str, SmallWork]:
    work = bench.work(StepName.DRAIN, **params)
    with pytest.raises(Refused) as refused:
        drain(work)
    assert refused.value.refusal is Refusal.APP_STILL_OPEN
    return str(refused.value), work


def _close(bench: Bench, **changes: object) -> None:
    close = replace(bench.profile.close, **changes)  # type: ignore[arg-type]
    bench.profile = replace(bench.profile, close=close)


def _kill_allowed(bench: Bench) -> None:
    bench.profile = replace(bench.profile, app=replace(bench.profile.app, kill=True))


def _open_stubborn(bench: Bench) -> subprocess.Popen[bytes]:
    ready = bench.root / "ready"
    code = STUBBORN.replace("signal.pause()", f"open({str(ready)!r}, 'w').close()\nsignal.pause()")
    (bench.app / "bin/app").write_bytes(script(code))
    child = bench.open_app()
    until(ready.exists)
    return child


def _in_a_session(bench: DeskBench, session: str) -> tuple[Desk, subprocess.Popen[bytes]]:
    child = bench.open_app()
    bench.desk.sit(session, child.pid)
    return bench.desk, child


def test_nobody_there_means_nobody_is_told(bench: Bench) -> None:
    work = _drain(bench, grace_seconds=600.0)

    assert bench.people.notices == []
    assert work.facts == {"open_at_first": "", "closed_by": ""}


def test_it_ends_the_moment_the_last_has_closed(bench: Bench) -> None:
    child = bench.open_app()

    def leave() -> None:
        bench.people.heard.wait(10)
        child.kill()
        child.wait()

    person = threading.Thread(target=leave)
    person.start()
    work = _drain(bench, grace_seconds=3600.0)
    person.join()

    assert work.facts["closed_by"] == "by-itself 1"
    assert f"pid {child.pid}" in work.facts["open_at_first"]
    assert work.facts["still_in"] == ""
    assert bench.people.hushed == 1


def test_the_notice_counts_down_and_says_who_and_why(office: DeskBench) -> None:
    desk, _ = _in_a_session(office, "s1")
    desk.sit("s2")  # has nothing open

    _drain(office, grace_seconds=30.0, notice="Noon", asked_by="Lea", takes=600.0)

    told = {(n.kind, n.title, n.version, n.message, n.asked_by, n.takes) for n in desk.notices}
    left = [seconds for seconds, _ in desk.told("s1")]
    assert told == {(NoticeKind.CLOSE, "Bench App", "1.1", "Noon", "Lea", 600.0)}
    assert len(left) >= 5
    assert left == sorted(left, reverse=True)
    assert 25.0 < left[0] <= 30.0
    assert desk.told("s2") == []


def test_at_the_end_of_the_grace_period_what_is_open_is_closed(bench: Bench) -> None:
    one, other, updater = bench.open_app(), bench.open_app(), bench.open_app("bin/updater")

    work = _drain(bench, grace_seconds=1.0)

    assert work.facts["closed_by"] == "terminate 3"
    assert [child.wait() for child in (one, other, updater)] == [-15] * 3
    assert bench.running() == {}


def test_other_programs_are_left_alone(bench: Bench) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        _drain(bench)
        assert other.poll() is None
        other.kill()


def test_what_does_not_close_is_named_and_not_killed_when_the_profile_forbids_it(
    bench: Bench,
) -> None:
    child = _open_stubborn(bench)

    why, _ = _refused(bench)

    assert f"pid {child.pid}" in why
    assert child.poll() is None
    assert bench.people.hushed == 1


def test_what_does_not_close_is_killed_when_the_profile_allows_it(bench: Bench) -> None:
    _kill_allowed(bench)
    child = _open_stubborn(bench)

    work = _drain(bench)

    assert work.facts["closed_by"] == "kill 1"
    assert work.facts["closed_how"].endswith(f"pid {child.pid}): kill")
    assert child.wait() == -9


def test_who_says_that_the_work_is_saved_is_closed_at_once_while_others_go_on(
    office: DeskBench,
) -> None:
    desk, done = _in_a_session(office, "s1")
    other = office.open_app()
    desk.sit("s2", other.pid)
    desk.says("s1", Word.DONE, after=5.0)
    open_meanwhile = list[set[int]]()
    desk.later(10.0, lambda: open_meanwhile.append(set(office.running())))

    work = _drain(office, grace_seconds=60.0)

    assert open_meanwhile == [{other.pid}]
    assert desk.asked_to_close == [done.pid, other.pid]
    assert work.facts["closed_by"] == "window 2"
    assert min(seconds for seconds, _ in desk.told("s1")) > 50
    assert min(seconds for seconds, _ in desk.told("s2")) <= 5
    assert desk.hushed_in == ["s1", "s2"]


def test_five_more_minutes_are_given_as_often_as_the_rollout_allows(office: DeskBench) -> None:
    desk, _ = _in_a_session(office, "s1")
    other = office.open_app()
    desk.sit("s2", other.pid)
    for moment in (5.0, 6.0, 7.0):
        desk.says("s1", Word.LATER, after=moment)
    closed = list[tuple[float, set[int]]]()
    for moment in (70.0, 640.0):
        desk.later(moment, lambda: closed.append((0, set(office.running()))))
    said = list[str]()
    work = office.work(StepName.DRAIN, grace_seconds=60.0, postpones=2)
    desk.later(6.5, lambda: said.append(work.facts[STILL_IN]))
    desk.later(30.0, lambda: said.append(work.facts[STILL_IN]))

    drain(work)

    assert [re.findall(r"(\d+) more minutes, until \d\d:\d\d", text) for text in said] == [
        ["10"],
        ["10"],
    ]

    assert [len(left) for _, left in closed] == [1, 1]
    assert {postpones for _, postpones in desk.told("s1")} == {2, 1, 0}
    assert max(seconds for seconds, _ in desk.told("s1")) <= 660
    assert max(seconds for seconds, _ in desk.told("s2")) <= 60
    assert work.facts["closed_by"] == "window 2"


def test_a_promise_of_more_minutes_holds_when_the_agent_starts_anew(office: DeskBench) -> None:
    desk, _ = _in_a_session(office, "s1")
    desk.says("s1", Word.LATER)

    def die() -> None:
        raise KeyboardInterrupt

    desk.later(20.0, die)
    with pytest.raises(KeyboardInterrupt):
        _drain(office, grace_seconds=60.0, postpones=1)
    desk.notices.clear()
    desk.shown_in.clear()
    desk.says("s1", Word.LATER)
    _drain(office, grace_seconds=60.0, postpones=1)

    first = desk.told("s1")[0]
    assert 300 < first[0] <= 341
    assert {postpones for _, postpones in desk.told("s1")} == {0}


def test_nobody_is_promised_more_than_the_step_has(office: DeskBench) -> None:
    desk, child = _in_a_session(office, "s1")
    desk.says("s1", Word.LATER)
    work = office.work(StepName.DRAIN, grace_seconds=30.0, postpones=5)
    work.limit = office.platform.clock() + 200.0

    drain(work)

    assert max(seconds for seconds, _ in desk.told("s1")) <= 140
    assert desk.told("s1")[-1][1] == 0
    assert office.platform.clock() < work.limit
    assert child.wait() == -9


def test_a_step_with_little_time_to_close_takes_none_of_the_grace_period(
    office: DeskBench,
) -> None:
    desk, _ = _in_a_session(office, "s1")
    desk.says("s1", Word.LATER)
    work = office.work(StepName.DRAIN, grace_seconds=30.0, postpones=1)
    work.limit = office.platform.clock() + 45.0

    drain(work)

    assert 25 < desk.told("s1")[0][0] <= 30
    assert min(seconds for seconds, _ in desk.told("s1")) <= 5


@pytest.mark.parametrize(
    ("session", "word", "postpones"),
    [("s1", Word.LATER, 0), ("s9", Word.DONE, 5), ("s1", Word.OPEN, 5), ("s2", Word.DONE, 5)],
)
def test_words_that_are_not_for_saying_change_nothing(
    office: DeskBench, session: str, word: Word, postpones: int
) -> None:
    desk, child = _in_a_session(office, "s1")
    desk.sit("s2")
    desk.says(session, word)
    there = list[bool]()
    desk.later(25.0, lambda: there.append(child.poll() is None))

    _drain(office, grace_seconds=30.0, postpones=postpones)

    assert there == [True]
    assert max(seconds for seconds, _ in desk.told("s1")) <= 30


def test_a_question_is_reported_and_not_forced_before_people_had_their_time(
    office: DeskBench,
) -> None:
    desk, child = _in_a_session(office, "s1")
    _kill_allowed(office)
    desk.ask.add(child.pid)
    desk.says("s1", Word.DONE)
    seen = list[tuple[bool, str, set[str]]]()
    work = office.work(StepName.DRAIN, grace_seconds=120.0)
    desk.later(
        110.0, lambda: seen.append((child.poll() is None, work.facts["still_in"], work.found))
    )

    drain(work)

    user = desk.platform_user()
    assert seen == [(True, f"{user} (asks a question)", {"asks-a-question"})]
    assert min(seconds for seconds, _ in desk.told("s1")) <= 5  # the countdown stays in sight
    assert work.facts["closed_by"] == "terminate 1"


@pytest.mark.parametrize("sessions", [("s1",), ("s1", "s2")])
def test_where_a_question_could_not_be_seen_nothing_is_forced_before_people_had_their_time(
    office: DeskBench, sessions: tuple[str, ...]
) -> None:
    child = office.open_app()
    for session in sessions:  # one that is seen does not vouch for the other
        office.desk.sit(session, sees=session == "s2")
    _kill_allowed(office)
    office.desk.says("s1", Word.DONE)
    there = list[bool]()
    office.desk.later(100.0, lambda: there.append(child.poll() is None))

    work = _drain(office, grace_seconds=120.0)

    assert there == [True]
    assert work.facts["closed_by"] == "terminate 1"


def test_a_question_that_is_answered_lets_the_app_go(office: DeskBench) -> None:
    desk, child = _in_a_session(office, "s1")
    desk.ask.add(child.pid)
    desk.later(5.0, child.kill)

    work = _drain(office)

    assert work.facts["closed_by"] == "window 1"


@pytest.mark.parametrize("cancelled", [False, True])
def test_unsaved_work_is_never_forced_when_the_profile_forbids_the_last_rung(
    office: DeskBench, cancelled: bool
) -> None:
    desk, child = _in_a_session(office, "s1")
    desk.ask.add(child.pid)
    if cancelled:
        desk.later(5.0, lambda: desk.asks(child.pid, now=False))

    why, work = _refused(office)

    what = "has unsaved work in" if cancelled else "is asked a question by"
    assert f"pid {child.pid}) {what} Bench App: have it" in why
    assert child.poll() is None
    assert work.found == {"asks-a-question"}


def test_a_program_without_a_window_is_waited_for_and_named(office: DeskBench) -> None:
    _close(office, windowless=Windowless.WAIT)
    child = office.open_app()
    office.desk.sit("s1")

    why, work = _refused(office, grace_seconds=30.0)

    assert work.facts["still_in"] == f"app of {office.desk.platform_user()} (no window)"
    assert f"pid {child.pid}) runs Bench App without a window: wait for it" in why
    assert child.poll() is None
    assert office.desk.notices == []  # it is nothing that its user could close
    assert json.loads(work.memo.get(HAD_OPEN) or "") == []


def test_a_program_without_a_window_that_ends_in_time_is_no_trouble(office: DeskBench) -> None:
    _close(office, windowless=Windowless.WAIT)
    child = office.open_app()
    office.desk.sit("s1")
    office.desk.later(10.0, child.kill)

    assert _drain(office, grace_seconds=30.0).facts["closed_by"] == "by-itself 1"


def test_what_cannot_be_seen_is_taken_for_having_a_window(office: DeskBench) -> None:
    _close(office, windowless=Windowless.WAIT)
    office.open_app()
    office.desk.sit("s1", sees=False)

    work = _drain(office, grace_seconds=5.0)

    assert work.facts["closed_by"] == "terminate 1"  # and nothing there can close a window
    assert office.desk.asked_to_close == []
    assert office.desk.told("s1")


@pytest.mark.parametrize("policy", list(Unattended))
def test_where_nobody_can_answer_the_profile_says_what_becomes_of_it(
    office: DeskBench, policy: Unattended
) -> None:
    _close(office, unattended=policy)
    child = office.open_app()
    office.desk.sit("s1", child.pid, active=False)

    if policy is Unattended.CLOSE:
        assert _drain(office, grace_seconds=5.0).facts["closed_by"] == "window 1"
        return
    why, work = _refused(office, grace_seconds=5.0)
    assert "nobody can answer for" in why
    assert "locked, disconnected or away: close it there; then retry" in why
    assert work.facts["still_in"].endswith("(away)")
    assert child.poll() is None


def test_what_is_left_open_in_several_sessions_is_told_by_their_number(office: DeskBench) -> None:
    _close(office, unattended=Unattended.ASK)
    for session in ("s1", "s2", "s3"):
        office.desk.sit(session, office.open_app().pid, active=session == "s1")
    office.desk.says("s1", Word.DONE)

    why, work = _refused(office, grace_seconds=5.0)

    assert why.startswith("cannot close Bench App: it is open in 2 sessions: nobody can answer")
    assert work.facts["closed_by"] == "window 1"


def test_who_comes_back_in_time_may_say_that_it_be_closed(office: DeskBench) -> None:
    _close(office, unattended=Unattended.ASK)
    child = office.open_app()
    office.desk.sit("s1", child.pid, active=False)
    office.desk.later(5.0, lambda: office.desk.sit("s1", child.pid))
    office.desk.says("s1", Word.DONE, after=6.0)

    assert _drain(office, grace_seconds=60.0).facts["closed_by"] == "window 1"


def test_who_prints_is_not_forced_before_the_end_of_the_grace_period(office: DeskBench) -> None:
    desk, child = _in_a_session(office, "s1")
    desk.deaf.add(child.pid)
    office.printers.jobs.append(PrintJob(desk.platform_user(), "Laser-42"))
    desk.says("s1", Word.DONE)
    work = office.work(StepName.DRAIN, grace_seconds=60.0)
    seen = list[tuple[bool, str]]()
    desk.later(50.0, lambda: seen.append((child.poll() is None, work.facts["still_in"])))

    drain(work)

    assert seen == [(True, f"{desk.platform_user()} (prints)")]
    assert work.facts["closed_by"] == "terminate 1"


def test_who_said_done_and_prints_nothing_is_not_waited_for(office: DeskBench) -> None:
    desk, child = _in_a_session(office, "s1")
    desk.deaf.add(child.pid)
    office.printers.jobs.append(PrintJob("somebody-else", "Laser-42"))
    desk.says("s1", Word.DONE)
    closed = list[bool]()
    desk.later(50.0, lambda: closed.append(child.poll() is not None))
    desk.sit("s2", office.open_app().pid)

    _drain(office, grace_seconds=60.0)

    assert closed == [True]


def test_who_had_it_open_is_remembered_without_updater_and_helpers(office: DeskBench) -> None:
    desk, child = _in_a_session(office, "s1")
    office.open_app("bin/updater")

    work = _drain(office)

    had = json.loads(work.memo.get(HAD_OPEN) or "")
    assert [(entry["user"], entry["session"]) for entry in had] == [(desk.platform_user(), "s1")]
    assert had[0]["program"] == "bin/app"
    assert _drain(office).memo.get(HAD_OPEN) == json.dumps(had)  # a second drain forgets nobody
    assert child.wait() == -9


def test_a_host_where_twenty_sessions_have_it_open_is_told_in_few_words(
    office: DeskBench,
) -> None:
    for number in range(20):
        office.desk.sit(f"s{number}", office.open_app().pid)

    seen = list[str]()
    work = office.work(StepName.DRAIN, grace_seconds=2.0)
    office.desk.later(1.0, lambda: seen.append(work.facts["still_in"]))

    drain(work)

    user = office.desk.platform_user()
    assert seen[0].startswith(f"20 sessions: {user} (session s0), {user} (session s1), ")
    assert seen[0].endswith("(session s7) and 12 more")
    assert work.facts["open_at_first"].endswith(" and 15 more")
    assert work.facts["closed_by"] == "window 20"
    assert {session for where in office.desk.shown_in for session in where} == {
        f"s{number}" for number in range(20)
    }
    assert os.getpid() not in office.desk.asked_to_close
