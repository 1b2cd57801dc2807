"""The desktop program's end of the socket pair, with a service that says anything at all."""

import socket
from collections.abc import Iterator

import pytest

from agent.session.messages import MOST_BYTES, Hush, Seen, Show, to_line
from agent.session.talk import Ended, Talk
from agent.wire.codec import BadMessage
from agent.wire.notices import Notice, NoticeKind

SHOW = Show(Notice(NoticeKind.AHEAD, "Office Maker"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Talk]]:
    service, desktop = socket.socketpair()
    with service, desktop:
        yield service, Talk(desktop)


def test_messages_arrive_whole_however_they_are_cut(pair: tuple[socket.socket, Talk]) -> None:
    service, talk = pair
    line = to_line(SHOW) + to_line(Hush())
    service.sendall(line[:30])
    assert talk.hear() == []
    service.sendall(line[30:])
    assert talk.hear() == [SHOW, Hush()]
    assert talk.hear() == []


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"\xff\xfe\x00\n",
        b"[]\n",
        b"{}\n",
        b'{"run": {"command": "id"}}\n',
        b'{"seen": {}}\n',
        b'{"show": {"notice": {"kind": "ahead"}}}\n',
        b'{"show": {"notice": {"kind": "ahead", "title": "a\\u001b[2J"}}}\n',
        b'{"show": {"notice": {"kind": "ahead", "title": "' + b"a" * 600 + b'"}}}\n',
        b'{"close-windows": {"pids": [0]}}\n',
        b"[" * 60000 + b"\n",
        b"a" * (MOST_BYTES + 1),
    ],
)
def test_what_is_no_message_is_refused(line: bytes, pair: tuple[socket.socket, Talk]) -> None:
    service, talk = pair
    service.sendall(line)
    with pytest.raises(BadMessage):
        talk.hear()


def test_a_closed_end_is_the_end(pair: tuple[socket.socket, Talk]) -> None:
    service, talk = pair
    service.close()
    with pytest.raises(Ended):
        talk.hear()
    with pytest.raises(Ended):
        talk.say(Seen())


def test_a_service_that_does_not_listen_is_not_waited_for(
    pair: tuple[socket.socket, Talk],
) -> None:
    _, talk = pair
    with pytest.raises(Ended):
        say_much(talk)


def say_much(talk: Talk) -> None:
    for _ in range(100_000):
        talk.say(Seen(tuple(range(1, 201))))
