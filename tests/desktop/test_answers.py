"""What a person does with a notice: answers it, puts it aside, types a code, or types on."""

import subprocess
from dataclasses import replace

import pytest

from agent.session.messages import CodeJudged, CodeTyped, Hush, Said
from agent.session.tops import Top
from agent.wire.notices import Notice, NoticeKind, Outlook, Word
from tests.desktop.people import Hands, Service, app
from tests.desktop.screens import picture, text_of
from tests.until import until

CLOSE = Notice(NoticeKind.CLOSE, "Office Maker", seconds_left=300, postpones_left=2)
CLOSED = Notice(NoticeKind.CLOSED, "Office Maker", outlook=Outlook("PC-04", 3, 12, 1500))
AHEAD = Notice(NoticeKind.AHEAD, "Office Maker", seconds_left=7200)
AVAILABLE = Notice(NoticeKind.AVAILABLE, "Office Maker")


def put_aside(hands: Hands, service: Service, button: int = 0) -> None:
    hands.click_button(hands.notice(service), button)
    until(lambda: not hands.notices(service))


def code_asked_for(hands: Hands, service: Service) -> Top:
    service.show(replace(CLOSED, may_open=True))
    window = hands.notice(service)
    hands.change(window, lambda: hands.click_button(window, 0))
    hands.activate(window)
    return window


