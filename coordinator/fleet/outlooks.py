"""What people who wait are told at each ping: read from the store now and then, not each time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.wire.notices import Outlook
from coordinator.planning.outlook import Passage, is_alike, outlook
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
    told: dict[str, Outlook] = field(default_factory=dict)  # by host, "" = on every host
    is_alike: bool = True


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
            whose = "" if seen.is_alike else host
            if whose not in seen.told:  # worked out from all hosts: not for each of them anew
                seen.told[whose] = _told(seen, now, host)
            return seen.told[whose]

    def _keep(self, rollout: str, now: float) -> _Seen:
        row = self._told.find(rollout)
        visits = self._told.visits(rollout) if row else []
        passages = {v.host: Passage(v.state, v.began, v.ended, v.since) for v in visits}
        if len(self._seen) >= _MOST_KEPT:
            self._seen.clear()
        alike = row is None or is_alike(row.plan)
        self._seen[rollout] = seen = _Seen(now, row, passages, is_alike=alike)
        return seen


def _told(seen: _Seen, now: float, host: str) -> Outlook:
    row = seen.row
    if row is None or row.state.is_final:
        return Outlook()
    return outlook(row.plan, row.state, seen.passages, now, host)
