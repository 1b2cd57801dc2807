"""Tells the people who have the app open, waits for them, and then closes what is left open.

Each session has its own time: who says that the work is saved is closed at once, who asks for
five more minutes has them, and all ends the moment the last has closed. Of who is away it is
closed politely, ahead of the others' time, when the profile says so. What is opened again
afterwards is the guard's business.
"""

import json
from collections.abc import Sequence

from agent.platforms.base import Session
from agent.programs import Programs
from agent.steps.autosave import Autosaves
from agent.steps.away import is_away, may_close_early, seats_now
from agent.steps.closing import (
    Ladder,
    Manner,
    looks,
    members,
    one,
    open_now,
    tally,
    told,
    who,
)
from agent.steps.families import Family
from agent.steps.grace import Grace
from agent.steps.relaunched import staying
from agent.steps.still_in import Known, is_unattended, is_windowless, still_in, why_open
from agent.steps.table import Refused, Seat, Work
from agent.steps.telling import Prints, Telling
from agent.steps.whose import whose
from agent.steps.windows import is_asking, is_seen, seats_of, shown_at
from agent.wire.contract import STILL_IN, Finding, Refusal, Severity
from agent.wire.profile import Unattended, Windowless

HAD_OPEN = "had-open"
"""In the memo: who had the app open, JSON, a list of {"user", "session", "program"}."""
_MOST_TOLD = 8
_LOOK_WHILE_WAITING_SECONDS = 0.5
_TELL_SECONDS = 30.0
"""So long the notice stands before anything is closed early: who only reads moves the mouse."""


def drain(work: Work) -> None:
    """Have the app and its updater closed. Raises `Refused` APP_STILL_OPEN, and says for whom."""
    draining = _Draining(work)
    try:
        draining.begin()
        while not draining.is_over():
            draining.wait()
            draining.look()
    finally:
        work.people.hush()
        draining.end()
    draining.refuse_if_open()


def refuse_while_open(work: Work) -> None:
    """Raise `Refused` APP_STILL_OPEN when the app or its updater is open, and stays open."""
    if still_open := staying(work, lambda: open_now(work, _programs(work))):
        raise Refused(
            Refusal.APP_STILL_OPEN,
            f"cannot go on: {work.profile.title} is open for {who(still_open)}; close it there, "
            "then retry",
        )


def _programs(work: Work) -> Programs:
    names = work.profile.app.programs + work.profile.updater_programs
    return Programs(str(work.installation.folder), names)


