"""What a desktop may say and read is bounded, and nobody waits for it."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.session.messages import MOST_BYTES, CodeJudged, CodeTyped, Lacks, Said, Seen
from agent.session_link import MOST_A_SECOND, BadDesktop, SessionLink
from agent.wire.notices import Blind, Word

SEEN = b'{"seen": {"windows": [7]}}\n'


@pytest.fixture
def pair() -> Iterator[tuple[SessionLink, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with closing(ours), closing(theirs):
        yield SessionLink(ours), theirs


Pair = tuple[SessionLink, socket.socket]


def test_each_message_arrives_as_what_it_is(pair: Pair) -> None:
    link, desktop = pair
    desktop.send(
        SEEN + b'{"said": {"word": "later"}}\n{"code": {"code": "X"}}\n'
        b'{"lacks": {"what": "no-display"}}\n'
    )
    assert link.take(0.0) == [
        Seen(windows=(7,)),
        Said(Word.LATER),
        CodeTyped("X"),
        Lacks(Blind.NO_DISPLAY),
    ]


def test_a_message_in_pieces_arrives_once_it_is_whole(pair: Pair) -> None:
    link, desktop = pair
    for at in range(0, len(SEEN) - 1, 9):
        desktop.send(SEEN[:-1][at : at + 9])
        assert link.take(0.0) == []
    desktop.send(b"\n")
    assert link.take(0.0) == [Seen(windows=(7,))]


def test_nothing_said_is_no_message(pair: Pair) -> None:
    assert pair[0].take(0.0) == []


def test_what_a_newer_desktop_adds_is_ignored(pair: Pair) -> None:
    link, desktop = pair
    desktop.send(b'{"seen": {"windows": [7], "colour": "blue"}}\n')
    assert link.take(0.0) == [Seen(windows=(7,))]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"7",
        b'"seen"',
        b"[]",
        b"{}",
        b'{"seen": {}, "said": {"word": "done"}}',
        b'{"hush": {}}',
        b'{"seen": []}',
        b'{"seen": null}',
        b'{"seen": {"windows": [0]}}',
        b'{"seen": {"windows": [1.5]}}',
        b'{"seen": {"windows": [true]}}',
        b'{"seen": {"windows": [4294967296]}}',
        b'{"seen": {"windows": {"1": 2}}}',
        b'{"seen": {"sees": "yes"}}',
        b'{"seen": {"idle_seconds": NaN}}',
        b'{"seen": {"idle_seconds": Infinity}}',
        b'{"seen": {"idle_seconds": -1}}',
        b'{"said": {}}',
        b'{"said": {"word": "never"}}',
        b'{"code": {"code": 7}}',
        b'{"code": {"code": "\\u0000"}}',
        b'{"code": {"code": "\\ud800"}}',
        b'{"code": {"code": "' + b"x" * 101 + b'"}}',
        b'{"seen": {"windows": [' + b"9" * 10_000 + b"]}}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        json.dumps({"seen": {"asking": [1] * 201}}).encode(),
        '{"seen": {}}'.encode("utf-16"),
    ],
)
def test_a_line_that_is_no_message_ends_it(pair: Pair, line: bytes) -> None:
    link, desktop = pair
    desktop.send(line + b"\n")
    with pytest.raises(BadDesktop, match="it says what cannot be"):
        link.take(0.0)


def test_a_line_without_an_end_is_not_kept_beyond_the_bound(pair: Pair) -> None:
    link, desktop = pair

    def say_and_take() -> None:
        for _ in range(10):
            desktop.send(b"x" * 30_000)
            link.take(0.0)

    with pytest.raises(BadDesktop, match=f"more than {MOST_BYTES} bytes"):
        say_and_take()


def test_as_many_messages_as_are_allowed_pass_in_each_second(pair: Pair) -> None:
    link, desktop = pair
    for second in range(3):
        for _ in range(MOST_A_SECOND):
            desktop.send(SEEN)
            assert len(link.take(float(second))) == 1


@pytest.mark.parametrize("piece", [SEEN, b"x", SEEN * 20, b"\n" * 1000])
def test_a_flood_ends_it(pair: Pair, piece: bytes) -> None:
    link, desktop = pair

    def say_and_take() -> None:
        for _ in range(MOST_A_SECOND + 1):
            desktop.send(piece)
            link.take(0.5)

    with pytest.raises(BadDesktop, match="it says"):
        say_and_take()


def test_handles_that_are_sent_along_are_not_taken(pair: Pair) -> None:
    link, desktop = pair
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir()))
    for _ in range(20):
        socket.send_fds(desktop, [SEEN], [desktop.fileno()] * 10)
        assert link.take(0.0) == [Seen(windows=(7,))]
    assert len(list(handles.iterdir())) == before


def test_the_other_ends_close_is_told(pair: Pair) -> None:
    link, desktop = pair
    desktop.close()
    with pytest.raises(BadDesktop, match="it has ended"):
        link.take(0.0)
    with pytest.raises(BadDesktop, match="it has gone"):
        link.put(CodeJudged(True), 0.0)


def test_what_is_not_read_is_kept_up_to_a_bound(pair: Pair) -> None:
    link, _ = pair
    message = CodeJudged(False, "x" * 400)

    def put_many() -> None:
        for _ in range(10_000):
            link.put(message, 0.0)

    with pytest.raises(BadDesktop, match="does not read"):
        put_many()


def test_what_was_kept_is_sent_once_the_desktop_reads(pair: Pair) -> None:
    link, desktop = pair
    count = 0
    while not link.has_more:
        link.put(CodeJudged(False, str(count)), 0.0)
        count += 1
    received = b""
    while link.has_more or received.count(b"\n") < count:
        received += desktop.recv(100_000)
        link.flush(1.0)
    lines = [json.loads(line) for line in received.splitlines()]
    assert [line["code-judged"]["why"] for line in lines] == [str(n) for n in range(count)]


def test_a_desktop_that_speaks_and_does_not_read_is_found_out(pair: Pair) -> None:
    link, _ = pair
    while not link.has_more:
        link.put(CodeJudged(True), 100.0)
    link.flush(109.0)
    with pytest.raises(BadDesktop, match="does not read"):
        link.flush(111.0)


_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)
_FIELDS = some.sampled_from(["windows", "asking", "sees", "idle_seconds", "word", "code", "what"])
_MESSAGES = some.dictionaries(
    some.sampled_from(["seen", "said", "code", "lacks", "show"]),
    some.dictionaries(_FIELDS, _VALUES) | _VALUES,
).map(lambda message: json.dumps(message).encode())


@given(some.lists(_MESSAGES | some.binary(), max_size=5))
def test_whatever_is_said_is_either_a_message_or_the_end(lines: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.setblocking(False)
        theirs.sendall(b"\n".join(lines)[:60_000] + b"\n")
        try:
            messages = SessionLink(ours).take(0.0)
        except BadDesktop:
            return
        assert all(isinstance(message, Seen | Said | CodeTyped | Lacks) for message in messages)
