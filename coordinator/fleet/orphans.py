"""Hosts kept closed for a rollout that this coordinator does not know.

So after it was restored from a backup: the rollout came later. A host that no cordon is wanted
for is asked once on each link, and at every ping while it says that it is kept closed.

It is asked by an order to open, in no epoch and for no rollout. An agent refuses that, and says
what keeps it closed: nothing is opened, and no host is taken from the coordinator that leads it.
"""

import threading
from collections.abc import Callable, Collection, Sequence

from agent.wire.contract import CordonMode, Fence, Sight, UncordonOrder
from coordinator.fleet.hub import Order

_QUESTION: Order = ("uncordon", UncordonOrder("0" * 26, Fence(0, "")))


class Orphans:
    """Asks what keeps hosts closed, and remembers which are closed for something unknown.

    Any thread may call it.
    """

    def __init__(self, cause: Callable[[str], str], is_known: Callable[[str], bool]) -> None:
        """`cause` returns what a host's cordon is wanted for; a rollout is known by its id."""
        self._cause = cause
        self._is_known = is_known
        self._lock = threading.Lock()
        self._asked: frozenset[str] = frozenset()
        self._found: frozenset[str] = frozenset()

    def orders(self, host: str) -> Sequence[Order]:
        """Return what to say to a host at this ping, that has no cordon; () = it needs nothing."""
        return () if host in self._asked - self._found else [_QUESTION]

    def heard(self, host: str, answer: object) -> None:
        """Take in what an agent answered to whatever was ordered of its cordon."""
        if not isinstance(answer, Sight):
            return
        is_orphan = self._is_orphan(host, answer)
        with self._lock:
            self._asked |= {host}
            self._found = self._found | {host} if is_orphan else self._found - {host}

    def _is_orphan(self, host: str, sight: Sight) -> bool:
        if sight.mode is not CordonMode.SEALED or sight.rollout == self._cause(host):
            return False
        return not self._is_known(sight.rollout)

    def lost(self, host: str) -> None:
        """Ask a host anew once it is linked again; its seal is there meanwhile."""
        with self._lock:
            self._asked -= {host}

    def hosts(self) -> Collection[str]:
        """Return the hosts that are kept closed for a rollout that is not known here."""
        return self._found
