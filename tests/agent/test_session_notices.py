"""Which notices stand: for whom, until when, and what is news."""

from dataclasses import replace

from agent.session_notices import Notices
from agent.wire.notices import Notice, NoticeKind, Outlook

CLOSE = Notice(NoticeKind.CLOSE, "Bench App", seconds_left=60.0, postpones_left=1)
CLOSED = Notice(NoticeKind.CLOSED, "Bench App", outlook=Outlook("PC-04", 3, 12, back_in=600.0))
AVAILABLE = Notice(NoticeKind.AVAILABLE, "Bench App")


def kinds(notices: Notices, session: str, now: float) -> list[NoticeKind]:
    return [notice.kind for notice in notices.of(session, now)]


def test_a_notice_for_all_stands_in_every_session() -> None:
    notices = Notices()
    assert notices.put(CLOSED, (), 0.0)
    assert kinds(notices, "3", 1.0) == kinds(notices, "4", 1.0) == [NoticeKind.CLOSED]


def test_a_notice_for_some_stands_there_only() -> None:
    notices = Notices()
    notices.put(CLOSE, ("3",), 0.0)
    assert kinds(notices, "3", 1.0) == [NoticeKind.CLOSE]
    assert kinds(notices, "4", 1.0) == []


def test_a_later_program_is_told_the_time_that_is_left() -> None:
    notices = Notices()
    notices.put(CLOSE, (), 100.0)
    notices.put(CLOSED, (), 100.0)
    close, closed = notices.of("3", 120.0)
    assert close.seconds_left == 40.0
    assert closed.outlook.back_in == 580.0


def test_a_countdown_that_is_over_stands_no_more() -> None:
    notices = Notices()
    notices.put(CLOSE, (), 100.0)
    assert notices.of("3", 161.0) == []


def test_that_the_app_is_available_is_no_news_an_hour_later() -> None:
    notices = Notices()
    notices.put(AVAILABLE, (), 0.0)
    assert notices.of("3", 3500.0) == [AVAILABLE]
    assert notices.of("3", 3700.0) == []


def test_a_notice_that_only_counts_down_is_news_once_a_second() -> None:
    notices = Notices()
    assert notices.put(CLOSE, (), 0.0)
    assert not notices.put(replace(CLOSE, seconds_left=59.5), (), 0.5)
    assert notices.put(replace(CLOSE, seconds_left=59.0), (), 1.0)


def test_a_notice_that_says_something_else_is_news_at_once() -> None:
    notices = Notices()
    notices.put(CLOSE, (), 0.0)
    assert notices.put(replace(CLOSE, seconds_left=360.0, postpones_left=0), (), 0.1)


def test_a_loop_of_relaunches_is_told_once_a_second() -> None:
    notices = Notices()
    assert sum(notices.put(CLOSED, (), number / 100) for number in range(500)) == 5


def test_the_latest_of_a_kind_stands_whoever_it_was_for() -> None:
    notices = Notices()
    notices.put(CLOSE, ("3",), 0.0)
    notices.put(replace(CLOSE, message="all"), (), 2.0)
    assert [notice.message for notice in notices.of("3", 2.0)] == ["all"]
    notices.put(replace(CLOSE, message="you"), ("3",), 4.0)
    assert [notice.message for notice in notices.of("3", 4.0)] == ["you"]


def test_a_notice_is_taken_away_from_all() -> None:
    notices = Notices()
    notices.put(CLOSE, ("3",), 0.0)
    notices.put(CLOSED, (), 0.0)
    notices.take_away((), 1.0)
    assert kinds(notices, "3", 1.0) == []


def test_a_notice_is_taken_away_in_one_session_and_stands_in_the_others() -> None:
    notices = Notices()
    notices.put(CLOSED, (), 0.0)
    notices.put(CLOSE, ("3", "4"), 0.0)
    notices.take_away(("3",), 1.0)
    assert kinds(notices, "3", 2.0) == []
    assert kinds(notices, "4", 2.0) == [NoticeKind.CLOSED, NoticeKind.CLOSE]
    notices.put(CLOSED, (), 3.0)
    assert kinds(notices, "3", 3.0) == [NoticeKind.CLOSED]


def test_what_stood_in_a_session_that_has_ended_is_forgotten() -> None:
    notices = Notices()
    notices.put(CLOSE, ("3", "4"), 0.0)
    notices.take_away(("5",), 0.0)
    notices.keep({"4"}, 0.5)
    assert kinds(notices, "3", 1.0) == []
    assert kinds(notices, "4", 1.0) == [NoticeKind.CLOSE]


def test_what_is_over_is_forgotten() -> None:
    notices = Notices()
    notices.put(CLOSE, (), 0.0)
    notices.keep({"3"}, 50.0)
    assert notices.of("3", 50.0)
    notices.keep({"3"}, 100.0)
    assert notices.of("3", 50.0) == []
