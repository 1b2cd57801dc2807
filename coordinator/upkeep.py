"""What a daemon does beside serving: keeps metadata and certificates fresh, forgets the old."""

import time
from collections.abc import Callable

from coordinator.engine import Engine
from coordinator.freshness import Freshness
from coordinator.store.history import History

_DAY_SECONDS = 86_400.0
_EVERY_SECONDS = _DAY_SECONDS / 4


class Upkeep:
    """Done at the start, and then four times a day."""

    def __init__(
        self,
        freshness: Freshness,
        engine: Engine,
        history: History,
        history_days: int,
        renew_certificate: Callable[[], None],
    ) -> None:
        self._freshness = freshness
        self._engine = engine
        self._history = history
        self._history_days = history_days
        self._renew_certificate = renew_certificate
        self._done = 0.0

    def look(self) -> None:
        """Do it when it is time."""
        if time.time() - self._done < _EVERY_SECONDS:
            return
        self._freshness.refresh()
        self._renew_certificate()
        self._forget_old()
        self._done = time.time()

    def _forget_old(self) -> None:
        """Forget what nobody needs any more: the engine's part of it after a day."""
        now = time.time()
        self._engine.forget(self._history.ended_before(now - _DAY_SECONDS))
        left = self._history.forget_before(now - self._history_days * _DAY_SECONDS)
        self._engine.forget(left)  # what was done is in the store: a way back begins from that
