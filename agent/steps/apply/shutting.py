"""Closes what is left open when an attended update has ended, however it has ended.

Its person is told first and has a minute, a few seconds when somebody ends the step itself and
no question about unsaved work is on the screen. Then
it goes as in a drain: windows first, autosaves copied before any force, questions and the last
rung as the profile says.
"""

import threading
from collections.abc import Sequence

from agent.programs import all_programs
from agent.steps.autosave import Autosaves
from agent.steps.closing import CLOSING_SECONDS, LOOK_SECONDS, Ladder, Manner, members, who
from agent.steps.families import Family
from agent.steps.table import Cancelled, Seat, Work
from agent.steps.telling import notice_of
from agent.steps.windows import seats_of
from agent.wire.contract import Finding, Severity
from agent.wire.notices import Word

_GRACE_SECONDS = 60.0
_HURRIED_SECONDS = 5.0
_COPY_SECONDS = 20.0
_QUIET_SECONDS = 5.0
"""Who has said that it may be closed is told only when it does not go by itself."""
_RENEW_SECONDS = 5.0


def shut(work: Work, *, agreed: bool) -> None:
    """Close what is open; at once, but never by force at once, when its person has `agreed`."""
    shutting = _Shutting(work, agreed=agreed)
    if shutting.goes_on():
        while shutting.goes_on():
            shutting.rest()
        shutting.end()


class _Shutting:
    def __init__(self, work: Work, *, agreed: bool) -> None:
        self._work = work
        self._agreed = agreed
        self._begun = work.platform.clock()
        self._force_at = self._begun + _GRACE_SECONDS
        self._hurried = False
        self._told: tuple[set[str], float] = (set(), 0.0)
        programs = all_programs(work.profile, work.installation.folder)
        keep = Autosaves(work, seconds=_COPY_SECONDS).keep
        manner = Manner(work.profile.close.quit, self._may_force, keep)
        self._ladder = Ladder(work, programs, manner)

    def goes_on(self) -> bool:
        """Do what is due; False when nothing is open, or no more can be done about what is."""
        families = self._ladder.look()
        seats = self._work.people.seats() if families else ()
        if self._is_due():
            for family in families:
                self._ladder.send(family)
        self._ladder.climb(families, seats)
        self._tell(families, seats)
        late = self._work.platform.clock() >= self._until(families) + CLOSING_SECONDS
        return not late and not all(family.stuck for family in families)

    def _until(self, families: Sequence[Family]) -> float:
        """Return when force may begin: who is asked about unsaved work keeps the whole time."""
        is_asked = any(family.asked for family in families)
        return self._begun + _GRACE_SECONDS if is_asked else self._force_at

    def rest(self) -> None:
        """Let a moment pass, also in a step that is being ended."""
        try:
            self._work.pause(LOOK_SECONDS)
        except Cancelled:
            if not self._hurried:
                self._hurry()
            threading.Event().wait(LOOK_SECONDS)

    def _hurry(self) -> None:
        """Take what time an agent that is to stop has: windows at once, force in a moment."""
        hurried = self._work.platform.clock() + _HURRIED_SECONDS
        self._hurried, self._force_at = True, min(self._force_at, hurried)
        self._told = self._told[0], 0.0  # what was told no longer holds

    def end(self) -> None:
        """Take the notice away, and name whoever has it open yet."""
        self._ladder.end()
        if self._told[0]:
            self._work.people.hush()
        if left := members(self._ladder.look()):
            message = f"{self._work.profile.title} was left open for {who(left)}"
            fix = "have the work saved and the app closed there"
            self._work.find(Finding("left-open", Severity.WARNING, message, fix))
            for process in () if self._work.profile.app.kill else left:
                self._work.guard.spare(process)  # it kills at once what is nobody's any more

    def _is_due(self) -> bool:
        said = [a for a in self._work.people.answers() if a.session in self._told[0]]
        self._agreed = self._agreed or any(answer.word is Word.DONE for answer in said)
        return self._agreed or self._hurried or self._may_force()

    def _may_force(self, *families: Family) -> bool:
        return self._work.platform.clock() >= self._until(families)

    def _tell(self, families: Sequence[Family], seats: Sequence[Seat]) -> None:
        now = self._work.platform.clock()
        is_time = now - self._told[1] >= _RENEW_SECONDS
        if not families or not is_time or (self._agreed and now < self._begun + _QUIET_SECONDS):
            return
        sessions = {seat.session for f in families for seat in seats_of(f.members, seats)}
        self._told = sessions, now
        if sessions:
            left = max(0.0, self._until(families) - now)
            self._work.people.show(notice_of(self._work, left, 0), sorted(sessions))
