"""When people are told ahead: the day before their app is closed, on that day, as it begins.

    day-before 16:00        on the day before the window opens
    morning 08:00           on the day on which it opens
    start                   when it opens

Times are local; a moment that is past when the plan is made is left out. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from agent.wire.contract import Finding, Severity

_DAYS_BEFORE = {"day-before": 1, "morning": 0}
_FORM = re.compile(r"(day-before|morning) ([01]\d|2[0-3]):([0-5]\d)")
_START = "start"


@dataclass(frozen=True, slots=True)
class Ahead:
    """One moment, before it is known when the window opens; `at` is None at the opening itself."""

    text: str
    days: int = 0
    at: time | None = None

    @classmethod
    def parse(cls, text: str) -> "Ahead":
        """Return what "day-before 16:00", "morning 08:00" or "start" says. Raises `ValueError`."""
        if text == _START:
            return cls(text)
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(
                f"cannot announce at {text!r}: write it as day-before 16:00, morning 08:00 or "
                "start"
            )
        day, hour, minute = match.groups()
        return cls(text, _DAYS_BEFORE[day], time(int(hour), int(minute)))

    def moment(self, opens: float, zone: tzinfo | None) -> float:
        """Return the moment, seconds since 1970, for a window that opens at `opens`."""
        if self.at is None:
            return opens
        day = datetime.fromtimestamp(opens, zone).date() - timedelta(days=self.days)
        return datetime.combine(day, self.at, zone).timestamp()


def moments(
    wanted: Sequence[Ahead], opens: float, now: float, zone: tzinfo | None
) -> tuple[float, ...]:
    """Return when people are told, in order: each moment once, none that is past or too late."""
    found = {ahead.moment(opens, zone) for ahead in wanted}
    return tuple(sorted(moment for moment in found if now <= moment <= opens))


def announce_findings(
    wanted: Sequence[Ahead], opens: float, now: float, zone: tzinfo | None
) -> list[Finding]:
    """Return what speaks against the moments asked for: too late, or past already."""
    past = [ahead.text for ahead in wanted if ahead.moment(opens, zone) < min(now, opens)]
    late = [ahead.text for ahead in wanted if ahead.moment(opens, zone) > opens]
    return [
        Finding(
            "announced-too-late",
            Severity.WARNING,
            f"nobody is told at {text!r}: the window is open by then",
            "choose an earlier time, or start",
        )
        for text in late
    ] + [
        Finding(
            "announced-in-the-past",
            Severity.NOTE,
            f"nobody is told at {text!r}: that is past already",
            "choose a later time or a later window, or start",
        )
        for text in past
    ]
