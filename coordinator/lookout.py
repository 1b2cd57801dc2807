"""Looks at the vendors' feeds once a day, by itself, and has a newer release told by mail.

The look runs in a thread of its own, so a slow feed or a workstation that is off delays nothing.
"""

import logging
import time
from collections.abc import Callable

from coordinator.api.finding import look
from coordinator.api.finding_schemas import FoundView, OfferView
from coordinator.api.office import Office
from coordinator.daily import Daily
from coordinator.store.database import StoreTrouble
from coordinator.store.marks import Marks
from coordinator.store.outbox import Notice, NoticeKind, Outbox

_log = logging.getLogger(__name__)
_LOOKED = "feeds looked at"
_FOR_EVER = 1e10  # seconds: each release is told once


class Lookout:
    """The one that looks; `at` is a time of day here, "06:30", "" = never by itself."""

    def __init__(
        self,
        office: Office,
        at: str,
        outbox: Outbox,
        marks: Marks,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._office = office
        self._outbox = outbox
        self._is_wanted = bool(at and office.feeds)
        self._daily = Daily(_LOOKED, at, self.round, marks, clock)

    def look(self) -> None:
        """Begin to look when it is time, and today's look was not begun yet; returns at once."""
        if self._is_wanted:
            self._daily.look()

    def join(self, seconds: float) -> None:
        """Return once a look under way has ended, or after so long."""
        self._daily.join(seconds)

    def round(self) -> None:
        """Look at every feed now."""
        for app in sorted(self._office.feeds):
            try:
                self._tell(look(self._office, app, everything=False))
            except StoreTrouble as error:
                _log.warning("cannot tell of a release", extra={"app": app, "why": str(error)})

    def _tell(self, found: FoundView) -> None:
        """Have the newest release told: those in between are in it."""
        if found.problem:
            _log.warning("feed not read", extra={"app": found.app, "why": found.problem})
        elif found.releases:
            newest = found.releases[0]
            about = {"app": found.app, "release": newest.version}
            _log.info("newer release", extra=about)
            self._outbox.announce(_notice(found.app, newest))


def _notice(app: str, offer: OfferView) -> Notice:
    detail = "; ".join(filter(None, (offer.released, offer.headline, *offer.terms)))
    mend = f"roundsman release notes {app} {offer.version}, then roundsman release add {app} "
    event = f"{NoticeKind.RELEASE}/{app} {offer.version}"
    return Notice(NoticeKind.RELEASE, event, detail[:500], mend + offer.version, _FOR_EVER)
