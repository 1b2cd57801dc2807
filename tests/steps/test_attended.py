"""An update that the person at the workstation does from inside the app."""

import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Process, Session
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up
from agent.steps.stage import stage, unstage
from agent.steps.table import Answer, Cancelled, Failed, Refused, Seat
from agent.wire.contract import TURN_OF, TURN_SECONDS, Refusal, StepName
from agent.wire.notices import NoticeKind, Word
from agent.wire.profile import Apply, ApplyKind
from tests.steps.bench import (
    AtPause,
    Bench,
    FastLinux,
    SmallPeople,
    SmallWork,
    release,
    script,
    snapshot,
    write_tree,
)

_STEP = StepName.APPLY_RELEASE
_UPDATES = """
import pathlib, sys
app = pathlib.Path(sys.argv[0]).parent.parent
(app / "told").write_text("|".join(sys.argv[1:]))
(app / "version.txt").write_text("app=1.1\\nservice_manager=1.1\\n")
"""
_UPDATES_AND_STAYS = _UPDATES + "import signal\nsignal.pause()\n"
_SPOILS_AND_STAYS = """
import pathlib, signal, sys
app = pathlib.Path(sys.argv[0]).parent.parent
(app / "version.txt").write_text("app=half")
signal.pause()
"""
_IGNORES = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


_ME = getpass.getuser()
_PAUL, _AT_THE_SCREEN = Session("1", "paul", active=False), Session("2", _ME, active=True)


class _Desktop(FastLinux):
    """A host that remembers for whom it has opened a program."""

    def __init__(self) -> None:
        super().__init__()
        self.opened_for: list[tuple[str, str]] = []

    def start_program(
        self, argv: Sequence[str], cwd: Path, user: str, session: str = ""
    ) -> Process:
        self.opened_for.append((user, session))
        return super().start_program(argv, cwd, user, session)


def _attended(root: Path, code: str = _UPDATES, limit: float = 60.0) -> Bench:
    bench = Bench(root)
    (bench.app / "bin/app").write_bytes(script(code))
    kind = Apply(ApplyKind.ATTENDED, open=("bin/app", "--port={port}"), limit_seconds=limit)
    bench.profile = replace(bench.profile, apply=kind)
    bench.platform = _Desktop()
    bench.log_in(_PAUL, _AT_THE_SCREEN)
    bench.ship({"readme.txt": b"1.1"})
    return bench


def _ready(bench: Bench) -> Bench:
    stage(bench.work(StepName.STAGE))
    back_up(bench.work(StepName.BACK_UP))
    return bench


def _applied(bench: Bench) -> SmallWork:
    work = _ready(bench).work(_STEP, asked_by="the office")
    apply_release(work)
    return work


def test_the_app_is_opened_for_the_person_who_is_active_and_waited_for(tmp_path: Path) -> None:
    bench = _attended(tmp_path)

    work = _applied(bench)

    platform = bench.platform
    assert isinstance(platform, _Desktop)
    assert platform.opened_for == [(_ME, "2")]
    assert (bench.app / "told").read_text() == f"--port={bench.values['port']}"
    assert work.facts["opened_for"] == f"{_ME} (session 2)"
    assert (work.facts[TURN_OF], work.facts[TURN_SECONDS]) == (f"{_ME} (session 2)", "60")
    assert work.facts["app_version"] == "1.1"
    people = bench.people
    assert isinstance(people, SmallPeople)
    first, last = people.notices[0], people.notices[-1]
    assert (first.kind, first.asked_by) == (NoticeKind.YOUR_TURN, "the office")
    assert (last.kind, last.version) == (NoticeKind.CLOSE_UPDATED, "1.1")
    assert {tuple(sessions) for sessions in people.shown_in} == {("2",)}
    assert bench.guard.lets == [{_ME}]  # the agent is the same user here
    assert people.hushed == 1


