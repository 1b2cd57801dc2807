"""Keeps a stream at so many bytes a second: a clock and pauses, no threads."""

from agent.steps.table import Work

_LEAST_PAUSE = 0.02


class Rate:
    """So many bytes a second at most, 0 = as fast as they come; a time of silence is no credit."""

    def __init__(self, work: Work, bytes_a_second: int) -> None:
        self._work = work
        self._rate = bytes_a_second
        self._due = 0.0  # when all that was taken so far may have come

    def take(self, count: int) -> None:
        """Return once `count` more bytes may have come. Raises `Cancelled` when asked to end."""
        if not self._rate:
            return
        now = self._work.platform.clock()
        self._due = max(self._due, now) + count / self._rate
        if self._due - now > _LEAST_PAUSE:
            self._work.pause(self._due - now)
