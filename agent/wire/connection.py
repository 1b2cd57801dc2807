"""One socket under Pyro5, with a clock over the whole exchange instead of over each read."""

import ssl
import time
from typing import Any

from Pyro5 import errors
from Pyro5.socketutil import SocketConnection

from agent.wire.tls import is_refusal


class RefusedByPeer(errors.ConnectionClosedError):  # type: ignore[misc]
    """The far end does not accept our certificate: TLS 1.3 says so at the first read only."""


class DeadlineConnection(SocketConnection):  # type: ignore[misc]
    """Reads and writes until one moment; a peer that drips bytes does not move it.

    The moment is set with `allow`. Before that, and after it has passed, every read and write
    raises Pyro5's `TimeoutError`; a lost line is its `ConnectionClosedError`.
    """

    def __init__(self, link: ssl.SSLSocket, object_id: str = "") -> None:
        super().__init__(link, object_id)
        self._end = 0.0
        self.sent = 0
        """Bytes written since the beginning."""

    def allow(self, seconds: float) -> None:
        """Give whatever is read and written from now on `seconds` altogether."""
        self._end = time.monotonic() + seconds

    def send(self, data: Any) -> None:
        """Send all of `data` before the deadline."""
        view = memoryview(data)
        while view:
            done = self._try(self.sock.send, view)
            self.sent += done
            view = view[done:]

    def recv(self, size: int) -> bytearray:
        """Return exactly `size` bytes, all read before the deadline."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            done = self._try(self.sock.recv_into, view)
            if not done:
                raise errors.ConnectionClosedError("the far end closed the link")
            view = view[done:]
        return data

    def _try(self, act: Any, view: memoryview) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise errors.TimeoutError("the deadline passed")
        try:
            self.sock.settimeout(left)
            return int(act(view))
        except TimeoutError as error:
            raise errors.TimeoutError("the deadline passed") from error
        except OSError as error:
            kind = RefusedByPeer if is_refusal(error) else errors.ConnectionClosedError
            raise kind(str(error)) from error
