"""A time limit on one talk over a socket, whatever it is waiting in.

A server that sends a byte a second never lets a read time out. So the socket is shut down from
beside once the talk has lasted too long, or too little has come in the last while.
"""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a talk may last, seconds; `slow` = at most so long between two pieces of it."""

    whole: float
    slow: float | None = None


class Limit:
    """Cuts the socket that it holds once its time is over; use it as a context."""

    def __init__(self, patience: Patience) -> None:
        now = time.monotonic()
        self._slow = patience.slow
        self._end = now + patience.whole
        self._until = min(self._end, now + (patience.slow or patience.whole))
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._thread = threading.Thread(target=self._watch, name="limit", daemon=True)
        self.is_over = False

    def __enter__(self) -> "Limit":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._let_go()

    def hold(self, line: socket.socket) -> None:
        """Watch over this socket from now on, and no more over the one before."""
        with self._lock:
            self._let_go()
            self._held = socket.fromfd(line.fileno(), line.family, line.type)
            if self.is_over:
                self._cut()

    def heard(self) -> None:
        """A piece has come: the next has as long again."""
        if self._slow is not None:
            self._until = min(self._end, time.monotonic() + self._slow)

    def _watch(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            if self._ended.wait(left):
                return
        with self._lock:
            self.is_over = True
            self._cut()

    def _cut(self) -> None:
        if self._held is not None:
            with contextlib.suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
