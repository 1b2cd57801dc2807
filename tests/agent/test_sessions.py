"""The programs in the desktops of a host: real processes over real socket pairs."""

import getpass
import os
import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.platforms.base import Process
from agent.service import judged
from agent.session.messages import CodeJudged
from agent.steps.table import Seat
from agent.wire.codes import hash_code, new_salt
from agent.wire.notices import Blind, Notice, NoticeKind, Word
from tests.agent.desks import IMPATIENT, QUICK, Desks, desks
from tests.agent.test_cordon import SEALED, Host
from tests.until import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
CLOSE = Notice(NoticeKind.CLOSE, "Bench App", seconds_left=60.0)
CLOSED = Notice(NoticeKind.CLOSED, "Bench App")
MAY_OPEN = replace(CLOSED, may_open=True)
DONE = 'say={"said": {"word": "done"}}'
OPEN = 'say={"said": {"word": "open"}}'


def seat(host: Desks) -> Seat:
    (only,) = host.people.seats()
    return only


def sees(host: Desks) -> bool:
    return any(seat.sees for seat in host.people.seats())


def shown(host: Desks, pid: int | None = None) -> list[str]:
    return [line["show"]["notice"]["kind"] for line in host.told(pid) if "show" in line]


def process(pid: int, user: str) -> Process:
    return Process(pid, 0.0, user, "", "/app", ("/app",))


def test_a_person_who_logs_in_has_a_program_and_a_seat() -> None:
    with desks(f"windows={os.getpid()}", "listen") as host:
        host.start()
        assert host.people.seats() == ()
        session = host.log_in()
        until(lambda: sees(host))
        assert seat(host).session == session
        assert seat(host).active
        assert seat(host).windows == {os.getpid()}
        assert seat(host).blind is None


def test_the_program_has_the_sessions_environment_and_the_link_and_nothing_else() -> None:
    with desks("listen") as host:
        host.start()
        session = host.log_in()
        until(host.working)
        (life,) = host.lives()
        environment = life["environment"]
        assert environment["LANG"] == "fr_FR.UTF-8"
        assert environment["ROUNDSMAN_SESSION"] == session
        assert not {"SECRET", "LD_PRELOAD", "PYTHONPATH", "VIRTUAL_ENV"} & set(environment)
        assert life["cwd"] == "/"
        assert life["ids"][3] == life["pid"], "it leads a session of its own"
        assert "NoNewPrivs:\t1" in life["status"]
        assert len(life["handles"]) == 5, "three of its own, the link, and the list it reads"


def test_a_notice_reaches_the_program_and_is_taken_away_again() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        host.people.show(CLOSE)
        until(lambda: shown(host))
        host.people.hush()
        until(lambda: {"hush": {}} in host.told())


@pytest.mark.parametrize("alone", [False, True], ids=["everywhere", "in one session"])
def test_a_countdown_that_is_over_is_still_taken_from_the_screen(alone: bool) -> None:
    with desks("listen") as host:
        host.start()
        where = (host.log_in(),) * alone
        until(lambda: sees(host))
        host.people.show(replace(CLOSE, seconds_left=1e-9), where)
        until(lambda: shown(host))
        host.people.hush(where)
        until(lambda: {"hush": {}} in host.told())


def test_a_notice_that_stands_is_shown_to_whoever_logs_in_later() -> None:
    with desks("listen") as host:
        host.start()
        host.people.show(CLOSED)
        host.people.show(CLOSE)
        host.log_in()
        until(lambda: sorted(shown(host)) == ["close", "closed"])


def test_a_notice_taken_away_is_shown_to_nobody_later() -> None:
    with desks("listen") as host:
        host.start()
        host.people.show(CLOSE)
        host.people.hush()
        host.log_in()
        until(lambda: sees(host))
        assert not shown(host)


def test_windows_are_closed_by_the_program_of_their_user_only() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        own = seat(host).user
        host.people.close_windows([process(11, own), process(12, "another"), process(13, own)])
        until(lambda: {"close-windows": {"pids": [11, 13]}} in host.told())


def test_more_windows_than_a_message_holds_are_closed_by_several() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        host.people.close_windows([process(pid, seat(host).user) for pid in range(1, 451)])

        def asked() -> list[int]:
            told = [line["close-windows"]["pids"] for line in host.told() if "show" not in line]
            return [pid for pids in told for pid in pids]

        until(lambda: asked() == list(range(1, 451)))


def test_an_answer_is_given_once() -> None:
    with desks(DONE, DONE, "listen") as host:
        host.people.show(CLOSE)
        host.start()
        session = host.log_in()
        until(lambda: sees(host))
        (answer,) = host.people.answers()
        assert (answer.session, answer.word) == (session, Word.DONE)
        assert answer.user == seat(host).user
        assert host.people.answers() == []


