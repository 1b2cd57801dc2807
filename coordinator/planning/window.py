"""Maintenance windows: when a rollout may begin, and by when it must have ended.

A time zone of None is this machine's own, with the days on which its clock is changed; the
offset of one moment, which `datetime.astimezone` gives, would be wrong by an hour after them.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class Span:
    """One occurrence of a window; seconds since 1970."""

    opens: float
    closes: float

    def span(self, _now: float, _zone: tzinfo | None) -> "Span":
        """Return this very occurrence."""
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """A daily maintenance window in local time; it may run past midnight."""

    opens: time
    closes: time

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Return the window that "12:00-14:00" says. Raises `ValueError`."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"cannot use the window {text!r}: write it as 12:00-14:00")
        first, second, third, fourth = map(int, match.groups())
        opens, closes = time(first, second), time(third, fourth)
        if opens == closes:
            raise ValueError(f"cannot use the window {text!r}: it ends when it begins")
        return cls(opens, closes)

    def span(self, now: float, zone: tzinfo | None) -> Span:
        """Return the occurrence that is open at `now`, else the next one.

        Begin and end are clock times of `zone`, so on the two days a year on which the clock is
        changed a window is an hour longer or shorter than its name says.
        """
        today = datetime.fromtimestamp(now, zone).date()
        for days in (-1, 0, 1):
            day = today + timedelta(days=days)
            opens = datetime.combine(day, self.opens, zone)
            over_midnight = timedelta(days=1 if self.closes <= self.opens else 0)
            closes = datetime.combine(day + over_midnight, self.closes, zone)
            if now < closes.timestamp():
                return Span(opens.timestamp(), closes.timestamp())
        raise AssertionError("a daily window occurs within a day")


@dataclass(frozen=True, slots=True)
class Within:
    """From now on, for so many seconds, whatever the time of day."""

    seconds: float

    def span(self, now: float, _zone: tzinfo | None) -> Span:
        """Return the span that begins now."""
        return Span(now, now + self.seconds)


def rest_of_day(now: float, zone: tzinfo | None) -> Span:
    """Return the span from now to midnight: all on the same day (row I5)."""
    tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return Span(now, datetime.combine(tomorrow, _MIDNIGHT, zone).timestamp())


def next_time(text: str, now: float, zone: tzinfo | None) -> float:
    """Return the moment at which it is "HH:MM" next, today or tomorrow. Raises `ValueError`."""
    at = _time_of_day(text)
    today = datetime.fromtimestamp(now, zone).date()
    days = (datetime.combine(today + timedelta(days=more), at, zone) for more in (0, 1))
    return next(day.timestamp() for day in days if day.timestamp() > now)


def later_today(text: str, now: float, zone: tzinfo | None) -> float:
    """Return the moment at which it is "HH:MM" next, which must still be today.

    Raises `ValueError`: a deadline is never moved to tomorrow by itself.
    """
    today = datetime.fromtimestamp(now, zone).date()
    moment = datetime.combine(today, _time_of_day(text), zone).timestamp()
    if moment <= now:
        raise ValueError(f"cannot use the time {text}: it is past, and tomorrow is another day")
    return moment


def _time_of_day(text: str) -> time:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise ValueError(f"cannot use the time {text!r}: write it as 17:30")
    return time(int(match.group(1)), int(match.group(2)))
