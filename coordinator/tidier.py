"""Tidies the coordinator's disk once a day, by itself."""

import logging
import time
from collections.abc import Callable

from coordinator.api.office import Office
from coordinator.api.tidying import sweep
from coordinator.daily import Daily
from coordinator.lookout import Lookout
from coordinator.store.database import StoreTrouble
from coordinator.store.marks import Marks
from coordinator.store.outbox import Outbox

_log = logging.getLogger(__name__)
_TIDIED = "disk tidied"
_AT = "03:30"  # else as soon as it is there that day


class Tidier:
    """The one that tidies; see `coordinator.api.tidying`."""

    def __init__(
        self, office: Office, marks: Marks, clock: Callable[[], float] = time.time
    ) -> None:
        self._office = office
        self._daily = Daily(_TIDIED, _AT, self.round, marks, clock)

    def look(self) -> None:
        """Begin when it is time; returns at once."""
        self._daily.look()

    def join(self, seconds: float) -> None:
        """Return once what is under way has ended, or after so long."""
        self._daily.join(seconds)

    def round(self) -> None:
        """Delete what nobody needs any more; what is not sure to be of that kind stays."""
        try:
            done = sweep(self._office, dry_run=False)
        except (OSError, ValueError, StoreTrouble) as error:
            _log.warning("cannot tidy up", extra={"why": str(error)})
            return
        about = {"bytes": done.bytes, "releases": ", ".join(done.releases), "free": done.free}
        _log.info("tidied up", extra=about)


def what_is_daily(
    office: Office, feeds_at: str, outbox: Outbox, marks: Marks
) -> tuple[Lookout, Tidier]:
    """Return what a daemon does once a day by itself; each is to be looked at often."""
    return Lookout(office, feeds_at, outbox, marks), Tidier(office, marks)
