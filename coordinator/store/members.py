"""Who is in the fleet, in memory: asked before every call over a link, so it reads no disk.

Whoever changes where a host stands says so here inside its own transaction: what is noted has
the order in which it is written, and a revocation bites on the next call.
"""

import threading
from collections.abc import Callable

from sqlalchemy import Engine, select

from coordinator.model import HostStanding
from coordinator.store.database import reader
from coordinator.store.tables import host

NoteStanding = Callable[[str, HostStanding], None]
"""Hears where a host, named by its id, stands from now on."""
_MEMBERS = {HostStanding.ENROLLED, HostStanding.HELD}


def note_nowhere(_host_id: str, _standing: HostStanding) -> None:
    """Note nothing."""


class Members:
    """The ids of the hosts that may have a link; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        """Read who is in the fleet now."""
        query = select(host.c.id).where(host.c.standing.in_([s.value for s in _MEMBERS]))
        with reader(engine).connect() as c:
            self._ids = set(c.scalars(query))
        self._lock = threading.Lock()

    def __contains__(self, host_id: str) -> bool:
        """True for a host that is enrolled, held or not. Never raises."""
        with self._lock:
            return host_id in self._ids

    def note(self, host_id: str, standing: HostStanding) -> None:
        """Take in where a host stands from now on."""
        with self._lock:
            if standing in _MEMBERS:
                self._ids.add(host_id)
            else:
                self._ids.discard(host_id)
