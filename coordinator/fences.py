"""Which epoch this daemon gives orders with.

The epoch is raised in the database at every start and each time a rollout is taken up; the
instance is new at every start. Agents follow the highest epoch they have met and, within it,
one instance: a daemon on a copied or restored database is refused, not followed.
"""

import secrets
import threading

from agent.wire.contract import Fence
from coordinator.store.rollouts import Rollouts


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