def test_of_two_at_a_screen_it_is_the_turn_of_the_one_whom_a_notice_can_reach(
    tmp_path: Path,
) -> None:
    bench = _attended(tmp_path)
    bench.log_in(Session("1", _ME, active=True), _AT_THE_SCREEN)
    assert isinstance(bench.people, SmallPeople)
    bench.people.at = [Seat("2", _ME, active=True)]

    assert _applied(bench).facts["opened_for"] == f"{_ME} (session 2)"


def test_nothing_of_the_package_is_fetched(tmp_path: Path) -> None:
    bench = _attended(tmp_path)

    _applied(bench)

    assert bench.packages.fetched == 0
    assert not bench.folders.incoming.exists()


def test_it_has_not_ended_while_the_app_is_still_open(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS))
    work = bench.work(_STEP)
    seen: list[int] = []

    def close_it() -> None:
        seen.extend(bench.running())
        for pid in seen:
            os.kill(pid, 15)

    AtPause(work, 8, close_it)

    apply_release(work)

    assert len(seen) == 1
    assert work.facts["app_version"] == "1.1"


def test_once_the_time_is_up_the_app_is_closed_and_the_old_release_can_come_back(
    tmp_path: Path,
) -> None:
    bench = _attended(tmp_path, _SPOILS_AND_STAYS, limit=30.0)
    before = snapshot(bench.app)

    with pytest.raises(Failed, match="the update of Bench App any longer: 30 s have passed"):
        _applied(bench)

    assert not bench.running()
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_an_update_that_is_done_stays_done_when_the_time_is_up_and_only_the_app_is_closed(
    tmp_path: Path,
) -> None:
    bench = _attended(tmp_path, _UPDATES_AND_STAYS, limit=30.0)

    work = _applied(bench)

    assert work.facts["app_version"] == "1.1"
    assert bench.running() == {}
    recover(bench.work(_STEP))
    assert (bench.app / "version.txt").read_bytes() == release("1.1")["version.txt"]


def _ended(work: SmallWork, meanwhile: Callable[[], object]) -> None:
    """Have an operator end the step at its next pause, and at each one after it."""

    def end(_seconds: float = 0.0) -> None:
        raise Cancelled("ended because it was asked to")

    def end_for_good() -> None:
        meanwhile()
        work.pause = end  # type: ignore[assignment, method-assign]
        end()

    AtPause(work, 3, end_for_good)


@pytest.mark.parametrize("kill", [False, True])
def test_who_takes_over_from_one_who_has_updated_it_closes_the_app_and_begins_nothing_anew(
    tmp_path: Path, kill: bool
) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS, limit=3600.0))
    bench.profile = replace(bench.profile, app=replace(bench.profile.app, kill=kill))
    work = bench.work(_STEP)
    _ended(work, lambda: _seen(bench))

    apply_release(work)

    assert work.facts["app_version"] == "1.1"
    assert bench.running() == {}
    assert _people(bench).asked_to_close
    recover(bench.work(_STEP))
    assert (bench.app / "version.txt").read_bytes() == release("1.1")["version.txt"]


def test_who_takes_over_leaves_a_question_about_unsaved_work_its_whole_minute(
    tmp_path: Path,
) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS, limit=3600.0))
    bench.profile = replace(bench.profile, app=replace(bench.profile.app, kill=True))
    work = bench.work(_STEP)
    _ended(work, lambda: _seen(bench, *bench.running()))
    begun = bench.platform.clock()

    apply_release(work)

    assert bench.running() == {}  # by force, which the profile allows once the time is over
    assert bench.platform.clock() - begun >= 60.0
    told = [n.seconds_left for n in _people(bench).notices if n.kind is NoticeKind.CLOSE]
    assert told[0] > 50.0
    assert work.facts["app_version"] == "1.1"


