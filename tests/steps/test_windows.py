from dataclasses import replace

import pytest

from agent.platforms.base import Process
from agent.steps.table import Seat
from agent.steps.windows import Window, is_asking, seats_of, shown_at, window_of

_APP = Process(11, 1.0, "marie", "2", "/opt/app", ("/opt/app",))


def _seat(session: str = "2", user: str = "marie", *, sees: bool = True, **more: object) -> Seat:
    given = {key: frozenset(pids) for key, pids in more.items()}  # type: ignore[call-overload]
    return Seat(session, user, active=True, sees=sees, **given)


@pytest.mark.parametrize(
    ("seats", "window"),
    [
        ([_seat(windows=[11])], Window.THERE),
        ([_seat(windows=[12])], Window.NONE),
        ([_seat(sees=False)], Window.UNKNOWN),
        ([_seat(sees=False, windows=[11])], Window.UNKNOWN),  # it cannot know
        ([_seat(), _seat("3", sees=False)], Window.UNKNOWN),
        ([_seat(windows=[11]), _seat("3", sees=False)], Window.THERE),
        ([_seat("3", windows=[11])], Window.THERE),  # the session of a process may be unknown
        ([_seat(user="paul", windows=[11])], Window.NONE),  # paul says so of what is marie's
        ([_seat(user="paul", sees=False)], Window.NONE),
        ([], Window.NONE),
    ],
)
def test_who_has_a_window_is_what_its_own_users_desktops_say(
    seats: list[Seat], window: Window
) -> None:
    assert window_of([_APP], seats) is window


def test_a_program_has_a_window_when_one_of_its_processes_has() -> None:
    helper = Process(12, 1.0, "marie", "2", "/opt/app", ("/opt/app",), parent=11)

    assert window_of([_APP, helper], [_seat(windows=[12])]) is Window.THERE


def test_a_question_counts_only_on_the_users_own_desktop() -> None:
    assert is_asking([_APP], [_seat(asking=[11])])
    assert not is_asking([_APP], [_seat(user="paul", asking=[11])])
    assert not is_asking([_APP], [_seat(asking=[12])])


def test_where_a_program_is_is_told_by_its_window_then_its_session_then_its_user() -> None:
    two, three = _seat("2"), _seat("3")

    assert seats_of([_APP], [two, _seat("3", windows=[11])]) == [_seat("3", windows=[11])]
    assert seats_of([_APP], [two, three]) == [two]
    assert seats_of([_APP], [three, _seat("4"), _seat("2", "paul")]) == [three, _seat("4")]
    assert seats_of([_APP], []) == []


def test_only_who_can_know_of_it_is_told() -> None:
    import_ = Process(13, 1.0, "marie", "", "/opt/import", ("/opt/import",))

    assert shown_at([_APP], [_seat("2"), _seat("3")]) == [_seat("2")]  # hidden in a tray
    assert shown_at([import_], [_seat("2")]) == []
    timer, opened = replace(_APP, session="user-1000"), replace(_APP, session="user-1000-app")
    assert shown_at([timer], [_seat("2")]) == []
    assert shown_at([opened], [_seat("2")]) == [_seat("2")]  # by the desktop's own menu
    assert shown_at([import_], [_seat("2", sees=False)]) == [_seat("2", sees=False)]
