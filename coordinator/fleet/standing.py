"""What is known of the links of each host, for people and for the daemon."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.wire.contract import Hello
from agent.wire.errors import LinkRefusal


@dataclass(frozen=True, slots=True)
class Standing:
    """One host, as its links tell it; times are UTC."""

    host_id: str
    linked: bool = False
    since: datetime | None = None  # of this link, or of the end of the last one
    address: str = ""
    last_heard: datetime | None = None
    hello: Hello | None = None
    met: datetime | None = None  # when that hello was heard
    refusal: LinkRefusal | None = None  # why the latest link was turned away
    problem: str = ""  # the same in words
    clone_address: str = ""  # where another machine with this host's certificate was seen
    clone_seen: datetime | None = None


def seconds_ahead(standing_of: Callable[[str], Standing], host_id: str) -> float:
    """Return how many seconds a host's clock was ahead of ours when it last said hello."""
    standing = standing_of(host_id)
    if standing.hello is None or standing.met is None or not standing.linked:
        return 0.0
    return standing.hello.clock - standing.met.timestamp()


class Standings:
    """The standing of every host heard of; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Standing] = {}

    def of(self, host_id: str) -> Standing:
        """Return a host's standing; an empty one when nothing is known."""
        with self._lock:
            return self._known.get(host_id, Standing(host_id))

    def note(self, host_id: str, **facts: Any) -> None:
        """Change some fields of a host's standing."""
        with self._lock:
            known = self._known.get(host_id, Standing(host_id))
            self._known[host_id] = replace(known, **facts)

    def all(self) -> dict[str, Standing]:
        """Return every host's standing."""
        with self._lock:
            return dict(self._known)