def test_an_operator_may_end_it_and_the_app_is_closed(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _SPOILS_AND_STAYS))
    before = snapshot(bench.app)
    work = bench.work(_STEP)

    def end() -> None:
        raise Cancelled("ended because it was asked to")

    AtPause(work, 3, end)
    with pytest.raises(Cancelled):
        apply_release(work)

    assert not bench.running()
    recover(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_where_nobody_is_logged_in_it_is_refused_and_nothing_begun(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path))
    bench.log_in(_PAUL)  # logged in, and away
    with pytest.raises(Refused, match="nobody is logged in") as refused:
        apply_release(bench.work(_STEP))
    bench.log_in(_AT_THE_SCREEN)

    assert refused.value.refusal is Refusal.RETRY_LATER
    apply_release(bench.work(_STEP))


def test_an_app_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path))
    before = snapshot(bench.app)
    apply = replace(bench.profile.apply, open=("bin/not-there",))
    bench.profile = replace(bench.profile, apply=apply)

    with pytest.raises(Failed, match="cannot open Bench App for who is at the screen"):
        apply_release(bench.work(_STEP))

    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_without_a_whole_backup_the_app_is_not_opened(tmp_path: Path) -> None:
    bench = _attended(tmp_path)
    stage(bench.work(StepName.STAGE))

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.NO_BACKUP


def test_undo_is_the_old_release_and_tidy_leaves_the_new_one(tmp_path: Path) -> None:
    bench = _attended(tmp_path)
    before = snapshot(bench.app)
    _applied(bench)
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before

    _applied(bench)
    apply_release(bench.work(_STEP))  # nothing is opened again
    after = snapshot(bench.app)
    delete_old(bench.work(_STEP))
    unstage(bench.work(StepName.STAGE))

    assert snapshot(bench.app) == after
    assert (bench.app / "version.txt").read_bytes() == release("1.1")["version.txt"]
    assert isinstance(bench.platform, _Desktop)
    assert len(bench.platform.opened_for) == 2


_WAITS = """
import pathlib, signal, sys
app = pathlib.Path(sys.argv[0]).parent.parent
(app / "opened").touch()
signal.pause()
"""


def _people(bench: Bench) -> SmallPeople:
    assert isinstance(bench.people, SmallPeople)
    return bench.people


def _opened_for(bench: Bench) -> list[tuple[str, str]]:
    assert isinstance(bench.platform, _Desktop)
    return bench.platform.opened_for


def _update(bench: Bench) -> None:
    (bench.app / "version.txt").write_bytes(release("1.1")["version.txt"])


def _says(bench: Bench, word: Word = Word.DONE, session: str = "2", user: str = _ME) -> None:
    _people(bench).said.append(Answer(session, user, word))


def test_who_says_that_it_is_done_need_not_wait_nor_close_it(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _WAITS, limit=3600.0))
    work = bench.work(_STEP)

    def done() -> None:
        _update(bench)
        _says(bench)

    AtPause(work, 3, done)
    apply_release(work)

    assert work.facts["app_version"] == "1.1"
    assert bench.running() == {}
    assert len(_people(bench).notices) < 8


def test_who_says_so_too_early_is_told_what_is_still_installed(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _WAITS, limit=30.0))
    work = bench.work(_STEP)
    AtPause(work, 3, lambda: _says(bench))

    with pytest.raises(Failed, match="any longer"):
        apply_release(work)

    told = [(notice.kind, notice.installed) for notice in _people(bench).notices]
    assert told[0] == (NoticeKind.YOUR_TURN, "")
    assert told[-1] == (NoticeKind.YOUR_TURN, "1.0")


@pytest.mark.parametrize(
    ("word", "session", "user"),
    [(Word.DONE, "1", "paul"), (Word.DONE, "2", "paul"), (Word.LATER, "2", _ME)],
)
def test_what_another_person_says_or_another_word_ends_nothing(
    tmp_path: Path, word: Word, session: str, user: str
) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS, limit=30.0))
    work = bench.work(_STEP)
    AtPause(work, 3, lambda: _says(bench, word, session, user))

    apply_release(work)

    assert _turn_lasted(bench) > 25.0


