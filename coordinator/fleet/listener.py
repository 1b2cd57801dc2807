"""Accepts the links that agents dial; nobody who stays silent can keep another one out.

One thread accepts and watches; it does no TLS. A connection waits there, costing no thread,
until it has something to say; then a worker takes its handshake on as far as it goes. The whole
handshake has one deadline, and one address only so many handshakes at a time: links that stand
are not counted, so that many agents may share an address.
"""

import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from agent.wire.errors import IdentityError, LinkRefusal
from agent.wire.link import refuse
from agent.wire.tls import Identity, Role, check_peer, tune
from coordinator.fleet.defects import log_defect
from coordinator.fleet.doorstep import OFFICE_LIMITS, Caller, Doorstep, ListenerLimits

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.25  # how much later than its deadline a handshake may be ended
_PAUSE_SECONDS = 0.1  # when accept() itself cannot: no descriptors left

Welcome = Callable[[ssl.SSLSocket, Identity, str], None]
"""Takes over a link: its socket, who is at its other end, the address it came from."""


class Listener:
    """Holds its port from construction on; `start` begins to accept."""

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        welcome: Welcome,
        is_refused: Callable[[Identity], bool],
        limits: ListenerLimits = OFFICE_LIMITS,
    ) -> None:
        """Bind. Raises `OSError` that says which address cannot be had, and why."""
        self.context = context
        """Taken for the next handshake; replace it when the certificate is renewed."""
        self._welcome = welcome
        self._is_refused = is_refused
        self._door = Doorstep(limits)
        self._server = _listen(address, limits.backlog)
        self.port: int = self._server.getsockname()[1]
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._back: list[tuple[Caller, int]] = []
        self._back_lock = threading.Lock()
        self._stopping = threading.Event()
        self._next_look = 0.0
        self._pool = ThreadPoolExecutor(limits.workers, "handshake")
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._wake_out.setblocking(False)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, send away whoever has not ended its handshake, end every thread."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._door.clear()
        self._selector.close()
        for sock in (self._server, self._wake_in, self._wake_out):
            sock.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(self._patience()):
                self._attend(key)
            self._take_back()
            self._send_away_late()

    def _patience(self) -> float | None:
        waiting = len(self._selector.get_map()) > 2
        return _TICK_SECONDS if waiting else None

    def _attend(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._server:
            self._accept()
        elif key.fileobj is self._wake_out:
            with suppress(BlockingIOError):
                self._wake_out.recv(4096)
        else:
            self._selector.unregister(key.fileobj)
            self._pool.submit(self._step, key.data).add_done_callback(log_defect)

    def _accept(self) -> None:
        try:
            sock, address = self._server.accept()
        except BlockingIOError:
            return
        except OSError as error:
            _log.warning("cannot accept", extra={"why": str(error)})
            self._stopping.wait(_PAUSE_SECONDS)
            return
        caller = self._door.enter(sock, address[0])
        if caller is None:
            _log.debug("no place for a caller", extra={"address": address[0]})
            sock.close()
            return
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, caller)

    def _take_back(self) -> None:
        with self._back_lock:
            back, self._back = self._back, []
        for caller, event in back:
            self._selector.register(caller.sock, event, caller)

    def _send_away_late(self) -> None:
        if time.monotonic() < self._next_look:  # many may be waiting, and much is going on then
            return
        self._next_look = time.monotonic() + _TICK_SECONDS
        callers = [key.data for key in self._selector.get_map().values() if key.data]
        for caller in callers:
            if caller.is_late:
                self._selector.unregister(caller.sock)
                self._door.send_away(caller)
                _log.info("handshake too slow", extra={"address": caller.address})

    def _step(self, caller: Caller) -> None:
        """Take a handshake on until it is over, or the caller must speak again."""
        try:
            link = self._wrapped(caller)
            link.do_handshake()
        except ssl.SSLWantReadError:
            self._give_back(caller, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._give_back(caller, selectors.EVENT_WRITE)
        except OSError as error:
            self._door.send_away(caller)
            _log.info("handshake refused", extra={"address": caller.address, "why": str(error)})
        else:
            self._door.leave(caller)
            self._admit(link, caller.address)

    def _wrapped(self, caller: Caller) -> ssl.SSLSocket:
        if not isinstance(caller.sock, ssl.SSLSocket):
            tune(caller.sock)
            caller.sock = self.context.wrap_socket(
                caller.sock, server_side=True, do_handshake_on_connect=False
            )
        return caller.sock

    def _give_back(self, caller: Caller, event: int) -> None:
        with self._back_lock:
            self._back.append((caller, event))
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._wake_in.send(b"!")

    def _admit(self, link: ssl.SSLSocket, address: str) -> None:
        with ExitStack() as unless_welcome:
            unless_welcome.callback(link.close)
            try:
                identity = check_peer(link, Role.AGENT)
            except IdentityError as error:
                _log.warning("link refused", extra={"address": address, "why": str(error)})
                refuse(link, LinkRefusal.WRONG_ROLE)
                return
            if self._is_refused(identity):
                _log.warning("link refused", extra={"host": identity.id, "why": "revoked"})
                refuse(link, LinkRefusal.REVOKED)
                return
            unless_welcome.pop_all()
        self._welcome(link, identity, address)


def _listen(address: tuple[str, int], backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    # on Windows, SO_REUSEADDR would let another program take the port while we hold it
    option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
    try:
        server.setsockopt(socket.SOL_SOCKET, option, 1)
        server.bind(address)
        server.listen(backlog)
        server.setblocking(False)
    except OSError as error:
        server.close()
        where = f"{address[0]}:{address[1]}"
        raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from error
    return server
