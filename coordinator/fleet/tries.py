"""Counts wrong tries by address, so that nobody guesses secrets at leisure."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

MOST_TRIES = 5
WITHIN_SECONDS = 60.0
_MOST_ADDRESSES = 10_000


class TooManyTries(Exception):  # noqa: N818 - reads better where it is caught
    """This address has tried wrongly too often; nothing of it is looked at for a minute."""


class Tries:
    """The wrong tries of the last minute, by address; the oldest addresses are forgotten."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raise `TooManyTries` when this address has used up its tries."""
        with self._lock:
            recent = self._wrong.get(address, deque())
            while recent and recent[0] <= self._clock() - WITHIN_SECONDS:
                recent.popleft()
            if len(recent) >= MOST_TRIES:
                raise TooManyTries(
                    f"too many wrong tries from {address}: wait a minute, then try again"
                )

    def wrong(self, address: str) -> None:
        """Count one wrong try."""
        with self._lock:
            self._wrong.setdefault(address, deque()).append(self._clock())
            self._wrong.move_to_end(address)
            while len(self._wrong) > _MOST_ADDRESSES:
                self._wrong.popitem(last=False)
