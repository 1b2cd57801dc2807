"""One desktop and our program in it: started, heard, ended, and started anew after a pause.

What the program says is kept here and believed of its own user only. All of it is called under
the lock of `agent.sessions`, and nothing here waits.
"""

from dataclasses import dataclass

from agent.platforms.desktop import Desktop, DesktopControl, DesktopProgram
from agent.session.messages import SILENT_SECONDS, CodeTyped, Lacks, Said, Seen
from agent.session_link import BadDesktop, SessionLink
from agent.steps.table import Seat
from agent.wire.notices import Blind


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what may take, in seconds."""

    look: float = 1.5  # between two looks for sessions, when somebody asks who is here
    calm_look: float = 12.0  # otherwise
    silent: float = SILENT_SECONDS
    first_word: float = 30.0  # a program that starts on a slow PC, at log-in
    first_pause: float = 1.0  # before a program is started anew; doubled each time
    most_pause: float = 30.0
    lacking_pause: float = 300.0  # what is not installed is not there a moment later
    good: float = 60.0  # a program that has lived so long starts with the first pause again


class Place:
    """One desktop, with or without a program in it."""

    def __init__(self, desktop: Desktop, control: DesktopControl, pace: Pace) -> None:
        self.desktop = desktop
        self._control = control
        self._pace = pace
        self._program: DesktopProgram | None = None
        self.link: SessionLink | None = None
        self._seen: Seen | None = None
        self._owned: tuple[Seen, frozenset[int]] | None = None
        self._fault = ""
        self._lacks: Blind | None = None
        self._heard = self._begun = self.due = 0.0
        self.failures = 0

    def begin(self, program: DesktopProgram, now: float) -> None:
        """Take the program that was started for it."""
        self._program, self._fault = program, ""
        self.link = SessionLink(program.link, self._pace.silent)
        self._begun, self._heard, self._seen = now, now, None

    def drop(self) -> DesktopProgram | None:
        """Give the program up, for its end; None when there is none."""
        program, self._program = self._program, None
        self.link, self._seen, self._fault = None, None, ""
        return program

    def failed(self, now: float) -> None:
        """Note that the program ended, or could not be started: when is it due again."""
        lived = self._program is not None and now - self._begun >= self._pace.good
        self.failures = 1 if lived else self.failures + 1
        pause = self._pace.first_pause * 2 ** min(self.failures - 1, 16)
        lacks = self._lacks in {Blind.NO_TKINTER, Blind.UNSEEN}
        self.due = now + (self._pace.lacking_pause if lacks else min(pause, self._pace.most_pause))

    def is_due(self, now: float) -> bool:
        """True when a program is to be started."""
        return self._program is None and bool(self.desktop.environment) and now >= self.due

    def why_to_end(self, now: float) -> str:
        """Return what is wrong with the program, "" when it does well or there is none."""
        if self._program is None or self._fault:
            return self._fault
        spoken = self._seen is not None
        if now - self._heard > (self._pace.silent if spoken else self._pace.first_word):
            return "it says nothing any more" if spoken else "it does not begin to speak"
        return ""

    def deadline(self, now: float) -> float:
        """Return when it is to be tended again, though nothing comes from it."""
        if self._program is None:
            return self.due if self.desktop.environment else now + self._pace.calm_look
        return self._heard + (self._pace.silent if self._seen else self._pace.first_word)

    def tell(self, message: object, now: float) -> None:
        """Send a message, if there is a program; one that does not take it is to be ended."""
        if self.link is not None and not self._fault:
            try:
                self.link.put(message, now)
            except BadDesktop as bad:
                self._fault = str(bad)

    def flush(self, now: float) -> None:
        """Send what is left of what was said before."""
        if self.link is not None and self.link.has_more and not self._fault:
            try:
                self.link.flush(now)
            except BadDesktop as bad:
                self._fault = str(bad)

    def hear(self, now: float) -> list[Said | CodeTyped]:
        """Return what the person there has said, and keep what the program sees."""
        if self.link is None or self._fault:
            return []
        try:
            messages = self.link.take(now)
        except BadDesktop as bad:
            self._fault = str(bad)
            return []
        for message in messages:
            self._keep(message, now)
        return [message for message in messages if isinstance(message, Said | CodeTyped)]

    def _keep(self, message: object, now: float) -> None:
        if isinstance(message, Seen):
            self._seen, self._heard, self._lacks = message, now, None
        elif isinstance(message, Lacks):
            self._lacks = message.what

    def seat(self, now: float) -> Seat:
        """Return who sits here, and what is seen of their windows."""
        desktop, seen = self.desktop, self._seen
        if seen is None or not seen.sees or now - self._heard > self._pace.silent:
            return Seat(desktop.session, desktop.user, desktop.active, blind=self._blind())
        owned = self._of_the_user(seen)
        return Seat(
            desktop.session,
            desktop.user,
            desktop.active,
            sees=True,
            windows=owned & frozenset(seen.windows + seen.asking),
            asking=owned & frozenset(seen.asking),
            idle_seconds=seen.idle_seconds,
        )

    def _of_the_user(self, seen: Seen) -> frozenset[int]:
        """Return those pids that are the user's own: of others this desktop tells nothing."""
        known = self._owned
        if known is None or (known[0].windows, known[0].asking) != (seen.windows, seen.asking):
            pids = set(seen.windows + seen.asking)
            known = self._owned = (seen, self._control.owned(self.desktop.user, pids))
        return known[1]

    def _blind(self) -> Blind | None:
        if self._seen is not None:
            return Blind.UNSEEN
        if self._lacks is not None:
            return self._lacks
        return Blind.NOT_RUNNING if self.failures > 1 or not self.desktop.environment else None