def test_a_word_nobody_asked_for_is_no_answer() -> None:
    with desks(DONE, "listen") as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        host.people.show(CLOSE)
        assert host.people.answers() == []


def test_an_answer_to_a_notice_that_was_taken_away_is_forgotten() -> None:
    with desks(DONE, "listen") as host:
        host.people.show(CLOSE)
        host.start()
        host.log_in()
        until(lambda: sees(host))
        host.people.hush()
        host.people.show(CLOSE)
        assert host.people.answers() == []


def test_who_wants_the_app_opened_has_it_opened_once() -> None:
    with desks(OPEN, OPEN, "listen") as host:
        opened: list[str] = []
        session = host.log_in()
        host.people.show(replace(CLOSE, kind=NoticeKind.AVAILABLE), [session])
        host.people.offer(session, getpass.getuser(), lambda: opened.append("theirs"))
        host.people.offer(session, "somebody else", lambda: opened.append("another's"))
        host.start()
        until(lambda: sees(host))
        until(lambda: opened)
        assert opened == ["theirs"]
        assert host.people.answers() == []


def test_an_app_that_is_slow_to_open_keeps_no_desktop_waiting() -> None:
    with desks(OPEN, "listen") as host:
        begun, may_end = threading.Event(), threading.Event()

        def open_slowly() -> None:
            begun.set()
            may_end.wait(60)

        session = host.log_in()
        host.people.show(replace(CLOSE, kind=NoticeKind.AVAILABLE), [session])
        host.people.offer(session, getpass.getuser(), open_slowly)
        host.start()
        try:
            assert begun.wait(20)
            until(lambda: sees(host))
            host.people.show(CLOSED)
            until(lambda: "closed" in shown(host))
        finally:
            may_end.set()


def test_nothing_is_opened_that_was_not_offered_or_no_longer_is() -> None:
    with desks(OPEN, "listen") as host:
        opened: list[str] = []
        session = host.log_in()
        host.people.offer(session, getpass.getuser(), lambda: opened.append(session))
        host.people.hush()  # another update begins
        host.people.show(CLOSE)
        host.start()
        until(lambda: sees(host))
        assert opened == []


def judgements(host: Desks) -> list[dict[str, Any]]:
    return [line["code-judged"] for line in host.told() if "code-judged" in line]


def test_a_code_typed_there_is_judged_and_the_program_hears_what_became_of_it() -> None:
    with desks('say={"code": {"code": "ABCD-1234"}}', "listen") as host:
        host.people.show(MAY_OPEN)
        host.start()
        host.log_in()
        until(lambda: judgements(host))
        assert host.typed == ["ABCD-1234"]
        assert judgements(host) == [{"opened": False, "why": "not this one"}]


@pytest.mark.parametrize("notice", [None, CLOSED])
def test_a_code_that_is_not_asked_for_is_not_tried(notice: Notice | None) -> None:
    with desks('say={"code": {"code": "ABCD-1234"}}', "listen") as host:
        host.people.show(MAY_OPEN, ["another session"])
        if notice:
            host.people.show(notice)
        host.start()
        host.log_in()
        until(lambda: judgements(host))
        assert judgements(host)[0]["why"] == "no code can be tried at this moment"
        assert host.typed == []


def test_whoever_asks_who_is_here_hears_of_a_new_session_soon() -> None:
    with desks("listen", pace=replace(QUICK, calm_look=600.0)) as host:
        host.start()
        until(lambda: host.people.seats() == ())
        host.log_in()
        until(lambda: sees(host))


def test_a_code_typed_there_opens_what_is_kept_closed(tmp_path: Path) -> None:
    salt = new_salt()
    order = replace(SEALED, code_salt=salt, code_hash=hash_code("ABCD-EFGH-JKMN", salt))
    kept = Host(tmp_path)
    typed = 'say={"code": {"code": "%s"}}'
    with (
        kept.agent() as cordon,
        desks(typed % "WRONG", typed % "abcd efgh jkmn", "listen") as host,
    ):
        cordon.apply(order)
        host.people.show(MAY_OPEN)
        host.people.start(partial(judged, cordon))
        host.log_in()
        until(lambda: len(judgements(host)) == 2)
        wrong, right = judgements(host)
        assert not wrong["opened"]
        assert "not the code of this PC" in wrong["why"]
        assert right == {"opened": True, "why": ""}
        assert cordon.look().code_used


def test_nobody_counts_as_silent_while_a_code_is_judged() -> None:
    typed = 'say={"code": {"code": "ABCD"}}'
    with desks('say={"seen": {}}', typed, "listen", pace=replace(QUICK, silent=1.5)) as host:
        judged_one = threading.Event()

        def judge(_user: str, _code: str) -> CodeJudged:
            judged_one.wait(3.0)
            return CodeJudged(False)

        host.people.show(MAY_OPEN)
        host.people.start(judge)
        host.log_in(number=0)
        host.log_in(number=1)
        until(lambda: len(judgements(host)) == 2, 20)
        assert len(host.lives()) == 2


