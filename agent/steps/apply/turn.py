"""Whose turn it is to update the app from inside it: the person at the screen, until it is done.

Who logs out before it is done hands the turn to whoever is at the screen next; until somebody
is, there is nobody to wait for but the time that is left. The notice is shown to the one whose
turn it is, and the guard lets that one have the app open.
"""

import os

from agent.programs import Programs
from agent.steps.closing import open_now
from agent.steps.table import Answer, Cancelled, Failed, Refused, Work
from agent.steps.versions import app_reading, fill, values_of
from agent.steps.whose import Whose, has_left
from agent.wire.contract import TURN_OF, TURN_SECONDS, Refusal
from agent.wire.notices import Notice, NoticeKind, Word

_LOOK_SECONDS = 2.0


class Turn:
    """One attended update: who does it, and how far it is."""

    def __init__(self, work: Work) -> None:
        """Find the person at the screen. Raises `Refused` RETRY_LATER when nobody is."""
        self._work = work
        self._end = work.platform.clock() + work.profile.apply.limit_seconds
        self._updated = False
        self._too_early = ""  # the version that was installed when they said that it is done
        self._person = self._at_the_screen()
        if self._person is None:
            raise Refused(
                Refusal.RETRY_LATER,
                f"cannot open {work.profile.title}: nobody is logged in at this workstation, and "
                "the update is done from inside it; log in there, then retry",
            )

    def begin(self) -> None:
        """Tell the person, and open the app for them. Raises `Failed`."""
        if self._person is not None:
            self._give_to(self._person)

    def wait(self) -> bool:
        """Return when the ordered version is installed; False when nobody said to close the app.

        Once it is installed, neither the time limit nor who ends the step undoes it: what is
        open then is to be closed. Raises `Failed` when the time is up before, and `Cancelled`.
        """
        well = 0
        while well < 2:  # twice in a row: an app may close and open itself while it is updated
            version, still_open = app_reading(self._work).version, self._open()
            self._updated = self._updated or version == self._work.params.version
            if self._says_done(version) and self._updated:
                return True
            well = well + 1 if self._updated and not still_open else 0
            if self._end <= self._work.platform.clock() and not well:
                return self._ended_late()
            self._follow()
            self._show()
            if not self._goes_on():
                return False
        return True

    def _goes_on(self) -> bool:
        """Let time pass; False when the step is ended from outside and the update is done."""
        try:
            self._work.pause(_LOOK_SECONDS)
        except Cancelled:
            if app_reading(self._work).version != self._work.params.version:
                raise
            return False
        return True

    def _ended_late(self) -> bool:
        if not self._updated:
            raise Failed(self._why_late())
        return False

    def _at_the_screen(self) -> Whose | None:
        """Return who is at a screen, one whom a notice can reach before others."""
        told = {Whose(seat.user, seat.session) for seat in self._work.people.seats()}
        there = [Whose(s.user, s.id) for s in self._work.platform.sessions() if s.active]
        return next((one for one in there if one in told), there[0] if there else None)

    def _follow(self) -> None:
        """Hand the turn on when its person has logged out and it is not done."""
        work = self._work
        if self._person and has_left(self._person, work.platform.sessions()):
            work.fact("logged_out", str(self._person))
            work.fact(TURN_OF, "")
            work.guard.let(())
            self._person = None
        if self._person is None and not self._updated and (somebody := self._at_the_screen()):
            self._hand_to(somebody)

    def _hand_to(self, person: Whose) -> None:
        try:
            self._give_to(person)
        except Failed:
            if not has_left(person, self._work.platform.sessions()):
                raise
            self._person = None  # logged out this very moment

    def _give_to(self, person: Whose) -> None:
        work, (program, *arguments) = self._work, self._work.profile.apply.open
        folder = work.installation.folder
        argv = [str(folder / program), *(fill(text, values_of(work)) for text in arguments)]
        self._person, self._too_early = person, ""
        work.people.answers()  # what was said to an earlier notice is no word on this one
        self._show()
        work.guard.let({person.user, _own_user(work)})
        try:
            work.platform.start_program(argv, folder, person.user, person.session)
        except OSError as error:
            title = work.profile.title
            raise Failed(f"cannot open {title} for who is at the screen: {error}") from error
        work.fact("opened_for", str(person))
        work.fact(TURN_OF, str(person))
        work.fact(TURN_SECONDS, f"{work.profile.apply.limit_seconds:.0f}")

    def _says_done(self, version: str) -> bool:
        """True when the person has said that it is done; what is missing is told them else."""
        person = self._person
        said = person is not None and any(
            _is_done(answer, person) for answer in _heard(self._work)
        )
        if said or self._too_early not in {"", version}:
            self._too_early = version if said else ""
        return said

    def _show(self) -> None:
        if self._person is not None:
            self._work.people.show(self._notice(), [self._person.session])

    def _notice(self) -> Notice:
        work = self._work
        return Notice(
            NoticeKind.CLOSE_UPDATED if self._updated else NoticeKind.YOUR_TURN,
            work.profile.title,
            version=work.params.version,
            asked_by=work.params.asked_by,
            message=work.params.notice,
            seconds_left=max(0.0, self._end - work.platform.clock()),
            installed="" if self._updated else self._too_early,
        )

    def _open(self) -> bool:
        names = self._work.profile.app.programs + self._work.profile.updater_programs
        programs = Programs(str(self._work.installation.folder), names)
        return bool(open_now(self._work, programs))

    def _why_late(self) -> str:
        limit = f"{self._work.profile.apply.limit_seconds:g} s have passed"
        alone = "" if self._person else ", and nobody is logged in"
        title = self._work.profile.title
        return f"cannot wait for the update of {title} any longer: {limit}{alone}"


def _heard(work: Work) -> list[Answer]:
    return work.people.answers()


def _is_done(answer: Answer, person: Whose) -> bool:
    return answer.word is Word.DONE and Whose(answer.user, answer.session) == person


def _own_user(work: Work) -> str:
    """Return the agent's own user: an updater that was given more rights runs as the system."""
    return next((p.user for p in work.platform.processes() if p.pid == os.getpid()), "")
