"""In whose sessions a host has something open, in an operator's words. Pure.

A host may have twenty sessions, and one person several of them: it is sessions that are counted.
"""

import re
from collections import Counter
from collections.abc import Sequence

from agent.wire.contract import OpenProgram

_MOST = 8
_NOBODY = "the system"
_ONE = r"(?:(?! for )[^,;()])+ \((?:session [^()]*, )?pid \d+\)"  # as an agent names a process
_WHO = re.compile(rf" for ({_ONE}(?:, {_ONE})*)(?: and (\d+) more)?")
_LISTED = re.compile(r"\b((?:has it open|in use)(?: in \d+ sessions)?)(?:: | by )[^;]*")


def open_in(programs: Sequence[OpenProgram]) -> str:
    """Return "has it open: app of marie", or "has it open in 2 sessions: marie, paul (app)"."""
    names = ", ".join(sorted({p.program for p in programs})[:_MOST])
    places = _places(programs)
    if len(places) < 2:
        return f"has it open: {names} of {_names(places)}"
    return f"has it open in {len(places)} sessions: {_names(places)} ({names})"


def in_use_by(programs: Sequence[OpenProgram]) -> str:
    """Return "in use by marie", "in use in 2 sessions: marie, paul"; "" for no person's."""
    places = [place for place in _places(programs) if place[0]]
    if len(places) < 2:
        return f"in use by {_names(places)}" if places else ""
    return f"in use in {len(places)} sessions: {_names(places)}"


def without_names(text: str) -> str:
    """Return what was said of a host with how many have something open, and nobody's name."""
    return _LISTED.sub(r"\1", _WHO.sub(_counted, text))


def _counted(found: re.Match[str]) -> str:
    count = len(re.findall(_ONE, found[1])) + int(found[2] or 0)
    return f" there ({count} program{'s' * (count > 1)})"


def _places(programs: Sequence[OpenProgram]) -> list[tuple[str, str]]:
    """Return each user and session; what runs in no known session is in its user's others."""
    found = sorted({(p.user, p.session) for p in programs})
    placed = {user for user, session in found if session}
    return [(user, session) for user, session in found if session or user not in placed]


def _names(places: Sequence[tuple[str, str]]) -> str:
    times = Counter(user for user, _ in places)
    listed = [
        f"{user or _NOBODY} (session {session})" if times[user] > 1 else user or _NOBODY
        for user, session in places
    ]
    more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
    return ", ".join(listed[:_MOST]) + more
