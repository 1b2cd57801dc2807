"""What a coordinator can reach on an agent over a link: the contract's seven methods, no more."""

import logging
from collections.abc import Callable
from typing import Any

from Pyro5.api import expose
from Pyro5.callcontext import current_context

from agent.wire.api import AgentApi
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.connection import DeadlineConnection
from agent.wire.contract import METHODS
from agent.wire.errors import RemoteCode, RemoteError

ANSWER_SECONDS = 10.0
"""How long sending an answer may take, once it is there."""

_log = logging.getLogger(__name__)


def _exposed(method: str) -> Callable[["Desk", Any], dict[str, Any]]:
    def answer(desk: "Desk", wire: Any) -> dict[str, Any]:
        return desk._answer(method, wire)

    answer.__name__ = method
    return expose(answer)  # type: ignore[no-any-return]


class Desk:
    """Takes plain JSON, asks the agent with the contract's messages, gives plain JSON back.

    Only what is `_exposed` can be called. A fault of the agent becomes a code; its text and
    trace stay in the agent's log.
    """

    hello = _exposed("hello")
    start = _exposed("start")
    report = _exposed("report")
    cancel = _exposed("cancel")
    cordon = _exposed("cordon")
    uncordon = _exposed("uncordon")
    log = _exposed("log")

    def __init__(self, api: AgentApi, connection: DeadlineConnection) -> None:
        self._api = api
        self._connection = connection

    def _answer(self, method: str, wire: Any) -> dict[str, Any]:
        asked, answered = METHODS[method]
        try:
            request = _read(asked, wire, RemoteCode.BAD_MESSAGE)
            answer = encode(getattr(self._api, method)(request))
            _read(answered, answer, RemoteCode.BAD_ANSWER)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            raise RemoteError(RemoteCode.INTERNAL, type(error).__name__) from error
        finally:
            self._connection.allow(ANSWER_SECONDS)
        return answer


def _read(kind: type, wire: Any, code: RemoteCode) -> Any:
    try:
        return decode(kind, wire)
    except BadMessage as error:
        raise RemoteError(code, str(error)) from error


def log_fault(
    _daemon: Any, address: Any, method: Any, _args: Any, _named: Any, error: Exception
) -> None:
    """Write down why a call could not be answered, with its correlation id and trace."""
    fields = {
        "method": getattr(method, "__name__", ""),
        "coordinator": str(address),
        "call": str(current_context.correlation_id),
    }
    _log.error("call not answered", extra=fields, exc_info=error)
