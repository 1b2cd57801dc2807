"""For whom a program runs, and where that person is now."""

import pytest

from agent.platforms.base import Process, Session
from agent.steps.whose import Whose, has_left, lacking, names, pack, places, unpack, whose

MARIE, PAUL = Session("2", "marie", active=True), Session("5", "paul", active=False)


def _process(user: str, session: str = "", pid: int = 10, parent: int = 1) -> Process:
    return Process(pid, 0.0, user, session, "/app/manager", ("manager",), parent=parent)


@pytest.mark.parametrize(
    ("user", "session", "expected"),
    [
        ("marie", "2", Whose("marie", "2")),
        ("paul", "user-1001", Whose("paul", "5")),  # by the user's own manager
        ("marie", "5", Whose("marie", "2")),  # another user's session is not hers
        ("marie", "", Whose("marie", "")),  # a timer's
        ("nina", "pts/3", Whose("nina", "")),  # what the system does not list
    ],
)
def test_a_program_is_its_users_in_the_session_that_is_listed(
    user: str, session: str, expected: Whose
) -> None:
    assert whose(_process(user, session), [PAUL, MARIE]) == expected


def test_of_several_sessions_of_one_user_the_active_one_is_taken() -> None:
    sessions = [Session("1", "marie", active=False), MARIE]

    assert whose(_process("marie", "user-1000"), sessions) == Whose("marie", "2")


def test_who_is_still_there_is_found_and_who_has_logged_out_is_not() -> None:
    wanted = [Whose("marie", "2"), Whose("paul", "9"), Whose("nina", "3"), Whose("svc")]

    assert places(wanted, [MARIE, PAUL]) == {
        Whose("marie", "2"): Whose("marie", "2"),
        Whose("paul", "9"): Whose("paul", "5"),  # logged out, and in again
        Whose("nina", "3"): None,
        Whose("svc"): Whose("svc"),  # was in no session that could end
    }


def test_a_number_that_another_user_has_after_a_restart_is_not_the_same_session() -> None:
    assert places([Whose("paul", "2")], [MARIE]) == {Whose("paul", "2"): None}
    assert has_left(Whose("paul", "2"), [MARIE])


def test_nobody_is_given_the_session_of_one_who_is_still_there() -> None:
    wanted = [Whose("marie", "1"), Whose("marie", "2")]

    assert places(wanted, [MARIE]) == {
        Whose("marie", "2"): Whose("marie", "2"),
        Whose("marie", "1"): None,
    }


def test_each_needs_one_of_their_own() -> None:
    wanted = [Whose("marie", "2"), Whose("paul", "5")]

    assert lacking(wanted, [_process("marie", "2")]) == [Whose("paul", "5")]
    assert lacking(wanted, [_process("marie", "2"), _process("paul", "5", 11)]) == []


def test_two_programs_in_one_session_are_not_one_for_each_session() -> None:
    wanted = [Whose("marie", "1"), Whose("marie", "2")]

    both = [_process("marie", "2", 10), _process("marie", "2", 11)]
    assert lacking(wanted, both) == [Whose("marie", "1")]


def test_a_program_that_names_no_session_counts_once_for_its_user() -> None:
    wanted = [Whose("marie", "1"), Whose("marie", "2")]

    assert lacking(wanted, [_process("marie")]) == [Whose("marie", "2")]


def test_what_a_program_has_started_is_no_second_one() -> None:
    wanted = [Whose("marie", "1"), Whose("marie", "2")]

    assert lacking(wanted, [_process("marie"), _process("marie", pid=11, parent=10)]) == [
        Whose("marie", "2")
    ]


def test_they_are_kept_once_each_and_told_in_words() -> None:
    people = [Whose("marie", "2"), Whose("paul"), Whose("marie", "2")]

    assert unpack(pack(people)) == people[:2]
    assert unpack(None) == []
    assert names(people[:2]) == "marie (session 2), paul"
    assert names([Whose("")] * 7).endswith("the system and 2 more")


def test_what_an_earlier_agent_has_kept_can_still_be_read() -> None:
    kept = '[{"user": "marie", "session": "2", "argv": ["/app/manager"], "cwd": "/app"}]'

    assert unpack(kept) == [Whose("marie", "2")]