def test_a_program_ends_with_its_session() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        host.log_out()
        until(lambda: not host.working())
        until(lambda: host.people.seats() == ())


def test_a_program_that_is_killed_is_started_anew_and_told_what_stands() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        host.people.show(CLOSED)
        until(lambda: shown(host))
        (first,) = host.working()
        os.kill(first, signal.SIGKILL)
        until(lambda: len(host.lives()) == 2)
        second = host.lives()[1]["pid"]
        until(lambda: shown(host, second) == ["closed"])
        until(lambda: sees(host))


def test_a_user_who_kills_it_in_a_loop_gets_it_back_with_longer_and_longer_pauses() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        killed = 0

        def kill() -> bool:
            nonlocal killed
            for pid in host.working():
                os.kill(pid, signal.SIGKILL)
                killed += 1
            return killed >= 6

        until(kill)
        until(lambda: sees(host), what="it works again once it is let be")
        assert len(host.people.seats()) == 1


def test_a_program_that_hangs_from_the_start_is_ended_and_started_anew() -> None:
    with desks("hang", pace=IMPATIENT) as host:
        host.start()
        host.log_in()
        until(lambda: len(host.lives()) > 1)
        assert len(host.working()) <= 1
        assert not seat(host).sees


def test_a_program_that_falls_silent_is_not_believed_any_more_and_started_anew() -> None:
    silent = f'say={{"seen": {{"windows": [{os.getpid()}]}}}}'
    with desks(silent, "hang", pace=IMPATIENT) as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        until(lambda: not sees(host))
        until(lambda: len(host.lives()) > 1)


def test_a_program_that_its_user_has_stopped_is_ended_and_started_anew() -> None:
    with desks("listen", pace=IMPATIENT) as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        (first,) = host.working()
        os.kill(first, signal.SIGSTOP)
        until(lambda: host.working() not in ([], [first]))


def test_a_program_that_reads_nothing_holds_nobody_up_and_is_ended() -> None:
    with desks("deaf", pace=IMPATIENT) as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        (first,) = host.working()
        told = threading.Event()

        def tell_much() -> None:
            for number in range(2000):
                host.people.show(Notice(NoticeKind.CLOSE, f"App {number}", message="x" * 400))
            told.set()

        teller = threading.Thread(target=tell_much)
        teller.start()
        assert told.wait(10), "somebody waits for a desktop"
        teller.join()
        until(lambda: first not in host.working())


LIES = (
    *("garbage", "huge", "huge-line", "deep", "wrong-kind", "unknown-kind", "list", "two"),
    *("wrong-type", "negative", "many", "not-a-number", "digits", "flood", "empty-lines"),
)


@pytest.mark.parametrize("lie", LIES)
def test_a_program_that_says_what_cannot_be_is_ended_and_started_anew(lie: str) -> None:
    with desks(f"lie={lie}", "listen") as host:
        host.start()
        host.log_in()
        until(lambda: len(host.lives()) > 2, what="it was started thrice")
        assert len(host.working()) <= 1
        assert not any(seat.windows for seat in host.people.seats())


def test_a_bad_program_is_no_trouble_to_the_one_in_another_session() -> None:
    with desks("lie=garbage", "listen") as bad, desks("listen") as good:
        bad.start()
        bad.log_in()
        good.start()
        good.log_in()
        until(lambda: sees(good))
        until(lambda: len(bad.lives()) > 2)
        assert len(good.lives()) == 1


def test_what_the_program_lacks_is_told_and_it_is_not_tried_again_at_once() -> None:
    with desks('say={"lacks": {"what": "no-tkinter"}}') as host:
        host.start()
        host.log_in()
        until(lambda: [seat.blind for seat in host.people.seats()] == [Blind.NO_TKINTER])


def test_a_desktop_that_shows_its_windows_to_nobody_is_a_seat_that_does_not_see() -> None:
    with desks('say={"seen": {"sees": false, "windows": [1]}}', "hang") as host:
        host.start()
        host.log_in()
        until(lambda: [seat.blind for seat in host.people.seats()] == [Blind.UNSEEN])
        assert not seat(host).sees
        assert seat(host).windows == frozenset()


def test_a_program_that_cannot_be_started_leaves_a_seat_that_does_not_see() -> None:
    with desks() as host:
        (host.folder / "standin_desktop.py").unlink()
        host.start()
        host.log_in()
        until(lambda: [seat.blind for seat in host.people.seats()] == [Blind.NOT_RUNNING])


def test_no_program_outlives_its_agents_people() -> None:
    with desks("listen") as host:
        host.start()
        host.log_in()
        until(lambda: sees(host))
        host.people.close()
        assert not host.working()
