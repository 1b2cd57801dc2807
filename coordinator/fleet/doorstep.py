"""Who stands at the door: connections whose handshake is in progress, counted and timed."""

import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """How much strangers may take."""

    handshake_seconds: float = 5.0
    workers: int = 8
    per_address: int = 8  # handshakes in progress
    pending: int = 2048  # handshakes in progress, of all addresses
    backlog: int = 1024


OFFICE_LIMITS = ListenerLimits()


@dataclass(slots=True, eq=False)
class Caller:
    """A connection whose handshake is in progress; `sock` becomes a TLS socket on the way."""

    sock: socket.socket
    address: str
    end: float

    @property
    def is_late(self) -> bool:
        """True when its time for the handshake is over."""
        return time.monotonic() >= self.end


class Doorstep:
    """Admits callers up to the limits, and forgets each when it is admitted or sent away."""

    def __init__(self, limits: ListenerLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._callers: set[Caller] = set()
        self._places: Counter[str] = Counter()

    def enter(self, sock: socket.socket, address: str) -> Caller | None:
        """Return the caller, or None when there is no place left for it or for its address."""
        with self._lock:
            full = len(self._callers) >= self._limits.pending
            if full or self._places[address] >= self._limits.per_address:
                return None
            caller = Caller(sock, address, time.monotonic() + self._limits.handshake_seconds)
            self._callers.add(caller)
            self._places[address] += 1
            return caller

    def leave(self, caller: Caller) -> None:
        """Free its place; the socket stays as it is."""
        with self._lock:
            if caller not in self._callers:
                return
            self._callers.remove(caller)
            self._places[caller.address] -= 1
            if not self._places[caller.address]:
                del self._places[caller.address]

    def send_away(self, caller: Caller) -> None:
        """Free its place and close its socket."""
        self.leave(caller)
        with suppress(OSError):
            caller.sock.close()

    def clear(self) -> None:
        """Send everybody away."""
        with self._lock:
            callers = list(self._callers)
        for caller in callers:
            self.send_away(caller)
