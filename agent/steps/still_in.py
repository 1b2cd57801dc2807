"""Who still has the app open, in words: while it is waited for, and when it cannot be closed."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.programs import Programs
from agent.steps.closing import one
from agent.steps.families import Family
from agent.steps.table import Seat
from agent.steps.windows import Window, is_asking, seats_of, session_of, window_of

_MOST = 8
_MOST_REASONS = 4
_NAME = 40


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of people but for what is seen of their programs."""

    printing: Collection[str] = ()  # users
    promised: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """By session, for how many seconds more they have asked, and how many are left."""


def still_in(
    families: Iterable[Family], seats: Sequence[Seat], programs: Programs, known: Known = Known()
) -> str:
    """Return "2 sessions: marie, paul (asks a question), nightly-import of lea (no window)".

    Who has it open in several sessions is named with each of them.
    """
    notes: dict[tuple[str, str], list[str]] = {}
    for family in families:
        place = _label(family, seats, programs), _session(family, seats)
        notes.setdefault(place, []).extend(_notes(family, seats, known))
    labels = Counter(label for label, _ in notes)
    listed = [
        _entry(label, [f"session {session}"] * bool(session and labels[label] > 1) + said)
        for (label, session), said in notes.items()
    ]
    more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
    count = sum(bool(session) for _, session in notes)
    return f"{count} sessions: " * (count > 1) + ", ".join(listed[:_MOST]) + more


def _entry(label: str, notes: Iterable[str]) -> str:
    said = ", ".join(dict.fromkeys(notes))
    return f"{label} ({said})" if said else label


def _session(family: Family, seats: Sequence[Seat]) -> str:
    """Return where somebody sees it, "" for what shows itself to nobody."""
    if is_windowless(family, seats):
        return ""
    return session_of(family.members, seats)[:_NAME]


def why_open(families: Sequence[Family], seats: Sequence[Seat], title: str) -> str:
    """Return who has the app open, why it was not closed there, and what a person can do."""
    reasons = [_reason(family, seats, title) for family in families[:_MOST_REASONS]]
    more = f"; and {len(families) - _MOST_REASONS} more" if len(families) > _MOST_REASONS else ""
    count = len({(f.main.user, place) for f in families if (place := _session(f, seats))})
    head = f"it is open in {count} sessions: " if count > 1 else ""
    return head + "; ".join(dict.fromkeys(reasons)) + f"{more}; then retry"


def is_windowless(family: Family, seats: Sequence[Seat]) -> bool:
    """True for a program that shows itself to nobody: an import, a timer, a service."""
    return window_of(family.members, seats) is Window.NONE


def is_unattended(family: Family, seats: Sequence[Seat]) -> bool:
    """True when it is in sessions only where nobody can answer: locked, disconnected or away."""
    there = seats_of(family.members, seats)
    return bool(there) and not any(seat.active for seat in there)


def _label(family: Family, seats: Sequence[Seat], programs: Programs) -> str:
    user = family.main.user[:_NAME] or "the system"
    if not is_windowless(family, seats):
        return user
    name = programs.name_of(family.main).rpartition("/")[2][:_NAME]
    return f"{name} of {user}"


def _notes(family: Family, seats: Sequence[Seat], known: Known) -> list[str]:
    said = ["no window"] if is_windowless(family, seats) else []
    said += ["asks a question"] if is_asking(family.members, seats) else []
    said += ["prints"] if family.main.user in known.printing else []
    said += ["away"] if is_unattended(family, seats) else []
    there = [seat.session for seat in seats_of(family.members, seats)]
    return said + [_more(*known.promised[s]) for s in there if s in known.promised]


def _more(seconds: int, left: float) -> str:
    until = time.strftime("%H:%M", time.localtime(time.time() + left))
    return f"{seconds // 60} more minutes, until {until}"


def _reason(family: Family, seats: Sequence[Seat], title: str) -> str:
    if is_asking(family.members, seats):
        return f"{one(family.main)} is asked a question by {title}: have it answered there"
    if family.asked:
        return f"{one(family.main)} has unsaved work in {title}: have it saved and closed there"
    if family.is_sent:
        return f"{title} does not close for {one(family.main)}: close it there by hand"
    if is_windowless(family, seats):
        return f"{one(family.main)} runs {title} without a window: wait for it, or end it by hand"
    name = one(family.main)
    return f"nobody can answer for {name}, locked, disconnected or away: close it there"
