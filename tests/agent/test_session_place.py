"""When a desktop's program is started anew, and what is believed of what it says."""

import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest

from agent.platforms.desktop import Desktop, DesktopProgram
from agent.session.messages import CodeTyped, Seen, to_line
from agent.session_place import Pace, Place
from agent.wire.notices import Blind

DESKTOP = Desktop("3", "marie", active=True, environment={"DISPLAY": ":0"})
PACE = Pace()


@dataclass
class MadeUp:
    """A program that is a socket pair, on a host where Marie owns the pids below 100."""

    link: socket.socket
    other: socket.socket
    asked: list[Collection[int]] = field(default_factory=list)

    def end(self) -> None:
        self.link.close()

    def desktops(self) -> Sequence[Desktop]:
        return [DESKTOP]

    def start(self, desktop: Desktop) -> DesktopProgram:
        return self

    def owned(self, user: str, pids: Collection[int]) -> frozenset[int]:
        self.asked.append(pids)
        return frozenset(pid for pid in pids if pid < 100 and user == "marie")


@pytest.fixture
def host() -> Iterator[MadeUp]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with closing(ours), closing(theirs):
        yield MadeUp(ours, theirs)


def place_of(host: MadeUp, desktop: Desktop = DESKTOP) -> Place:
    place = Place(desktop, host, PACE)
    place.begin(host, 0.0)
    return place


def test_pauses_grow_up_to_the_longest(host: MadeUp) -> None:
    place = Place(DESKTOP, host, PACE)
    pauses = []
    for _ in range(8):
        place.failed(100.0)
        pauses.append(place.due - 100.0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_program_that_worked_for_long_is_started_anew_at_once(host: MadeUp) -> None:
    place = Place(DESKTOP, host, PACE)
    for _ in range(5):
        place.failed(0.0)
    place.begin(host, 100.0)
    place.failed(200.0)
    assert place.due == 201.0


def test_one_is_due_only_where_the_screen_is_known(host: MadeUp) -> None:
    assert Place(DESKTOP, host, PACE).is_due(0.0)
    blind = Place(replace(DESKTOP, environment={}), host, PACE)
    assert not blind.is_due(0.0)
    assert blind.seat(0.0).blind is Blind.NOT_RUNNING


def test_it_has_longer_for_its_first_word_than_for_the_next(host: MadeUp) -> None:
    place = place_of(host)
    assert place.why_to_end(29.0) == ""
    assert "does not begin" in place.why_to_end(31.0)
    host.other.send(to_line(Seen()))
    place.hear(31.0)
    assert place.why_to_end(40.0) == ""
    assert "nothing any more" in place.why_to_end(42.0)


def test_only_what_it_sees_counts_as_a_sign_of_life(host: MadeUp) -> None:
    place = place_of(host)
    host.other.send(to_line(CodeTyped("x")))
    assert place.hear(5.0) == [CodeTyped("x")]
    assert not place.seat(5.0).sees


def test_it_is_believed_of_its_own_users_processes_only(host: MadeUp) -> None:
    place = place_of(host)
    host.other.send(to_line(Seen(windows=(7, 300), asking=(7, 8, 400), idle_seconds=3.0)))
    place.hear(1.0)
    seat = place.seat(1.0)
    assert seat.windows == {7, 8}, "who asks a question has a window"
    assert seat.asking == {7, 8}
    assert seat.idle_seconds == 3.0


def test_whose_they_are_is_looked_up_once_while_nothing_changes(host: MadeUp) -> None:
    place = place_of(host)
    for second in range(5):
        host.other.send(to_line(Seen(windows=(7,), idle_seconds=second)))
        place.hear(second)
        place.seat(second)
    assert len(host.asked) == 1


def test_what_it_saw_long_ago_is_not_believed(host: MadeUp) -> None:
    place = place_of(host)
    host.other.send(to_line(Seen(windows=(7,))))
    place.hear(1.0)
    assert place.seat(11.0).sees
    assert not place.seat(11.1).sees
    assert place.seat(11.1).windows == frozenset()


def test_a_locked_session_sees_and_cannot_answer(host: MadeUp) -> None:
    place = place_of(host, replace(DESKTOP, active=False))
    host.other.send(to_line(Seen()))
    place.hear(1.0)
    assert place.seat(1.0).sees
    assert not place.seat(1.0).active


def test_one_that_was_given_up_says_nothing_and_is_told_nothing(host: MadeUp) -> None:
    place = place_of(host)
    assert place.drop() is host
    assert place.drop() is None
    place.tell(Seen(), 1.0)
    assert place.hear(1.0) == []
    assert not place.seat(1.0).sees
