"""What of the signed metadata expires soon, in words and with the command that mends it. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

AHEAD = dt.timedelta(days=30)
"""So long before its end it is announced what people have to renew."""
_RENEW = "roundsman keys renew"
_SERVE = "roundsman serve, which renews it; if it runs, its log says why it cannot"


@dataclass(frozen=True, slots=True)
class Ending:
    """One role's metadata that ends soon, or has ended."""

    role: str
    expires: dt.datetime
    is_over: bool
    text: str
    mend: str

    @property
    def is_by_hand(self) -> bool:
        """True when a person has to sign it anew."""
        return self.role in _BY_HAND


def endings(expiries: Mapping[str, dt.datetime], now: dt.datetime) -> list[Ending]:
    """Return what expires within 30 days; of what is renewed daily, only what has expired."""
    return [
        _ending(role, expires, now)
        for role, expires in expiries.items()
        if expires - now <= (AHEAD if role in _BY_HAND else dt.timedelta())
    ]


_BY_HAND = {"root": "root of trust", "targets": "list of releases"}


def _ending(role: str, expires: dt.datetime, now: dt.datetime) -> Ending:
    is_over = expires <= now
    left = (expires - now).days
    when = f"expired on {expires:%d %B %Y}" if is_over else f"expires on {expires:%d %B %Y}"
    then = "agents refuse" if is_over else f"in {left} days; from then on agents refuse"
    text = (
        f"the signed {_BY_HAND.get(role, role)} {when}{':' if is_over else ','} {then} "
        "everything new that this coordinator offers"
    )
    return Ending(role, expires, is_over, text, _RENEW if role in _BY_HAND else _SERVE)