def test_what_was_said_before_the_turn_began_is_no_word_on_it(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS, limit=30.0))
    _says(bench)

    apply_release(bench.work(_STEP))

    assert _turn_lasted(bench) > 25.0


def _turn_lasted(bench: Bench) -> float:
    """Return for how long it was somebody's turn, by what they were told, in seconds."""
    turn = {NoticeKind.YOUR_TURN, NoticeKind.CLOSE_UPDATED}
    left = [n.seconds_left for n in _people(bench).notices if n.kind in turn]
    return left[0] - left[-1]


def test_the_time_that_is_left_counts_down_and_never_below_nothing(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _WAITS, limit=20.0))

    with pytest.raises(Failed):
        apply_release(bench.work(_STEP))

    left = [notice.seconds_left for notice in _people(bench).notices]
    assert 15.0 < left[0] <= 20.0
    assert left == sorted(left, reverse=True)
    assert left[-1] >= 0.0


def test_who_logs_out_in_the_middle_hands_the_turn_to_who_is_at_the_screen_next(
    tmp_path: Path,
) -> None:
    bench = _ready(_attended(tmp_path, _WAITS, limit=60.0))
    work = bench.work(_STEP)

    def log_out() -> None:
        bench.log_in(_PAUL)
        AtPause(work, 3, log_in)

    def log_in() -> None:
        bench.log_in(Session("7", _ME, active=True))
        AtPause(work, 3, update)

    def update() -> None:
        _update(bench)
        _says(bench, session="7")

    AtPause(work, 3, log_out)
    apply_release(work)

    assert _opened_for(bench) == [(_ME, "2"), (_ME, "7")]
    assert work.facts["logged_out"] == f"{_ME} (session 2)"
    assert work.facts["opened_for"] == f"{_ME} (session 7)"
    shown = [next(iter(sessions)) for sessions in _people(bench).shown_in]
    assert sorted(set(shown)) == ["2", "7"]
    assert shown == sorted(shown)  # nothing is shown to who is not there
    assert set() in bench.guard.lets  # nor let, in between


def test_when_nobody_comes_back_the_time_runs_out_and_says_so(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _WAITS, limit=30.0))
    work = bench.work(_STEP)
    AtPause(work, 3, lambda: bench.log_in(_PAUL))

    with pytest.raises(Failed, match="30 s have passed, and nobody is logged in"):
        apply_release(work)

    assert bench.running() == {}


def test_who_logs_out_once_it_is_updated_has_done_all(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, limit=60.0))  # ends by itself once it is updated
    work = bench.work(_STEP)
    AtPause(work, 1, bench.log_in)

    apply_release(work)

    assert work.facts["app_version"] == "1.1"
    assert _opened_for(bench) == [(_ME, "2")]


def test_one_who_is_switched_away_keeps_the_turn(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _WAITS, limit=30.0))
    work = bench.work(_STEP)
    away = Session("2", _ME, active=False)
    AtPause(work, 3, lambda: bench.log_in(Session("1", "paul", active=True), away))

    with pytest.raises(Failed):
        apply_release(work)

    assert _opened_for(bench) == [(_ME, "2")]


def test_an_operator_who_takes_over_finds_the_old_release_and_it_is_the_turn_of_who_is_there(
    tmp_path: Path,
) -> None:
    bench = _ready(_attended(tmp_path, _SPOILS_AND_STAYS, limit=3600.0))
    before = snapshot(bench.app)
    work = bench.work(_STEP)

    def end() -> None:
        raise Cancelled("ended because it was asked to")

    AtPause(work, 3, end)
    with pytest.raises(Cancelled):
        apply_release(work)
    assert bench.running() == {}
    assert _people(bench).hushed == 1
    assert (bench.app / "version.txt").read_text() == "app=half"

    bench.log_in(Session("9", _ME, active=True))
    again = bench.work(_STEP)

    def by_hand() -> None:
        _update(bench)
        _says(bench, session="9")

    AtPause(again, 3, by_hand)
    apply_release(again)

    assert again.facts["app_version"] == "1.1"
    assert _opened_for(bench)[-1] == (_ME, "9")
    put_old_back(bench.work(_STEP))  # and the way back is still there
    assert snapshot(bench.app) == before


