"""What people who wait are told at each ping: read from the store now and then, not each time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.wire.notices import Outlook
from coordinator.planning.outlook import Passage, outlook
from coordinator.store.rows import RolloutRow, VisitRow

_FRESH_SECONDS = 3.0
_MOST_KEPT = 50


class Told(Protocol):
    """What the walks have told so far (`coordinator.store.rollouts`)."""

    def find(self, key: str) -> RolloutRow | None:
        """Return a rollout."""

    def visits(self, rollout_id: str) -> list[VisitRow]:
        """Return the visits of a rollout."""


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    row: RolloutRow | None
    passages: Mapping[str, Passage]


class Outlooks:
    """The outlook of each host of each rollout; any thread may ask."""

    def __init__(self, told: Told, clock: Callable[[], float] = time.time) -> None:
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def of(self, rollout: str, host: str) -> Outlook:
        """Return what to tell on a host that is kept closed; nothing for what is no rollout."""
        now = self._clock()
        with self._lock:  # else every ping of a second would read the same
            seen = self._seen.get(rollout)
            if seen is None or not 0 <= now - seen.at < _FRESH_SECONDS:
                seen = self._keep(rollout, now)
        if seen.row is None or seen.row.state.is_final:
            return Outlook()
        return outlook(seen.row.plan, seen.row.state, seen.passages, now, host)

    def _keep(self, rollout: str, now: float) -> _Seen:
        row = self._told.find(rollout)
        visits = self._told.visits(rollout) if row else []
        passages = {v.host: Passage(v.state, v.began, v.ended, v.since) for v in visits}
        if len(self._seen) >= _MOST_KEPT:
            self._seen.clear()
        self._seen[rollout] = seen = _Seen(now, row, passages)
        return seen
