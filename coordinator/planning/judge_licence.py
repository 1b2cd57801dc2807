"""The licence gate: whether what the vendor has granted lets a release be installed (row S3).

Judged when a plan is made, and again when it is started, with the entitlement and the day of
that moment. Pure.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.wire.contract import Finding
from agent.wire.profile import Licence
from agent.wire.terms import Terms
from coordinator.planning.entitlement import Entitlement, Held
from coordinator.planning.say import blocks


@dataclass(frozen=True, slots=True)
class LicenceCase:
    """What is judged: a release, on whose terms, against what is held, on which day."""

    app: str
    version: str
    licence: Licence
    terms: Sequence[Terms]  # of each package that would be installed
    held: Held
    seats: int  # workstations of the fleet that have the app
    day: dt.date


def licence_findings(case: LicenceCase) -> list[Finding]:
    """Return what the licence has against it, [] when it has nothing."""
    if case.held.problem:
        return [_finding(case, "licence-refused", case.held.problem)]
    if case.held.entitlement is None:
        return [_missing(case)] if _is_needed(case) else []
    whole = [
        _finding(case, code, why)
        for code, judge in _WHOLE
        if (why := judge(case, case.held.entitlement))
    ]
    each = [
        _finding(case, code, why)
        for terms in case.terms
        for code, look in _EACH
        if (why := look(case, terms, case.held.entitlement))
    ]
    return list(dict.fromkeys(whole + each))


def _is_needed(case: LicenceCase) -> bool:
    return case.licence.required or any(t.editions or t.contract for t in case.terms)


def _missing(case: LicenceCase) -> Finding:
    return _finding(case, "licence-missing", f"there is no entitlement for {case.app}")


def _finding(case: LicenceCase, code: str, why: str) -> Finding:
    return blocks(
        code,
        f"cannot install {case.app} {case.version}: {why}",
        f"{_MENDS[code]}; then: roundsman licence add FILE",
    )


def _other_app(case: LicenceCase, held: Entitlement) -> str:
    return "" if held.app == case.app else f"the entitlement is for {held.app}"


def _seats(case: LicenceCase, held: Entitlement) -> str:
    if case.seats <= held.seats:
        return ""
    owned = f"the licence of {held.holder} has {held.seats}"
    return f"{case.seats} workstations need a seat, and {owned}"


def _ended(case: LicenceCase, held: Entitlement) -> str:
    if held.valid_until is None or case.day <= held.valid_until:
        return ""
    return f"the licence of {held.holder} ended on {held.valid_until}"


def _edition(_case: LicenceCase, terms: Terms, held: Entitlement) -> str:
    if not terms.editions or held.edition in terms.editions:
        return ""
    owned = f"edition {held.edition}" if held.edition else "no edition"
    return f"it is for the editions {', '.join(terms.editions)}, and the licence is for {owned}"


def _contract(case: LicenceCase, terms: Terms, held: Entitlement) -> str:
    if not terms.contract:
        return ""
    if held.contract_end is None:
        return "it needs an update contract, and the licence has none"
    since = _released(terms) or case.day
    if since <= held.contract_end:
        return ""
    when = f"it was released on {since}" if terms.released else f"today is {since}"
    return f"{when}, and the update contract of {held.holder} ended on {held.contract_end}"


def _released(terms: Terms) -> dt.date | None:
    """Return the day of the release; one that is no day counts as today, which is later."""
    try:
        return dt.date.fromisoformat(terms.released)
    except ValueError:
        return None


_WHOLE: tuple[tuple[str, Callable[[LicenceCase, Entitlement], str]], ...] = (
    ("licence-other-app", _other_app),
    ("licence-seats", _seats),
    ("licence-ended", _ended),
)
_EACH: tuple[tuple[str, Callable[[LicenceCase, Terms, Entitlement], str]], ...] = (
    ("licence-edition", _edition),
    ("licence-contract", _contract),
)
_MENDS = {
    "licence-missing": "have the vendor send the entitlement file",
    "licence-refused": "have the vendor send a sound entitlement file",
    "licence-other-app": "have the vendor send the entitlement of this app",
    "licence-seats": "buy seats, or revoke workstations that are gone: roundsman fleet revoke ID",
    "licence-ended": "have the licence renewed",
    "licence-edition": "change to one of these editions, or choose another version",
    "licence-contract": "renew the update contract, or choose a version released before",
}
