"""How many sessions a host has, from what its survey says. Pure."""

from collections.abc import Mapping

from coordinator.model import SessionCount

_MOST = 10_000


def sessions_of(facts: Mapping[str, str]) -> SessionCount:
    """Return how many sessions there were, and what of; what is no number counts as none."""
    here, away, having = (
        _number(facts.get(key, "")) for key in ("sessions", "sessions_away", "open_sessions")
    )
    return SessionCount(here, away, having)


def _number(text: str) -> int:
    is_one = text.isascii() and text.isdecimal() and len(text) < len(str(_MOST))
    return int(text) if is_one else 0
