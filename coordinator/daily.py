"""Does something once a day by itself, in a thread of its own, so that it delays nothing.

That it was done today is written down before it begins: a daemon that is started anew, or dies
in the middle of it, does not begin it again the same day.
"""

import threading
import time
from collections.abc import Callable

from coordinator.store.marks import Marks


class Daily:
    """One thing that is done at a time of day here, "06:30"; its name is its mark in the store."""

    def __init__(
        self,
        name: str,
        at: str,
        act: Callable[[], object],
        marks: Marks,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._at = at
        self._act = act
        self._marks = marks
        self._clock = clock
        self._done = marks.read(name)
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin when it is time, and today's was not begun yet; returns at once."""
        now = time.localtime(self._clock())
        today = time.strftime("%Y-%m-%d", now)
        if today == self._done or time.strftime("%H:%M", now) < self._at:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        self._marks.write(self._name, today)
        self._done = today
        self._thread = threading.Thread(target=self._act, name=self._name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Return once what is under way has ended, or after so long."""
        if self._thread is not None:
            self._thread.join(seconds)