def test_i_am_done_is_said_once_and_heard(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(CLOSE)
        window = hands.notice(service)
        hands.click_button(window, 1)
        assert service.hear(Said) == Said(Word.DONE)
        hands.is_still(window)
        assert "being closed" in text_of(picture(display, "done-en", window.id))
        hands.click_button(window, 0)  # they wait now
        service.send(Hush())
        until(lambda: not hands.notices(service))
        service.show(replace(CLOSE, postpones_left=0))
        hands.click_button(hands.notice(service), 0)
        assert service.hear(Said) == Said(Word.DONE)


@pytest.mark.parametrize(("language", "left"), [("en", "1 left"), ("fr", "encore 1 fois")])
def test_five_more_minutes_are_asked_for_and_renewed(
    language: str, left: str, display: str, hands: Hands
) -> None:
    with Service(display, language) as service:
        service.show(CLOSE)
        window = hands.notice(service)
        hands.click_button(window, 0)
        assert service.hear(Said) == Said(Word.LATER)
        fewer = replace(CLOSE, seconds_left=600, postpones_left=1)
        hands.change(window, lambda: service.show(fewer))
        assert left in hands.text(window, f"postponed-{language}", language)
        hands.click_button(window, 0)
        assert service.hear(Said) == Said(Word.LATER)
        service.show(replace(CLOSE, seconds_left=900, postpones_left=0))
        until(lambda: len(hands.buttons(window.id)) == 1)


def test_an_available_app_is_opened_for_whoever_asks(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(AVAILABLE)
        put_aside(hands, service, 1)
        assert service.hear(Said) == Said(Word.OPEN)


def test_a_notice_is_answered_from_the_keyboard_alone(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(CLOSE)
        window = hands.notice(service)
        hands.activate(window)
        hands.press("Tab", "Return")  # from "I am done" round to "5 more minutes"
        assert service.hear(Said) == Said(Word.LATER)
        hands.press("Escape")
        until(lambda: not hands.notices(service))


def test_a_notice_never_takes_the_keyboard_from_somebody_who_types(
    display: str, hands: Hands
) -> None:
    with app(display) as editor, Service(display) as service:
        mine = hands.window_of(editor)
        hands.activate(mine)
        for notice in (AHEAD, CLOSE, CLOSED, AVAILABLE):
            service.show(notice)
            until(lambda: hands.notices(service))
            hands.press("x")
            assert typed(editor) == "x"
            assert hands.focused() == mine.id
            service.send(Hush())
            until(lambda: not hands.notices(service))


def typed(editor: "subprocess.Popen[bytes]") -> str:
    assert editor.stdout
    words = editor.stdout.readline().decode().split()
    return words[1] if words[0] == "key" else typed(editor)


def test_a_notice_stays_above_the_window_that_is_worked_in(display: str, hands: Hands) -> None:
    with app(display) as editor, Service(display) as service:
        service.show(CLOSED)
        notice = hands.notice(service)
        hands.activate(hands.window_of(editor))
        assert hands.highest() == notice.id


def test_a_notice_put_aside_stays_so_while_only_its_time_runs(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(AHEAD)
        put_aside(hands, service)
        service.show(replace(AHEAD, seconds_left=7000))
        service.show(AVAILABLE)  # comes after it, and comes up
        hands.is_still(hands.notice(service))
        assert len(hands.notices(service)) == 1
        service.show(replace(AHEAD, message="Earlier than planned."))
        until(lambda: len(hands.notices(service)) == 2)


def test_a_notice_to_close_comes_back_for_the_last_minute(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(replace(CLOSE, seconds_left=61.5))
        window = hands.notice(service)
        hands.activate(window)
        hands.press("Escape")
        until(lambda: not hands.notices(service))
        until(lambda: hands.notices(service))


def test_a_closed_app_says_so_each_time_it_is_opened(display: str, hands: Hands) -> None:
    with Service(display) as service:
        for _ in range(3):
            service.show(CLOSED)
            put_aside(hands, service)


def test_a_flood_of_notices_is_one_window(display: str, hands: Hands) -> None:
    with Service(display) as service:
        for seconds in range(2000, 0, -1):
            service.show(replace(CLOSED, outlook=Outlook("PC-04", 3, 12, float(seconds))))
        hands.is_still(hands.notice(service))
        assert len(hands.notices(service)) == 1
        put_aside(hands, service)


def test_there_is_one_window_of_each_kind_and_hush_takes_all_away(
    display: str, hands: Hands
) -> None:
    with Service(display) as service:
        for notice in (AHEAD, CLOSE, CLOSED, AHEAD, CLOSE, CLOSED):
            service.show(notice)
        until(lambda: len(hands.notices(service)) == 3)
        service.send(Hush())
        until(lambda: not hands.notices(service))


def test_an_app_that_is_open_again_is_not_called_closed_any_more(
    display: str, hands: Hands
) -> None:
    with Service(display) as service:
        service.show(CLOSED)
        service.show(replace(CLOSE, title="Another app"))
        until(lambda: len(hands.notices(service)) == 2)
        service.show(AVAILABLE)
        service.show(AHEAD)
        until(lambda: len(hands.notices(service)) == 3)


def test_whose_turn_is_over_is_not_told_that_it_goes_on(display: str, hands: Hands) -> None:
    with Service(display) as service:
        service.show(Notice(NoticeKind.YOUR_TURN, "Office Maker"))
        turn = hands.notice(service)
        service.show(Notice(NoticeKind.CLOSE_UPDATED, "Office Maker"))
        until(lambda: turn not in hands.notices(service) and hands.notices(service))
        thanks = hands.notice(service)
        service.show(Notice(NoticeKind.YOUR_TURN, "Office Maker"))
        until(lambda: thanks not in hands.notices(service) and hands.notices(service))


def test_a_code_is_typed_and_its_outcome_told(display: str, hands: Hands) -> None:
    with Service(display) as service:
        window = code_asked_for(hands, service)
        hands.press("a", "b", "c", "1")
        service.show(replace(CLOSED, may_open=True, outlook=Outlook("PC-05", 4, 12, 1200)))
        hands.press("2", "Return")  # a renewal in between loses nothing
        assert service.hear(CodeTyped) == CodeTyped("abc12")
        hands.change(window, lambda: service.send(CodeJudged(opened=True)))
        assert "The code is right" in text_of(picture(display, "code-right-en", window.id))


def test_that_a_code_was_right_can_be_read_though_nothing_is_closed_any_more(
    display: str, hands: Hands
) -> None:
    with Service(display, "fr") as service:
        window = code_asked_for(hands, service)
        hands.press("a", "b", "Return")
        assert service.hear(CodeTyped) == CodeTyped("ab")
        service.send(Hush())  # it is open from here on, and its notices gone
        hands.change(window, lambda: service.send(CodeJudged(opened=True)))
        assert "Le code est bon" in text_of(picture(display, "code-right-fr", window.id), "fr")
        until(lambda: not hands.notices(service), 20, "it goes by itself")


def test_a_code_that_was_wrong_keeps_no_notice_that_was_taken_away(
    display: str, hands: Hands
) -> None:
    with Service(display) as service:
        code_asked_for(hands, service)
        hands.press("a", "b", "Return")
        assert service.hear(CodeTyped) == CodeTyped("ab")
        service.send(Hush())
        service.send(CodeJudged(opened=False, why="no"))
        until(lambda: not hands.notices(service))


def test_an_empty_code_is_not_sent(display: str, hands: Hands) -> None:
    with Service(display) as service:
        code_asked_for(hands, service)
        hands.press("Return", "space", "Return", "x", "Return")
        assert service.hear(CodeTyped) == CodeTyped("x")
