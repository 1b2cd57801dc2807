"""What people see who open the app while it is kept closed: one notice, in their session.

However often it is opened, a session is told once a second at most, and never not at all: what
came too soon is told when the second is over. Nobody is told who has no session here; then the
log alone knows.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.platforms.base import Platform, Process
from agent.records import CordonRecord
from agent.steps.table import People, Seat
from agent.wire.contract import LEASE_SECONDS
from agent.wire.notices import Notice, NoticeKind, Outlook

_log = logging.getLogger(__name__)
_SHOW_SECONDS = 1.0
_LOG_IN_SECONDS = 30.0
_LOG_SECONDS = 60.0
_MOST_KEPT = 200


class Notices:
    """The notice that the app is closed, in every session where somebody opened it."""

    def __init__(self, people: People, platform: Platform) -> None:
        self._people = people
        self._platform = platform
        self._lock = threading.Lock()
        self._shown: dict[str, float] = {}  # session -> when it was last told
        self._pending: set[str] = set()
        self._expected: dict[tuple[str, str], tuple[Process, float]] = {}  # and how long
        self._logged = _Lines()

    def meet(self, record: CordonRecord, relaunched: Sequence[Process]) -> None:
        """Log who opened the app, and tell them, those too who came too soon the last time."""
        now = self._platform.clock()
        for process in relaunched:
            self._logged.add(record, process, now)
        with self._lock:
            self._pending |= self._sessions(relaunched, now)
            due = {s for s in self._pending if now - self._shown.get(s, -1e9) >= _SHOW_SECONDS}
            self._pending -= due
            self._shown |= dict.fromkeys(due, now)
            if due:
                boot_id = self._platform.boot_id()
                self._people.show(closed_notice(record, now, boot_id), sorted(due))

    def _sessions(self, relaunched: Sequence[Process], now: float) -> set[str]:
        """Return who is to be told; for whom there is no session yet, asks again at each look."""
        for process in relaunched[:_MOST_KEPT]:
            self._expected[process.user, process.session] = (process, now + _LOG_IN_SECONDS)
        if not self._expected:
            return set()
        seats, found, left = self._people.seats(), set[str](), {}
        for key, (process, until) in self._expected.items():
            sessions = sessions_of(process, seats) if now < until else set()
            found |= sessions
            if not sessions and now < until:
                left[key] = (process, until)
        self._expected = left
        return found

    def hush(self) -> None:
        """Take the notices away where any was shown."""
        with self._lock:
            if self._shown:
                self._people.hush(sorted(self._shown))
            for known in (self._shown, self._pending, self._expected):
                known.clear()


def sessions_of(process: Process, seats: Iterable[Seat]) -> set[str]:
    """Return the session a process is in, or every one of its user where that is not known.

    Which one it is in may be its own word: it is never believed about another user's.
    """
    own = {seat.session for seat in seats if seat.user == process.user}
    return own & {process.session} or own


def closed_notice(record: CordonRecord, now: float, boot_id: str) -> Notice:
    """Return what is said at `now`, on the platform's clock."""
    return Notice(
        NoticeKind.CLOSED,
        record.title or record.app,
        message=record.text,
        outlook=outlook_at(record, now, boot_id),
        may_open=bool(record.code_hash),
    )


def outlook_at(record: CordonRecord, now: float, boot_id: str) -> Outlook:
    """Return the outlook as it is at `now`; what can no longer be known is left out.

    It counts from when the order came. After a reboot nobody knows how long that is ago, and
    once the coordinator is silent for a lease another host may be updating.
    """
    since = now - record.heard
    if record.boot_id != boot_id or since < 0:
        return Outlook()
    left = max(0.0, record.outlook.back_in - since)
    if since > LEASE_SECONDS:
        return Outlook(back_in=left)
    return replace(record.outlook, back_in=left)


class _Lines:
    """One line a minute for who opens what, with how often it was since the last line."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], float] = {}
        self._times: dict[tuple[str, str, str], int] = {}

    def add(self, record: CordonRecord, process: Process, now: float) -> None:
        program = record.programs.name_of(process)
        key = (process.user, process.session, program)
        self._times[key] = self._times.get(key, 0) + 1
        if now - self._last.get(key, -1e9) < _LOG_SECONDS:
            return
        if len(self._last) > _MOST_KEPT:
            self._last.clear()
            self._times = {key: self._times[key]}
        self._last[key] = now
        _log.warning(
            "closed a relaunch",
            extra=about(record, process) | {"times": self._times.pop(key)},
        )


def about(record: CordonRecord, process: Process) -> dict[str, object]:
    """Return what the log says of a process of the app."""
    return {
        "app": record.app,
        "program": record.programs.name_of(process),
        "user": process.user,
        "session": process.session,
        "pid": process.pid,
    }
