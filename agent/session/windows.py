"""The notices of one desktop: at most one window a kind, renewed in place.

A notice that a person has put aside stays aside while it only counts down. It comes back when it
says something new, in the last minute before an app is closed, and, for an app that is kept
closed, each time it is opened: nothing else would tell why it went away again.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.session.messages import CodeTyped, Said
from agent.session.window import Answers, Desk, NoticeWindow
from agent.session.words import Press, plain, wording
from agent.wire.notices import Notice, NoticeKind, Outlook, Word

_LAST_CALL_SECONDS = 60.0
_HEARD_SECONDS = 10.0
"""How long an answer is taken as heard though the service has not acted on it."""
_GOOD_NEWS_SECONDS = 6.0
"""How long it can be read that a code was right, though nothing is closed any more."""
_LEAST_LEFT = 1.0
_SAYS_CLOSED = {
    NoticeKind.CLOSE,
    NoticeKind.CLOSED,
    NoticeKind.YOUR_TURN,
    NoticeKind.CLOSE_UPDATED,
}
_INSTEAD_OF = {
    NoticeKind.YOUR_TURN: {NoticeKind.CLOSE_UPDATED},
    NoticeKind.CLOSE_UPDATED: {NoticeKind.YOUR_TURN},
    NoticeKind.AVAILABLE: _SAYS_CLOSED,
}
"""What holds no longer for an app once this is said of it."""
_WORDS = {Press.DONE: Word.DONE, Press.LATER: Word.LATER, Press.OPEN: Word.OPEN}


@dataclass(slots=True)
class _Shown:
    window: NoticeWindow
    notice: Notice
    since: float = field(default_factory=time.monotonic)
    called: bool = False  # came back for the last minute
    heard_until: float = 0.0
    stays_until: float = 0.0  # what became of a code is to be read first
    hushed: bool = False

    def aged(self) -> Notice:
        """Return the notice as it is now: with less time left than when it came."""
        notice, gone = self.notice, time.monotonic() - self.since
        back = notice.outlook.back_in
        return replace(
            notice,
            seconds_left=max(0.0, notice.seconds_left - gone),
            outlook=replace(
                notice.outlook, back_in=max(_LEAST_LEFT, back - gone) if back else 0.0
            ),
        )


class Windows:
    """Every notice that is shown on this desktop."""

    def __init__(self, desk: Desk, say: Callable[[object], None]) -> None:
        self._desk = desk
        self._say = say
        self._shown: dict[NoticeKind, _Shown] = {}

    def show(self, notice: Notice) -> None:
        """Show this notice instead of the one of its kind."""
        shown = self._shown.get(notice.kind)
        if shown is None:
            answers = Answers(self._pressed, self._typed)
            shown = _Shown(NoticeWindow(self._desk, notice.kind, answers), notice)
            self._shown[notice.kind] = shown
            comes = True
        else:
            comes = notice.kind is NoticeKind.CLOSED or _news(notice) != _news(shown.notice)
            self._take_up(shown, notice)
        self._render(shown)
        if comes:
            shown.window.come_up()
        self._forget(notice.title, _INSTEAD_OF.get(notice.kind, set()))

    def _take_up(self, shown: _Shown, notice: Notice) -> None:
        old = shown.notice
        if (notice.postpones_left, notice.installed) != (old.postpones_left, old.installed):
            shown.heard_until = 0.0
        shown.called &= notice.seconds_left <= _LAST_CALL_SECONDS
        shown.hushed = False
        shown.notice, shown.since = notice, time.monotonic()

    def _forget(self, title: str, kinds: Collection[NoticeKind]) -> None:
        """Take away what was said of this app and holds no longer."""
        for kind, shown in list(self._shown.items()):
            if shown.notice.title == title and kind in kinds:
                self._shown.pop(kind).window.end()

    def hush(self) -> None:
        """Take every notice away, one where a code was typed once its outcome could be read."""
        for shown in self._shown.values():
            shown.hushed = True
        self._end_hushed()

    def _end_hushed(self) -> None:
        now = time.monotonic()
        for kind, shown in list(self._shown.items()):
            if shown.hushed and now >= shown.stays_until:
                self._shown.pop(kind).window.end()

    def tick(self) -> None:
        """Let every notice say how much time is left."""
        self._end_hushed()
        for shown in self._shown.values():
            self._render(shown)

    def _render(self, shown: _Shown) -> None:
        notice = shown.aged()
        heard = time.monotonic() < shown.heard_until
        shown.window.say(wording(notice, self._desk.tongue, datetime.now()))  # noqa: DTZ005 - as on the wall
        shown.window.allow(answers=not heard)
        if not heard:
            shown.window.reply("")
        if notice.kind is NoticeKind.CLOSE and notice.seconds_left <= _LAST_CALL_SECONDS:
            self._last_call(shown)

    def _last_call(self, shown: _Shown) -> None:
        if not shown.called:
            shown.called = True
            shown.window.come_up()

    def _pressed(self, kind: NoticeKind, press: Press) -> None:
        self._say(Said(_WORDS[press]))
        shown = self._shown[kind]
        if press is Press.OPEN:
            shown.window.put_aside()
            return
        shown.heard_until = time.monotonic() + _HEARD_SECONDS
        shown.window.reply(self._heard(press, shown.notice))
        shown.window.allow(answers=False)

    def _heard(self, press: Press, notice: Notice) -> str:
        say = self._desk.tongue.say
        if press is Press.LATER:
            return say("Noted: you have 5 more minutes.")
        if notice.kind is NoticeKind.YOUR_TURN:
            return say("Thank you. This is being checked.")
        app = plain(notice.title, 60)
        return say("Thank you. {title} is being closed; please answer if it asks.", title=app)

    def _typed(self, code: str) -> None:
        self._say(CodeTyped(code))
        if shown := self._shown.get(NoticeKind.CLOSED):
            shown.stays_until = time.monotonic() + _HEARD_SECONDS

    def judged(self, *, opened: bool, why: str) -> None:
        """Say what became of the code that was typed."""
        shown = self._shown.get(NoticeKind.CLOSED)
        if shown:
            shown.window.judged(opened=opened, why=plain(self._desk.tongue.known(why)))
            shown.hushed |= opened
            shown.stays_until = time.monotonic() + _GOOD_NEWS_SECONDS if opened else 0.0


def _news(notice: Notice) -> Notice:
    """Return what is said, but for what changes by itself."""
    return replace(notice, seconds_left=0.0, outlook=Outlook())
