"""One link, both its ends: the agent serves on it, the coordinator calls over it.

The agent dialed, so the agent holds the client's end of TLS and the server's end of the calls.
A link is over at the first fault of transport, on either end: nothing on it can be trusted to be
in step again. Calls that were sent and not answered end as `OutcomeUnknown`, never as failed.
"""

import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from Pyro5 import protocol
from Pyro5.api import URI, Daemon, Proxy
from Pyro5.callcontext import current_context
from Pyro5.errors import CommunicationError, ProtocolError, PyroError, SecurityError

from agent.wire import harden
from agent.wire.api import AgentApi
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.connection import DeadlineConnection, RefusedByPeer
from agent.wire.contract import METHODS, Sentence
from agent.wire.desk import Desk, log_fault
from agent.wire.errors import (
    LinkBusy,
    LinkLost,
    LinkRefusal,
    OutcomeUnknown,
    RemoteCode,
    RemoteError,
)
from agent.wire.tls import Identity, cut

IDLE_SECONDS = 35.0
"""How long an agent waits for the next word: more than three pings."""
_OBJECT = "agent"
_REFUSE_SECONDS = 2.0
_WORD = 64  # bytes of the longest refusal that is read


@dataclass(frozen=True, slots=True)
class Ending:
    """How a link ended, seen by the agent; `refusal` is None when it was only lost."""

    refusal: LinkRefusal | None
    message: str
    calls: int  # messages answered before it ended


