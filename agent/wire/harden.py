"""Takes out of this process's Pyro5 what a hostile peer could use, for both ends of a link.

Pyro5 lets the sender of a message choose its serializer (marshal among them), have it
decompressed without limit, run it in batches or in a new thread, and raise any built-in
exception at the other end. Here one strict JSON is left, and a message that asks for anything
else ends the link before it is parsed. Importing this module does it, once, for the process:
nothing else may set Pyro5's configuration. Nor does a link keep the greenlets that Pyro5 knows
threads by where SQLAlchemy has brought them: for each thread that ended greenlet looked through
the whole heap, and all others waited. It leans on names that Pyro5 does not promise, so the
version is pinned and a test holds each name in place.
"""

import json
import threading
from typing import Any

from Pyro5 import client, config, protocol, serializers
from Pyro5.errors import SecurityError, SerializeError

from agent.wire.errors import RemoteCode, RemoteError

MESSAGE_CAP = 256 * 1024
"""The longest message that is sent or taken, in bytes."""

_SETTINGS: dict[str, Any] = {
    "SERIALIZER": "json",
    "MAX_MESSAGE_SIZE": MESSAGE_CAP,
    "MAX_RETRIES": 0,  # a retry runs the call again
    "ITER_STREAMING": False,
    "DETAILED_TRACEBACK": False,
    "COMPRESSION": False,
    "LOGWIRE": False,
    "SSL": False,  # the sockets are ours
}
_FLAGS = protocol.FLAGS_CORR_ID | protocol.FLAGS_EXCEPTION


class StrictJson(serializers.JsonSerializer):  # type: ignore[misc]
    """JSON values both ways; of an exception, a code alone; no class is ever built."""

    def dumpsCall(self, obj: str, method: str, vargs: Any, kwargs: Any) -> bytes:  # noqa: N802
        """Return the bytes of a call."""
        return _dump({"object": obj, "method": method, "params": vargs, "kwargs": kwargs})

    def dumps(self, data: Any) -> bytes:
        """Return the bytes of an answer, or of the code that stands for an exception."""
        return _dump(_error(data) if isinstance(data, BaseException) else data)

    def loadsCall(self, data: Any) -> tuple[Any, Any, Any, Any]:  # noqa: N802
        """Return object, method and arguments of a call."""
        call = self.loads(data)
        return call["object"], call["method"], call["params"], call["kwargs"]

    def loads(self, data: Any) -> Any:
        """Return the JSON value. Raises `SerializeError` for whatever is none."""
        try:
            return json.loads(bytes(data).decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise SerializeError("not JSON") from error


def read_json(data: Any) -> Any:
    """Return the JSON value in the bytes of an answer. Raises `SerializeError`."""
    return _JSON.loads(data)


def _dump(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    raw = text.encode("utf-8")
    if len(raw) > MESSAGE_CAP:
        raise RemoteError(RemoteCode.TOO_LARGE, f"{len(raw)} bytes, at most {MESSAGE_CAP}")
    return raw


def _error(error: BaseException) -> dict[str, str]:
    if isinstance(error, RemoteError):
        return {"code": error.code, "detail": error.detail}
    return {"code": RemoteCode.INTERNAL, "detail": type(error).__name__}


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and the infinities are not JSON


def _refuse_odd(message: Any) -> None:
    """Raise `SecurityError` for a message that asks for more than a plain JSON call."""
    plain = message.type == protocol.MSG_PING or message.serializer_id == _JSON.serializer_id
    if message.flags & ~_FLAGS or message.annotations_size:
        raise SecurityError("flag or annotation refused")
    if not plain:
        raise SecurityError("serializer refused")


class _JudgedMessage(protocol.ReceivingMessage):  # type: ignore[misc]
    """A message that is judged by its header before its payload is looked at."""

    def add_payload(self, payload: Any) -> None:
        _refuse_odd(self)
        super().add_payload(payload)


_JSON = StrictJson()


def _harden() -> None:
    config.reset(use_environment=False)
    for name, value in _SETTINGS.items():
        setattr(config, name, value)
    serializers.serializers.clear()
    serializers.serializers["json"] = _JSON
    serializers.serializers_by_id.clear()
    # Pyro5 answers some early errors under marshal's id: it gets JSON there too
    for number in (_JSON.serializer_id, serializers.MarshalSerializer.serializer_id):
        serializers.serializers_by_id[number] = _JSON
    protocol.ReceivingMessage = _JudgedMessage
    client.get_ident = threading.get_ident


_harden()
