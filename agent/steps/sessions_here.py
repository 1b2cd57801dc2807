"""How many sessions a host has, in how many nobody can answer, and in how many the app is open.

Numbers: a plan says no more of people. What the profile does where nobody can answer is a
finding, so that it is known before the day and not in the middle of it.
"""

from dataclasses import dataclass

from agent.programs import app_programs
from agent.steps.away import seats_now
from agent.steps.closing import open_now
from agent.steps.families import Families
from agent.steps.table import Work
from agent.steps.windows import session_of
from agent.wire.contract import Finding, Severity
from agent.wire.profile import Unattended

_Place = tuple[str, str]
"""A user and a session."""


@dataclass(frozen=True, slots=True)
class _Here:
    answering: dict[_Place, bool]  # every session, and whether somebody can answer there
    having: set[_Place]  # where the app is open; of a service or a timer: in no session at all

    @property
    def silent(self) -> list[_Place]:
        return [place for place, answers in self.answering.items() if not answers]

    @property
    def silent_and_open(self) -> list[_Place]:
        return [place for place in self.silent if place in self.having]


def survey_sessions(work: Work) -> None:
    """Count the sessions, and find those where nobody can answer."""
    here = _look(work)
    work.fact("sessions", str(len(here.answering)))
    work.fact("sessions_away", str(len(here.silent)))
    work.fact("open_sessions", str(len(here.having)))
    if here.silent:
        work.find(_finding(work, here))


def _look(work: Work) -> _Here:
    seats = seats_now(work)
    answering = {(s.user, s.id): s.active for s in work.platform.sessions()}
    answering |= {(seat.user, seat.session): seat.active for seat in seats}
    programs = app_programs(work.profile, work.installation.folder)
    families = Families().look(open_now(work, programs))
    return _Here(answering, {(f.main.user, session_of(f.members, seats)) for f in families})


def _finding(work: Work, here: _Here) -> Finding:
    policy, title = work.profile.close.unattended, work.profile.title
    count = f"nobody can answer in {len(here.silent)} of {len(here.answering)} sessions"
    is_open = f"{title} is open in {len(here.silent_and_open)} of them"
    waits = policy is Unattended.ASK and here.silent_and_open
    return Finding(
        "nobody-answers",
        Severity.WARNING if waits else Severity.NOTE,
        f"{count} (locked, disconnected or away), and {is_open}: {_WHAT[policy]}"[:500],
        _FIX[policy],
    )


_WHAT = {
    Unattended.CLOSE: "it is closed there as everywhere, and never by force before time is up",
    Unattended.ASK: "it is left open there, and the rollout waits for a person to close it",
}
_FIX = {
    Unattended.CLOSE: "",
    Unattended.ASK: "have them log out before it begins",
}
