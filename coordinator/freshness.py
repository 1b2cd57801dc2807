"""Keeps signed metadata fresh while the coordinator serves, and tells in time of what it cannot.

What the online key signs is renewed here. What people sign is announced thirty days before it
expires: in the log each time it is looked at, and once a week by mail. The coordinator goes on
serving with what has expired, so that what is staged can be walked; agents refuse what is new.
"""

import logging
import time
from collections.abc import Callable

from coordinator.api.roles import OperatorRole
from coordinator.releases.expiry import Ending, endings
from coordinator.releases.keys import KeyProblem
from coordinator.releases.repository import Repository
from coordinator.releases.shelf import Damaged, moment
from coordinator.store.database import StoreTrouble
from coordinator.store.fleet import People
from coordinator.store.outbox import Notice, NoticeKind, Outbox

_log = logging.getLogger(__name__)
_WEEK_SECONDS = 7 * 86_400.0


class Freshness:
    """Renews the metadata of one repository; without an outbox nobody is told by mail."""

    def __init__(
        self,
        repository: Repository,
        outbox: Outbox | None,
        people: People,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._repository = repository
        self._outbox = outbox
        self._people = people
        self._clock = clock

    def refresh(self) -> None:
        """Renew what can be renewed here; tell of what expires, or has."""
        for act in (self._repository.refresh, self._look):
            try:
                act()
            except (KeyProblem, Damaged, OSError) as error:
                _log.error("cannot renew signed metadata", extra={"why": str(error)})

    def _look(self) -> None:
        for ending in endings(self._repository.expiries(), moment(self._clock)):
            self._tell(ending)

    def _tell(self, ending: Ending) -> None:
        about = {"role": ending.role, "why": ending.text, "mend": ending.mend}
        if ending.is_over:
            _log.error("signed metadata has expired", extra=about)
        else:
            _log.warning("signed metadata expires", extra=about)
        try:
            if self._outbox is not None:
                self._outbox.announce(notice_of(ending), self._admins())
        except StoreTrouble as error:  # the next look tells it again
            _log.warning("cannot write the outbox", extra={"why": str(error)})

    def _admins(self) -> list[str]:
        """Return the addresses of who may mend it."""
        every = self._people.operators()
        return [row.mail for row in every if row.role == OperatorRole.ADMIN]


def notice_of(ending: Ending) -> Notice:
    """Return what is mailed of an expiry: once a week for each, and once it is over."""
    event = f"expires/{ending.role}/{ending.expires:%Y-%m-%d}/{'over' if ending.is_over else ''}"
    return Notice(NoticeKind.EXPIRES, event, ending.text, ending.mend, _WEEK_SECONDS)
