"""How long what a host said last still counts, so that not everybody is asked before each change.

A host that has confirmed its seal says so again at every ping. Before a change those are asked
that were not heard for longest, so many that all of a small group are; the others count by what
they said to the last ping, while nothing has happened to them since: no step, no lost link, no
other order. That is an eighth of the lease within which invariant I2 wants them confirmed.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.wire.contract import Fence, Sight
from coordinator.store.rows import CordonRow

MOST_ASKED = 50
FRESH_SECONDS = 15.0
"""A ping, and what an answer to it may take."""

Wish = tuple[CordonRow, Fence]
"""What a host confirmed: the cordon that was wanted, and who ordered it."""


def steady() -> float:
    """Return seconds that only go forward, and also while this machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Word:
    """One good confirmation; `at` is when it was asked for, on the clock of `Trust`."""

    wish: Wish
    sight: Sight
    at: float


class Trust:
    """The last good word of each host; any thread may use it."""

    def __init__(
        self, clock: Callable[[], float], today: Callable[[], float] | None = None
    ) -> None:
        self.clock = clock
        """What a lease is counted by: nobody sets it, and it goes on in a sleep."""
        self.today = today or clock
        """What moments are told by: seconds since 1970, as somebody may set them."""
        self._lock = threading.Lock()
        self._words: dict[str, Word] = {}
        self._since: dict[str, float] = {}  # nothing asked for before this moment counts
        self._steps: defaultdict[str, set[str]] = defaultdict(set)  # begun, their end not known

    def moment(self, at: float) -> float:
        """Return when a moment of the clock was, by the time of day as it is now."""
        return self.today() - (self.clock() - at)

    def note(self, host: str, word: Word) -> None:
        """Take in that a host has confirmed its seal."""
        with self._lock:
            if not self._steps.get(host) and word.at > self._since.get(host, -math.inf):
                self._words[host] = word

    def forget(self, host: str) -> None:
        """Believe a host only what it is asked for from now on."""
        with self._lock:
            self._doubt(host)

    def begin(self, host: str, step_id: str) -> None:
        """Believe a host nothing while it takes a step, which may open what was closed."""
        with self._lock:
            self._steps[host].add(step_id)
            self._doubt(host)

    def end(self, host: str, step_id: str) -> None:
        """Take in that a step has ended, and that it is known how."""
        with self._lock:
            self._steps[host].discard(step_id)
            self._doubt(host)

    def _doubt(self, host: str) -> None:
        self._words.pop(host, None)
        self._since[host] = self.clock()

    def told(self, wishes: Mapping[str, Wish]) -> dict[str, Word]:
        """Return the words that count for these wishes; who is not among them is to be asked."""
        now = self.clock()
        with self._lock:
            known = [(host, wish, self._words.get(host)) for host, wish in wishes.items()]
        fresh = [
            (host, word)
            for host, wish, word in known
            if word and 0 <= now - word.at < FRESH_SECONDS and word.wish == wish
        ]
        also_asked = max(MOST_ASKED - (len(wishes) - len(fresh)), 0)
        fresh.sort(key=lambda one: one[1].at)
        return dict(fresh[also_asked:])
