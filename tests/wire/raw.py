"""A peer that says on a link whatever it likes: frames of Pyro5's format, good or bad."""

import json
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from agent.wire.api import AgentApi
from agent.wire.link import AgentLink, LinkDaemon
from agent.wire.tls import Role, check_peer, cut
from tests.wire.pair import tls_pair
from tests.wire.pki import TestCa

INVOKE, RESULT, PING = 4, 5, 6
EXCEPTION, COMPRESSED, ONEWAY, BATCH, STREAM, KEEP, CORRELATED = 1, 2, 4, 8, 16, 32, 64
JSON, MARSHAL = 3, 2
_HEADER = "!4sHBBHHII16sHH"
_SIZE = struct.calcsize(_HEADER)


def frame(
    payload: bytes,
    kind: int = INVOKE,
    serializer: int = JSON,
    flags: int = 0,
    seq: int = 1,
    size: int | None = None,
    annotations: bytes = b"",
    tag: bytes = b"PYRO",
    version: int = 502,
) -> bytes:
    length = len(payload) if size is None else size
    head = struct.pack(
        _HEADER, tag, version, kind, serializer, flags, seq, length, len(annotations),
        bytes(16), 0, 0x4DC5,
    )  # fmt: skip
    return head + annotations + payload


def call_of(method: str, *args: Any, obj: Any = "agent", **named: Any) -> bytes:
    call = {"object": obj, "method": method, "params": list(args), "kwargs": named}
    return json.dumps(call).encode()


def answer_of(link: ssl.SSLSocket) -> tuple[int, int, Any]:
    """Return type, flags and JSON of the next message. Raises `EOFError` when the link ended."""
    header = struct.unpack(_HEADER, exactly(link, _SIZE))
    payload = exactly(link, header[6] + header[7])
    return (
        header[2],
        header[4] & ~CORRELATED,
        json.loads(payload) if header[2] == RESULT else payload,
    )


def exactly(link: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = _piece(link, size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _piece(link: ssl.SSLSocket, size: int) -> bytes:
    with suppress(ConnectionError, ssl.SSLError):
        return link.recv(size)
    return b""


def has_ended(link: ssl.SSLSocket) -> bool:
    """True once the far end closed the link; whatever it still said is read and dropped."""
    link.settimeout(10)
    while _piece(link, 4096):
        pass
    return True


@contextmanager
def hostile_agent(ca: TestCa, behave: Callable[[ssl.SSLSocket], None]) -> Iterator[AgentLink]:
    """Yield the coordinator's link to an agent that does as `behave` says, in a thread."""
    with tls_pair(ca) as ends:

        def run() -> None:
            with suppress(OSError, EOFError):
                behave(ends.agent)

        thread = threading.Thread(target=run)
        thread.start()
        link = AgentLink(ends.coordinator, check_peer(ends.coordinator, Role.AGENT), "127.0.0.1")
        try:
            yield link
        finally:
            link.close()
            cut(ends.agent)
            thread.join(10)


def after_request(*answers: bytes) -> Callable[[ssl.SSLSocket], None]:
    """An agent that reads one request, says these bytes, and then waits for the end."""

    def behave(link: ssl.SSLSocket) -> None:
        answer_of(link)
        for answer in answers:
            link.sendall(answer)
        has_ended(link)

    return behave


@contextmanager
def raw_coordinator(ca: TestCa, api: AgentApi) -> Iterator[ssl.SSLSocket]:
    """Yield the socket of a coordinator that says what it likes to a served agent."""
    with tls_pair(ca) as ends:
        daemon = LinkDaemon(ends.agent, api)
        thread = threading.Thread(target=daemon.serve)
        thread.start()
        ends.coordinator.settimeout(10)
        yield ends.coordinator
        daemon.cut()
        thread.join(10)