class LinkDaemon(Daemon):  # type: ignore[misc]
    """The agent's end: answers calls on one link until it ends."""

    def __init__(
        self, link: ssl.SSLSocket, api: AgentApi, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Serve `api` on `link`, and own it. Raises `OSError` when it is closed already."""
        super().__init__(connected_socket=link)
        self.transportServer.conn.keep_open = True  # else it closes our socket once collected
        self._connection = DeadlineConnection(link)
        self._idle = idle_seconds
        self._calls = 0
        self.objectsById = {_OBJECT: Desk(api, self._connection)}  # Pyro5's own object goes
        self.methodcall_error_handler = log_fault

    def serve(self, on_first: Callable[[], None] | None = None) -> Ending:
        """Answer until the link ends, close it, and return how it ended.

        `on_first` is called once the first message was answered: before that, an agent cannot
        know that the coordinator accepts its certificate.
        """
        try:
            while True:
                self._connection.allow(self._idle)
                self.handleRequest(self._connection)
                self._calls += 1
                if on_first and self._calls == 1:
                    on_first()
        except RefusedByPeer as error:
            return Ending(LinkRefusal.CERTIFICATE, str(error), self._calls)
        except (CommunicationError, SecurityError) as error:
            return Ending(self._farewell(error), str(error), self._calls)
        finally:
            self._connection.close()

    def cut(self) -> None:
        """End the link from another thread; `serve` returns."""
        cut(self._connection.sock)

    def _farewell(self, error: PyroError) -> LinkRefusal | None:
        message = getattr(error, "pyroMsg", None)
        if message is None or message.type != protocol.MSG_CONNECTFAIL:
            return None
        with suppress(ProtocolError, CommunicationError, ValueError):
            word = self._connection.recv(min(message.data_size, _WORD))
            return LinkRefusal(word.decode("ascii"))
        return LinkRefusal.UNTOLD


@dataclass(frozen=True, slots=True)
class _Fault:
    code: RemoteCode
    detail: Sentence = ""


class AgentLink:
    """The coordinator's end: one call at a time, from any thread, each under its own deadline."""

    def __init__(self, link: ssl.SSLSocket, identity: Identity, address: str) -> None:
        """Call over `link`, and own it."""
        self.identity = identity
        self.address = address
        self.since = self.last_heard = datetime.now(UTC)
        self._ended = ""
        self._lock = threading.Lock()
        self._connection = DeadlineConnection(link, _OBJECT)
        self._proxy = Proxy(URI(f"PYRO:{_OBJECT}@link:0"))
        self._proxy._pyroConnection = self._connection
        self._proxy._pyroRawWireResponse = True  # the answer is read here, not by Pyro5

    @property
    def is_over(self) -> bool:
        """True once nothing can be said over it any more."""
        return bool(self._ended)

    @property
    def why_over(self) -> str:
        """Why nothing can be said any more; "" while something can."""
        return self._ended

    def call(self, method: str, request: object, deadline: float) -> Any:
        """Return the agent's answer, of the type that `contract.METHODS` names.

        Args:
            method: one of the contract's seven.
            request: the message that the method takes.
            deadline: seconds for all of it, waiting for another call on this link included.

        Raises:
            LinkError: see `agent.wire.errors` for which of them says what.
        """
        asked, answered = METHODS[method]
        if type(request) is not asked:
            raise TypeError(f"{method} takes {asked.__name__}, not {type(request).__name__}")
        with self._turn(deadline):
            message = self._exchange(method, encode(request))
            return self._read(method, answered, message)

    def ping(self, deadline: float) -> None:
        """Return when the agent answered. Raises `LinkLost`, or `LinkBusy` when in use."""
        with self._turn(deadline):
            try:
                protocol.SendingMessage.ping(self._connection)
            except PyroError as error:
                self._end(f"ping: {error}")
                raise LinkLost(f"{self.identity.id}: {error}") from error
            self.last_heard = datetime.now(UTC)

    def refuse(self, refusal: LinkRefusal) -> None:
        """Tell the agent why it is not wanted, and end the link."""
        with suppress(LinkLost, LinkBusy), self._turn(_REFUSE_SECONDS):
            _send_refusal(self._connection, refusal)
        self.close(refusal)

    def close(self, why: str = "closed") -> None:
        """End the link at once; a call in progress ends as unknown."""
        self._end(why)
        self._reap()

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        cut(self._connection.sock)

    def _reap(self) -> None:
        """Close an ended link, unless a thread is using it: then that thread will."""
        if self._ended and self._lock.acquire(blocking=False):
            self._connection.close()
            self._lock.release()

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[None]:
        end = time.monotonic() + deadline
        taken = self._lock.acquire(timeout=max(deadline, 0))
        try:
            if not taken or end <= time.monotonic():
                raise LinkBusy(f"{self.identity.id}: another call held the link")
            if self._ended:
                raise LinkLost(f"{self.identity.id}: {self._ended}")
            self._connection.allow(end - time.monotonic())
            self._proxy._pyroClaimOwnership()
            yield
        finally:
            if taken:
                self._lock.release()
            self._reap()

    def _exchange(self, method: str, wire: dict[str, Any]) -> Any:
        before = self._connection.sent
        current_context.correlation_id = uuid.uuid4()
        try:
            return self._proxy._pyroInvoke(method, (wire,), {})
        except PyroError as error:
            self._end(f"{method}: {error}")
            kind = LinkLost if self._connection.sent == before else OutcomeUnknown
            raise kind(f"{self.identity.id}: {method}: {error}") from error

    def _read(self, method: str, answered: type, message: Any) -> Any:
        is_fault = bool(message.flags & protocol.FLAGS_EXCEPTION)
        try:
            kind = _Fault if is_fault else answered
            answer: object = decode(kind, harden.read_json(message.data))
        except (BadMessage, PyroError) as error:
            self._end(f"{method}: cannot read the answer: {error}")
            raise OutcomeUnknown(f"{self.identity.id}: {method}: {error}") from error
        self.last_heard = datetime.now(UTC)
        if isinstance(answer, _Fault):
            raise RemoteError(answer.code, answer.detail)
        return answer


def refuse(link: ssl.SSLSocket, refusal: LinkRefusal) -> None:
    """Tell whoever dialed why it is not wanted, and close the link."""
    connection = DeadlineConnection(link)
    connection.allow(_REFUSE_SECONDS)
    _send_refusal(connection, refusal)
    connection.close()


def _send_refusal(connection: DeadlineConnection, refusal: LinkRefusal) -> None:
    number = harden.StrictJson.serializer_id
    word = protocol.SendingMessage(protocol.MSG_CONNECTFAIL, 0, 0, number, refusal.encode())
    with suppress(CommunicationError):
        connection.send(word.data)
