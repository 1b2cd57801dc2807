"""The daemon's HTTPS: uvicorn in a thread, on a port that is had before it is promised."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from coordinator.complaint import Complaint
from coordinator.fleet.ca import KeyPair
from coordinator.fleet.door import server_context
from coordinator.settings import Settings

_START_SECONDS = 30.0
_GRACE_SECONDS = 5
MOST_HEAD = 160 * 1024
"""The longest head of a request, in bytes: a package's notes and terms are in its query."""
T = TypeVar("T")


class HttpsServer:
    """Holds its port from construction on; `start` begins to serve."""

    def __init__(self, app: Starlette, settings: Settings, pair: KeyPair) -> None:
        self._socket = opened(
            lambda: listen(settings.listen, settings.https_port), settings.https_port
        )
        self.context = server_context(pair)
        self._server = uvicorn.Server(configured(app, self.context, _GRACE_SECONDS))
        self._thread = threading.Thread(target=self._run, name="https", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Begin to serve; returns once requests are answered."""
        self._thread.start()
        end = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        """End in order."""
        self._server.should_exit = True
        self._thread.join(_GRACE_SECONDS + 5)
        self._socket.close()


class Http(H11Protocol):
    """uvicorn's own, but that an end of the server is no error where a connection had broken."""

    def shutdown(self) -> None:
        """Close the connection: with a goodbye, where one can still be said."""
        if self.conn.our_state is h11.ERROR:
            self.transport.close()
        else:
            super().shutdown()


def configured(app: Starlette, context: ssl.SSLContext, grace: int) -> uvicorn.Config:
    """Return how an app is served; requests under way have `grace` seconds at the end."""
    return uvicorn.Config(
        app,
        http=Http,
        ssl_context_factory=lambda _config, _default: context,
        log_config=None,
        access_log=False,
        lifespan="off",
        h11_max_incomplete_event_size=MOST_HEAD,
        timeout_graceful_shutdown=grace,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; what is written on its connections goes out at once.

    asyncio sees to that only where a socket names its protocol, and those made so do not: a head
    and a short body would be 40 ms apart. Connections inherit it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def opened(make: Callable[[], T], port: int) -> T:
    """Return what `make` opens on a port. Raises `Complaint` when the port cannot be had."""
    try:
        return make()
    except OSError as error:
        raise Complaint(
            f"cannot listen on port {port}: {error.strerror or error}",
            f"find who holds it (ss -ltnp 'sport = :{port}'), or choose another port in "
            "coordinator.toml",
        ) from None