class _Draining:
    """One drain: who is in, how long each has, and how far each has been taken."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._programs = _programs(work)
        self._grace = Grace(work)
        self._telling = Telling(work, self._grace)
        self._prints = Prints(work.platform)
        manner = Manner(work.profile.close.quit, self._may_force, Autosaves(work).keep)
        self._ladder = Ladder(work, self._programs, manner)
        self._pauses = looks()
        self._open: list[Family] = []
        self._seats: Sequence[Seat] = ()
        self._asking: list[Family] = []
        self._still_in = ""
        self._early_from = work.platform.clock() + _TELL_SECONDS

    def begin(self) -> None:
        """Look for the first time, and remember who has the app open."""
        self.look()
        self._work.fact("open_at_first", who(members(self._open)))
        self._remember()

    def look(self) -> None:
        """Look who is in, hear what people say, and close what is to be closed by now."""
        self._open = self._ladder.look()
        self._seats = seats_now(self._work) if self._open else ()
        sessions = {s for family in self._open for s in self._sessions(family)}
        self._grace.hear(self._work.people.answers(), sessions)
        for family in self._open:
            self._judge(family)
        self._ladder.climb(self._open, self._seats)
        self._tell()

    def wait(self) -> None:
        """Let a moment pass, a short one while something is being closed."""
        climbs = any(family.is_sent and not family.early for family in self._open)
        self._work.pause(next(self._pauses) if climbs else _LOOK_WHILE_WAITING_SECONDS)

    def is_over(self) -> bool:
        """True when nothing is open, or no more can be done about what is."""
        return all(self._is_given_up(family) for family in self._open)

    def end(self) -> None:
        """Tell what became of everything that was open."""
        self._ladder.end()
        closed = self._ladder.closed()
        self._work.fact("closed_by", told(tally(closed)))
        if closed:
            how = [f"{one(family.main)}: {family.last}" for family in closed[:_MOST_TOLD]]
            self._work.fact("closed_how", ", ".join(how))

    def refuse_if_open(self) -> None:
        """Raise `Refused` APP_STILL_OPEN when something was left open; says what to do."""
        if self._open:
            title = self._work.profile.title
            why = why_open(self._open, self._seats, title)
            raise Refused(Refusal.APP_STILL_OPEN, f"cannot close {title}: {why}")

    def _sessions(self, family: Family) -> list[str]:
        return [seat.session for seat in seats_of(family.members, self._seats)]

    def _time_left(self, family: Family) -> float:
        return self._grace.left(self._sessions(family))

    def _judge(self, family: Family) -> None:
        """Have a program closed when it is due; who has come back in time is waited for again."""
        if self._is_due(family):
            family.early = False
            self._ladder.send(family)
        elif not family.is_sent and self._is_due_early(family):
            family.early = True
            self._ladder.send(family)
        elif family.early and self._is_back(family):
            self._ladder.recall(family)

    def _is_due(self, family: Family) -> bool:
        if self._grace.is_done(self._sessions(family)):
            return True
        return self._time_left(family) <= 0 and not self._is_left(family)

    def _is_due_early(self, family: Family) -> bool:
        if self._work.profile.close.unattended is not Unattended.CLOSE:
            return False
        was_told = self._work.platform.clock() >= self._early_from
        waited_for = self._grace.is_extended(self._sessions(family))
        is_free = was_told and not waited_for and may_close_early(family, self._seats)
        return is_free and not self._prints.are_of(family.main.user)

    def _is_back(self, family: Family) -> bool:
        asks = is_asking(family.members, self._seats)
        return not asks and not is_away(family, self._seats)

    def _is_left(self, family: Family) -> bool:
        """True for what the profile wants left open, and named."""
        close = self._work.profile.close
        if self._programs.name_of(family.main) not in self._work.profile.app.programs:
            return False  # the updater has nothing to lose
        if is_windowless(family, self._seats):
            return close.windowless is Windowless.WAIT
        return close.unattended is Unattended.ASK and is_unattended(family, self._seats)

    def _is_given_up(self, family: Family) -> bool:
        is_no_more_to_do = family.stuck or (not family.is_sent and self._is_left(family))
        return is_no_more_to_do and self._time_left(family) <= 0

    def _may_force(self, family: Family) -> bool:
        if self._time_left(family) <= 0:
            return True
        if family.early:
            return False
        asks = family.asked or not is_seen(family.members, self._seats)  # it may, unseen
        return not asks and not self._prints.are_of(family.main.user)

    def _tell(self) -> None:
        # who has said that the work is saved may cancel the app's question yet
        waiting = [family for family in self._open if self._time_left(family) > 0]
        self._telling.renew(waiting, self._seats)
        printing = {f.main.user for f in self._open if self._prints.are_of(f.main.user)}
        known = Known(printing, self._grace.promised())
        said = still_in(self._open, self._seats, self._programs, known)
        if said != self._still_in:
            self._still_in = said
            self._work.fact(STILL_IN, said)
        for family in self._open:
            if family.asked and family not in self._asking:
                self._asking.append(family)
                self._report_question(family)

    def _report_question(self, family: Family) -> None:
        title = self._work.profile.title
        self._work.find(
            Finding(
                "asks-a-question",
                Severity.WARNING,
                f"{title} asks {one(family.main)} a question, about unsaved work perhaps",
                "have it answered there",
            )
        )

    def _remember(self) -> None:
        """Keep who has the app itself open, for giving it back; a second drain adds to it."""
        kept = json.loads(self._work.memo.get(HAD_OPEN) or "[]")
        sessions = self._work.platform.sessions() if self._open else ()
        for family in self._open:
            entry = self._entry(family, sessions)
            if entry not in kept and self._is_a_persons(family):
                kept.append(entry)
        self._work.memo.put(HAD_OPEN, json.dumps(kept))

    def _is_a_persons(self, family: Family) -> bool:
        is_app = self._programs.name_of(family.main) in self._work.profile.app.programs
        there = shown_at(family.members, self._seats)
        return is_app and bool(there or not seats_of(family.members, self._seats))

    def _entry(self, family: Family, sessions: Sequence[Session]) -> dict[str, str]:
        main, there = family.main, seats_of(family.members, self._seats)
        session = there[0].session if len(there) == 1 else whose(main, sessions).session
        program = self._programs.name_of(main)
        return {"user": main.user, "session": session, "program": program}
