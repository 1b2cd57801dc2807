"""The service's half and the desktop's, together: two screens, two languages, one host."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from agent.cordon_code import TOO_MANY
from agent.platforms.base import Process
from agent.platforms.linux import Linux
from agent.platforms.linux_desktops import LinuxDesktops
from agent.session.messages import CodeJudged
from agent.session.tops import Top
from agent.sessions import Sessions
from agent.wire.notices import Notice, NoticeKind, Outlook
from tests.desktop.people import Hands, app
from tests.desktop.screens import desktop
from tests.until import until

CLOSED = Notice(
    NoticeKind.CLOSED, "Office Maker", outlook=Outlook("PC-04", 3, 12, 1500), may_open=True
)


@dataclass
class Office:
    """One host with an English and a French screen, and a person at each."""

    people: Sessions
    english: Hands
    french: Hands
    typed: list[str] = field(default_factory=list)

    def judge(self, _user: str, code: str) -> CodeJudged:
        self.typed.append(code)
        return CodeJudged(False, TOO_MANY)


@contextmanager
def office() -> Iterator[Office]:
    with (
        desktop(language="en") as one,
        desktop(language="fr") as two,
        Hands(one) as english,
        Hands(two) as french,
    ):
        people = Sessions(LinuxDesktops([one, two]))
        here = Office(people, english, french)
        people.start(here.judge)
        try:
            until(lambda: [seat.sees for seat in people.seats()] == [True, True], 30, "two seats")
            yield here
        finally:
            people.close()


def notice_on(hands: Hands) -> Top:
    until(lambda: len(hands.screen.tops()) == 1, 20, "one notice")
    notice = hands.screen.tops()[0]
    hands.is_still(notice)
    return notice


def the_app(pid: int) -> Process:
    return next(process for process in Linux().processes() if process.pid == pid)


def test_one_notice_is_said_to_each_in_their_own_language_and_answered_by_each() -> None:
    with office() as here:
        here.people.show(CLOSED)
        english, french = notice_on(here.english), notice_on(here.french)
        assert "workstation 3 of 12" in here.english.text(english, "both-en")
        assert "poste 3 sur 12" in here.french.text(french, "both-fr", "fr")

        here.french.change(french, lambda: here.french.click_button(french, 0))
        here.french.activate(french)
        here.french.press("q", "7", "Return")
        until(lambda: here.typed == ["q7"], 20, "the code reaches the service")
        until(lambda: "Trop de codes" in here.french.text(french, "refused-fr", "fr"), 30)

        here.people.hush()
        until(lambda: not here.english.screen.tops() and not here.french.screen.tops(), 20)


def test_who_wants_the_app_opened_again_is_told_from_who_does_not() -> None:
    with office() as here:
        opened: list[str] = []
        for seat in here.people.seats():
            here.people.offer(seat.session, seat.user, partial(opened.append, seat.session))
        here.people.show(Notice(NoticeKind.AVAILABLE, "Office Maker"))
        wanting, content = notice_on(here.french), notice_on(here.english)
        here.english.click_button(content, 0)
        until(lambda: not here.english.screen.tops(), 20)
        here.french.click_button(wanting, 1)
        until(lambda: opened, 20, "it is opened")
        assert [session.endswith(here.french.display) for session in opened] == [True]


def test_a_program_is_seen_in_the_session_it_is_in_and_closed_there() -> None:
    with office() as here, app(here.french.display) as process:
        until(lambda: [process.pid in s.windows for s in here.people.seats()].count(True) == 1, 20)
        here.people.close_windows([the_app(process.pid)])
        assert process.wait(20) == 0
        until(lambda: not any(process.pid in seat.windows for seat in here.people.seats()), 20)
