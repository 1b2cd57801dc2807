"""What a notice says, and what can be answered, in the language of its session.

Pure. A text that came from elsewhere (a title, an operator's message) is only ever a value that
is filled in, and `plain` takes out what would not be shown as text.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from agent.session.language import Tongue
from agent.session.when import about, countdown, span
from agent.wire.notices import Notice, NoticeKind, Outlook

_LONGEST_NAME = 60
_SOON = 60.0
"""An estimate nearer than this many seconds is said as "a few minutes"."""


class Press(Enum):
    """A button."""

    DONE = auto()
    LATER = auto()
    OPEN = auto()
    OK = auto()
    CODE = auto()  # shows what is at stake, then where a code is typed


@dataclass(frozen=True, slots=True)
class Wording:
    """One notice, in words."""

    heading: str
    lines: tuple[str, ...] = ()
    message: str = ""
    countdown: str = ""
    buttons: tuple[tuple[Press, str], ...] = ()  # the most likely one last


def plain(text: str, most: int = 500) -> str:
    """Return the text as it may be drawn: no controls, no colored pictures, not too long."""
    drawn = "".join(character if _is_drawn(character) else " " for character in text)
    whole = drawn.strip(" ")
    return whole if len(whole) <= most else whole[: most - 1].rstrip() + "…"


def _is_drawn(character: str) -> bool:
    # Tk 8.6 may end the whole program over a picture in color
    kind = unicodedata.category(character)
    return kind[0] not in "C" and kind not in {"Zl", "Zp"} and ord(character) <= 0xFFFF


def wording(notice: Notice, tongue: Tongue, now: datetime) -> Wording:
    """Return what the notice says when it is `now` on the session's clock."""
    return _Words(notice, tongue, now).all()


