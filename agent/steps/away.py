"""Whose people are away: they have touched neither keyboard nor mouse for a while.

How long is read here, compared with the profile and forgotten: what leaves this module says
whether, never for how long, so that nothing of it can reach the journal, a log or a report.
"""

from collections.abc import Sequence
from dataclasses import replace

from agent.steps.families import Family
from agent.steps.table import Seat, Work
from agent.steps.windows import Window, is_asking, seats_of, window_of

_MINUTE = 60.0


def seats_now(work: Work) -> list[Seat]:
    """Return every session of a person; where they are away nobody can answer."""
    limit = work.profile.close.away_minutes * _MINUTE
    return [_judged(seat, limit) for seat in work.people.seats()]


def _judged(seat: Seat, limit: float) -> Seat:
    away = 0 < limit <= seat.idle_seconds
    return replace(seat, active=seat.active and not away, away=away, idle_seconds=0.0)


def is_away(family: Family, seats: Sequence[Seat]) -> bool:
    """True when everybody who has the program open is away."""
    there = seats_of(family.members, seats)
    return bool(there) and all(seat.away for seat in there)


def may_close_early(family: Family, seats: Sequence[Seat]) -> bool:
    """True for a program with a window and no question, whose people are away."""
    is_shown = window_of(family.members, seats) is Window.THERE
    return is_shown and not is_asking(family.members, seats) and is_away(family, seats)
