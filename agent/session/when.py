"""Times and spans as people say them. The clock is the session's own, right or wrong."""

import math
from datetime import datetime, timedelta

from agent.session.language import Tongue

_MINUTE = 60
_HOUR = 3600
_EXACT_BELOW = 20 * _MINUTE
"""A time further away than this is said in steps of five minutes: it is an estimate."""


def countdown(seconds: float) -> str:
    """Return minutes and seconds, say 04:05, and hours when there are any."""
    whole = max(0, math.ceil(seconds))
    hours, rest = divmod(whole, _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes:02}:{left:02}"


def span(tongue: Tongue, seconds: float) -> str:
    """Return how long that is, rounded up: "25 minutes", "2 h 15 min", "3 days"."""
    minutes = max(1, math.ceil(seconds / _MINUTE))
    if minutes < 100:
        return tongue.many("{count} minute", "{count} minutes", minutes)
    if minutes < 48 * 60:
        hours, rest = divmod(5 * math.ceil(minutes / 5), 60)
        if rest:
            return tongue.say("{hours} h {minutes} min", hours=hours, minutes=rest)
        return tongue.many("{count} hour", "{count} hours", hours)
    return tongue.many("{count} day", "{count} days", round(minutes / 60 / 24))


def about(tongue: Tongue, now: datetime, seconds: float) -> str:
    """Return the time in so many seconds: "about 14:20", "tomorrow about 08:00"."""
    then = _rounded(now + timedelta(seconds=seconds), seconds)
    time = tongue.say("{hour:02}:{minute:02}", hour=then.hour, minute=then.minute)
    days = (then.date() - now.date()).days
    if days == 0:
        return tongue.say("about {time}", time=time)
    if days == 1:
        return tongue.say("tomorrow about {time}", time=time)
    return tongue.say("{day} about {time}", day=_day(tongue, then.weekday()), time=time)


def _rounded(then: datetime, seconds: float) -> datetime:
    """Return the next whole minute, or the next five of them."""
    step = _MINUTE if seconds < _EXACT_BELOW else 5 * _MINUTE
    since_hour = then.minute * _MINUTE + then.second + then.microsecond / 1e6
    return then + timedelta(seconds=math.ceil(since_hour / step) * step - since_hour)


def _day(tongue: Tongue, weekday: int) -> str:
    days = (
        tongue.say("Monday"),
        tongue.say("Tuesday"),
        tongue.say("Wednesday"),
        tongue.say("Thursday"),
        tongue.say("Friday"),
        tongue.say("Saturday"),
        tongue.say("Sunday"),
    )
    return days[weekday]