class _Words:
    def __init__(self, notice: Notice, tongue: Tongue, now: datetime) -> None:
        self._notice = notice
        self._tongue = tongue
        self._now = now
        self._app = {"title": plain(notice.title, _LONGEST_NAME)}
        self._new = self._app | {"version": plain(notice.version)}

    def all(self) -> Wording:
        kinds: dict[NoticeKind, Callable[[], Wording]] = {
            NoticeKind.AHEAD: self._ahead,
            NoticeKind.CLOSE: self._close,
            NoticeKind.CLOSED: self._closed,
            NoticeKind.YOUR_TURN: self._your_turn,
            NoticeKind.CLOSE_UPDATED: self._close_updated,
            NoticeKind.AVAILABLE: self._available,
        }
        return kinds[self._notice.kind]()

    def _ahead(self) -> Wording:
        say = self._tongue.say
        heading = (
            say("{title} will be closed for a drill", **self._app)
            if self._notice.drill
            else say("{title} will be updated", **self._app)
        )
        lines = (self._begins(), self._takes(), say("Please save your work before then."))
        return self._worded(heading, lines)

    def _begins(self) -> str:
        say, seconds = self._tongue.say, self._notice.seconds_left
        if self._notice.drill:
            return (
                say("The drill begins {when}, in {span}.", **self._when(seconds))
                if seconds
                else say("The drill begins in a moment.")
            )
        if seconds:
            return say("The update begins {when}, in {span}.", **self._when(seconds))
        return say("The update begins in a moment.")

    def _close(self) -> Wording:
        say, notice = self._tongue.say, self._notice
        lines = (self._comes(), self._takes())
        heading = say("Please save your work and close {title}", **self._app)
        left = countdown(notice.seconds_left) if notice.seconds_left else say("Closing now")
        return self._worded(heading, lines, self._answers(), left)

    def _comes(self) -> str:
        say = self._tongue.say
        if self._notice.drill:
            return say("A drill is about to begin: nothing is updated.")
        if self._notice.version:
            return say("An update to version {version} is about to begin.", **self._new)
        return say("An update is about to begin.")

    def _answers(self) -> tuple[tuple[Press, str], ...]:
        left = self._notice.postpones_left
        later = self._tongue.many(
            "5 more minutes ({count} left)", "5 more minutes ({count} left)", left
        )
        done = (Press.DONE, self._tongue.say("I am done"))
        return ((Press.LATER, later), done) if left else (done,)

    def _closed(self) -> Wording:
        say = self._tongue.say
        until = (
            say("Please leave it closed until then.")
            if self._notice.outlook.back_in
            else say("Please leave it closed until it is done; you will be told.")
        )
        lines = (self._running(), until)
        code = ((Press.CODE, say("I have a code")),) if self._notice.may_open else ()
        return self._worded(
            say("{title} is being updated", **self._app), lines, (*code, self._ok())
        )

    def _running(self) -> str:
        say, back = self._tongue.say, self._notice.outlook.back_in
        where = self._where(self._notice.outlook)
        if not back:
            return say("{where}.", where=where)
        if back <= _SOON:
            return say("{where}, back in a few minutes.", where=where)
        return say("{where}, back {when} (in {span}).", where=where, **self._when(back))

    def _where(self, outlook: Outlook) -> str:
        say, name = self._tongue.say, plain(outlook.updating)
        if not name:
            return say("The update is running")
        if not (outlook.number and outlook.of):
            return say("Update running on {name}", name=name)
        counted = {"number": outlook.number, "of": outlook.of}
        return say("Update running on {name}, workstation {number} of {of}", name=name, **counted)

    def _your_turn(self) -> Wording:
        say, notice = self._tongue.say, self._notice
        installed = plain(notice.installed)
        lines = (
            say("It is not done yet: version {installed} is still here.", installed=installed)
            if installed
            else "",
            say("Open it, and start the update to version {version} from inside.", **self._new)
            if notice.version
            else say("Open it, and start its update from inside."),
            say("Please be done {when} (in {span}).", **self._when(notice.seconds_left))
            if notice.seconds_left
            else "",
            say("The other workstations are waiting for yours."),
        )
        done = ((Press.DONE, say("I am done")),)
        return self._worded(say("Your turn: update {title}", **self._app), lines, done)

    def _close_updated(self) -> Wording:
        say, back = self._tongue.say, self._notice.outlook.back_in
        lines = (
            say("Please close it once more, so that the next workstation can be updated."),
            say("It can be opened again {when} (in {span}).", **self._when(back)) if back else "",
        )
        done = ((Press.DONE, say("I am done")),)
        return self._worded(say("Thank you: {title} is updated here", **self._app), lines, done)

    def _available(self) -> Wording:
        say = self._tongue.say
        lines = (self._now_has(), say("Thank you for waiting."))
        heading = say("{title} can be opened again", **self._app)
        buttons = (self._ok(), (Press.OPEN, say("Open")))
        return self._worded(heading, lines, buttons)

    def _now_has(self) -> str:
        if self._notice.drill:
            return self._tongue.say("This was a drill: nothing was updated.")
        version = self._notice.version
        return self._tongue.say("It now has version {version}.", **self._new) if version else ""

    def _takes(self) -> str:
        notice = self._notice
        if not notice.takes:
            return ""
        length = span(self._tongue, notice.takes)
        back = about(self._tongue, self._now, notice.seconds_left + notice.takes)
        return self._tongue.say(
            "{title} will stay closed for about {length}, until {back}.",
            length=length,
            back=back,
            **self._app,
        )

    def _when(self, seconds: float) -> dict[str, str]:
        when = about(self._tongue, self._now, seconds)
        return {"when": when, "span": span(self._tongue, seconds)}

    def _ok(self) -> tuple[Press, str]:
        return Press.OK, self._tongue.say("OK")

    def _worded(
        self,
        heading: str,
        lines: tuple[str, ...],
        buttons: tuple[tuple[Press, str], ...] = (),
        left: str = "",
    ) -> Wording:
        asked = self._notice.asked_by
        by = self._tongue.say("Asked for by {name}.", name=plain(asked)) if asked else ""
        said = tuple(line for line in (*lines, by) if line)
        return Wording(heading, said, plain(self._notice.message), left, buttons or (self._ok(),))
