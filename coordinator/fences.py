"""Which epoch this daemon gives orders with.

The epoch is raised in the database at every start and each time a rollout is taken up; the
instance is new at every start. Agents follow the highest epoch they have met and, within it,
one instance: a daemon on a copied or restored database is refused, not followed.
"""

import logging
import secrets
import threading
from collections.abc import Collection, Iterator, Mapping

from agent.wire.contract import Fence
from coordinator.fleet.standing import Standing
from coordinator.store.rollouts import Rollouts
from coordinator.walk.led import TAKE_OVER

_log = logging.getLogger(__name__)


class Fences:
    """The fence of every order of this daemon; it only ever rises."""

    def __init__(self, rollouts: Rollouts) -> None:
        self._rollouts = rollouts
        self._instance = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._current = Fence(rollouts.raise_epoch(), self._instance)

    def current(self) -> Fence:
        """Return the fence to order with now."""
        return self._current

    def take_up(self, rollout_id: str) -> None:
        """Raise the epoch because this daemon takes a rollout, new or resumed."""
        with self._lock:
            epoch = self._rollouts.raise_epoch(rollout_id)
            self._current = Fence(epoch, self._instance)

    def exceeds(self, met: Fence) -> bool:
        """True when an agent has met a higher fence than ours: another daemon leads it."""
        ours = self._current
        return met.epoch > ours.epoch or (
            met.epoch == ours.epoch and met.instance not in {"", ours.instance}
        )

    def take_over(self, met: Fence) -> None:
        """Raise the epoch above one that an agent has met, since an operator said so."""
        with self._lock:
            epoch = self._rollouts.raise_epoch(least=met.epoch)
            self._current = Fence(epoch, self._instance)


class Rivals:
    """Notices agents that follow another daemon; with `take_over` they are to follow this one."""

    def __init__(self, fences: Fences, *, take_over: bool) -> None:
        self._fences = fences
        self._take_over = take_over
        self._led_by_another: set[str] = set()

    def look(self, standings: Mapping[str, Standing]) -> None:
        """Tell of every host that another daemon leads, once; or take it over."""
        for host, met in self._followed(standings):
            if self._take_over:
                self._fences.take_over(met)
            elif host not in self._led_by_another:
                self._led_by_another.add(host)
                about = {"host": host, "epoch": met.epoch, "mend": TAKE_OVER}
                _log.warning("another coordinator leads this host", extra=about)

    def led_elsewhere(self, standings: Mapping[str, Standing]) -> Collection[str]:
        """Return the hosts that refuse our orders, as another daemon leads them."""
        return {host for host, _ in self._followed(standings)}

    def _followed(self, standings: Mapping[str, Standing]) -> Iterator[tuple[str, Fence]]:
        for host, standing in standings.items():
            if standing.hello is not None and self._fences.exceeds(standing.hello.fence):
                yield host, standing.hello.fence