def test_a_window_that_is_left_open_is_closed_as_its_user_would_first(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS, limit=30.0))
    work = bench.work(_STEP)
    pids: list[int] = []

    def done() -> None:
        pids.extend(bench.running())
        seat = Seat("2", _ME, active=True, sees=True, windows=frozenset(pids))
        _people(bench).at = [seat]
        _says(bench)

    AtPause(work, 4, done)
    apply_release(work)

    assert _people(bench).asked_to_close == pids
    assert bench.running() == {}


def _seen(bench: Bench, *asking: int) -> set[int]:
    """Have the app's windows be seen where its person sits."""
    pids = frozenset(bench.running())
    seat = Seat("2", _ME, active=True, sees=True, windows=pids, asking=frozenset(asking))
    _people(bench).at = [seat]
    return set(pids)


def _left_to_time(bench: Bench) -> SmallWork:
    """Have the time run out while the app is open and seen."""
    work = _ready(bench).work(_STEP)
    AtPause(work, 3, lambda: _seen(bench))
    apply_release(work)
    return work


def test_who_has_it_open_at_the_end_is_told_and_has_a_minute_and_a_copy_of_their_work(
    tmp_path: Path,
) -> None:
    bench = _attended(tmp_path, _UPDATES_AND_STAYS, limit=30.0)
    home = tmp_path / "home"
    write_tree(home, {"autosave/letter": b"dear"})
    assert isinstance(bench.platform, _Desktop)
    bench.platform.homes[_ME] = home
    bench.profile = replace(
        bench.profile, close=replace(bench.profile.close, autosave=("autosave/*",))
    )

    _left_to_time(bench)

    people = _people(bench)
    last = [n.seconds_left for n in people.notices if n.kind is NoticeKind.CLOSE]
    assert 55 < last[0] <= 60
    assert last == sorted(last, reverse=True)
    assert set(people.shown_in[-1]) == {"2"}
    assert people.hushed == 2
    assert bench.running() == {}
    assert (bench.folders.autosaves / _ME / "1/autosave/letter").read_bytes() == b"dear"


@pytest.mark.parametrize("kill", [False, True])
def test_what_does_not_close_is_killed_only_where_the_profile_allows_it(
    tmp_path: Path, kill: bool
) -> None:
    bench = _attended(tmp_path, _IGNORES + _UPDATES_AND_STAYS, limit=30.0)
    bench.profile = replace(bench.profile, app=replace(bench.profile.app, kill=kill))

    work = _left_to_time(bench)

    left = bench.running()
    assert bool(left) is not kill
    assert work.found == (set() if kill else {"left-open"})
    assert all(f"{_ME} (session 2, pid {pid})" in work.findings[0].message for pid in left)
    assert {process.pid for process in bench.guard.spared} == set(left)  # nor does the guard
    bench.close()


def test_a_question_about_unsaved_work_is_not_answered_by_force(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS, limit=30.0))
    work = bench.work(_STEP)
    AtPause(work, 3, lambda: _seen(bench, *bench.running()))

    apply_release(work)

    assert bench.running()
    assert work.found == {"left-open"}
    bench.close()


def test_who_ends_the_step_itself_waits_a_few_seconds_only(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _SPOILS_AND_STAYS, limit=3600.0))
    work = bench.work(_STEP)
    _ended(work, lambda: _seen(bench))

    with pytest.raises(Cancelled):
        apply_release(work)

    assert bench.running() == {}
    assert _people(bench).asked_to_close
    told = _people(bench).notices[-1]
    assert told.kind is NoticeKind.CLOSE
    assert told.seconds_left <= 5
