"""A mirror: any web server with a copy of the coordinator's packages. Untrusted by design.

Nothing of ours is sent to it, no ticket and no name, and nothing that it says is believed: what
comes is compared with the signed manifest. So neither is its certificate asked for.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from agent.wire.https import Stream, stream_of
from agent.wire.https_errors import Refused, sorted_errors
from agent.wire.limit import Limit, Patience

_SECONDS = 5.0  # to connect, and between two bytes: the coordinator is there, too
_ANSWER_SECONDS = 10.0  # until a body begins, however its headers come


class Mirror:
    """One mirror, at the address below which `/packages/...` is; close it at the end."""

    def __init__(
        self, url: str, seconds: float = _SECONDS, answer_seconds: float = _ANSWER_SECONDS
    ) -> None:
        self.url = url.rstrip("/")
        self._patience = Patience(answer_seconds)
        self._pool = urllib3.PoolManager(
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=seconds, read=seconds),
            ssl_context=_any_certificate(),
        )
        self._pool.pool_classes_by_scheme = {
            "http": _pool(urllib3.HTTPConnectionPool, HTTPConnection, self._hold),
            "https": _pool(urllib3.HTTPSConnectionPool, HTTPSConnection, self._hold),
        }
        self._limit = Limit(self._patience)  # each answer has one of its own

    def __enter__(self) -> "Mirror":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return self.url

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pool.clear()

    def _hold(self, line: socket.socket) -> None:
        self._limit.hold(line)

    @contextlib.contextmanager
    def stream(self, path: str, start: int, _headers: Mapping[str, str]) -> Iterator[Stream]:
        """Yield the body from byte `start` on, like `Https.stream`; no header is sent along."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with sorted_errors(self.url), Limit(self._patience) as limit:
            self._limit = limit
            answer = self._pool.request(
                "GET",
                self.url + path,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        try:
            if answer.status not in {200, 206}:
                raise Refused(answer.status, "", f"the mirror {self.url} answers {answer.status}")
            yield stream_of(answer)
        finally:
            answer.close()


def _pool(
    kind: type[urllib3.HTTPConnectionPool],
    connection: type[HTTPConnection],
    hold: Callable[[socket.socket], None],
) -> type[urllib3.HTTPConnectionPool]:
    """Return a pool of connections that `hold` is told of before each request."""

    class Held(connection):  # type: ignore[valid-type,misc]
        """A connection that can be cut from beside."""

        def _new_conn(self) -> socket.socket:
            line: socket.socket = super()._new_conn()
            hold(line)
            return line

        def request(self, *given: Any, **named: Any) -> None:
            if self.sock is not None:  # kept open since the last one
                hold(self.sock)
            super().request(*given, **named)

    return type("HeldPool", (kind,), {"ConnectionCls": Held})


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
