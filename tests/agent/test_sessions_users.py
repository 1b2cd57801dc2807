"""Two users at once, for real: each has a program of their own, and none speaks for another."""

import os
import signal
import subprocess
import sys

import pytest

from agent.platforms.linux_names import name_of
from agent.steps.table import Seat
from agent.wire.notices import Notice, NoticeKind, Word
from tests.agent.desks import SYSTEM_PYTHON, Desks, desks
from tests.agent.test_sessions import process
from tests.hostile.user import UID
from tests.house.source import ROOT
from tests.until import until

OTHER = UID + 1
OWN = """
import sys
sys.path.insert(0, {folder!r})
from agent.platforms.linux_desktops import LinuxDesktops
control = LinuxDesktops({names!r}, {program!r}, "/usr/bin/python3")
found = control.desktops()
print(*(desktop.user for desktop in found))
for desktop in found:
    program = control.start(desktop)
    program.link.setblocking(True)
    program.link.recv(100)
    program.end()
"""
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux only"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user"),
    pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="no Python that every user may run"),
]


def seat_of(host: Desks, uid: int) -> Seat:
    return next(seat for seat in host.people.seats() if seat.user == str(uid))


def pid_of(host: Desks, uid: int) -> int:
    return next(int(life["pid"]) for life in host.lives() if life["ids"][0] == uid)


def log_both_in(host: Desks) -> None:
    host.log_in(UID, 0)
    host.log_in(OTHER, 1)
    until(lambda: [seat.sees for seat in host.people.seats()] == [True, True])


def test_each_program_runs_as_its_user_with_no_right_of_the_agents() -> None:
    with desks("listen") as host:
        host.start()
        log_both_in(host)
        nobody = {life["ids"][0]: life for life in host.lives()}
        assert set(nobody) == {UID, OTHER}
        for life in nobody.values():
            assert life["ids"][1] != 0
            assert life["ids"][2] in ([], [life["ids"][1]])
            lines = dict(line.split(":\t", 1) for line in life["status"].splitlines())
            assert lines["NoNewPrivs"] == "1"
            assert {int(lines[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {
                0
            }


def test_a_notice_for_one_session_is_shown_to_that_one() -> None:
    with desks("listen") as host:
        host.start()
        log_both_in(host)
        host.people.show(Notice(NoticeKind.CLOSE, "Bench App"), (seat_of(host, UID).session,))
        until(lambda: host.told(pid_of(host, UID)))
        host.people.show(Notice(NoticeKind.CLOSED, "Bench App"))
        until(lambda: host.told(pid_of(host, OTHER)))
        kinds = [line["show"]["notice"]["kind"] for line in host.told(pid_of(host, OTHER))]
        assert kinds == ["closed"]


def test_each_user_is_asked_to_close_their_own_processes() -> None:
    with desks("listen") as host:
        host.start()
        log_both_in(host)
        host.people.close_windows([process(11, str(UID)), process(12, str(OTHER))])
        until(lambda: host.told(pid_of(host, UID)) and host.told(pid_of(host, OTHER)))
        assert host.told(pid_of(host, UID)) == [{"close-windows": {"pids": [11]}}]
        assert host.told(pid_of(host, OTHER)) == [{"close-windows": {"pids": [12]}}]


def test_a_session_that_lies_about_anothers_windows_is_not_believed() -> None:
    with desks(f"windows=1,{os.getpid()}", "listen") as host:
        host.start()
        log_both_in(host)
        assert seat_of(host, UID).windows == frozenset()
        assert seat_of(host, OTHER).windows == frozenset()


def test_a_word_is_that_of_the_user_whose_session_it_came_from() -> None:
    with desks('say={"said": {"word": "later", "user": "root"}}', "listen") as host:
        host.people.show(Notice(NoticeKind.CLOSE, "Bench App"))
        host.start()
        log_both_in(host)
        answers = host.people.answers()
        assert {(answer.user, answer.word) for answer in answers} == {
            (str(UID), Word.LATER),
            (str(OTHER), Word.LATER),
        }


def test_ending_ones_own_program_is_nothing_to_the_other_user() -> None:
    with desks("listen") as host:
        host.start()
        log_both_in(host)
        first, other = pid_of(host, UID), pid_of(host, OTHER)
        os.kill(first, signal.SIGKILL)
        until(lambda: first not in host.working() and len(host.working()) == 2)
        assert other in host.working()


def test_an_agent_that_is_not_root_cares_for_its_own_user_only() -> None:
    with desks("listen") as host:
        names = [host.log_in(UID, 0).partition(":")[2], host.log_in(OTHER, 1).partition(":")[2]]
        program = (str(host.folder / "standin_desktop.py"), str(host.folder), "listen")
        code = OWN.format(folder=str(ROOT), names=[f":{name}" for name in names], program=program)
        told = subprocess.run(
            [SYSTEM_PYTHON, "-c", code],
            user=UID,
            group=UID,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert told.stdout.split() == [str(UID)], told.stderr
        assert [life["ids"][0] for life in host.lives()] == [UID]


def test_a_user_known_by_name_is_told_by_name() -> None:
    assert name_of(0) == "root"
    assert name_of(UID) == str(UID)
