import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from coordinator.planning.window import Span, Window, Within, later_today, rest_of_day

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")


def _at(text: str, zone: ZoneInfo = PARIS) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def _said(span: Span, zone: ZoneInfo = PARIS) -> tuple[str, str]:
    opens, closes = (datetime.fromtimestamp(t, zone) for t in (span.opens, span.closes))
    return f"{opens:%m-%d %H:%M}", f"{closes:%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("window", "now", "opens", "closes"),
    [
        ("12:00-14:00", "2026-03-10 09:00", "03-10 12:00", "03-10 14:00"),
        ("12:00-14:00", "2026-03-10 13:00", "03-10 12:00", "03-10 14:00"),
        ("12:00-14:00", "2026-03-10 14:00", "03-11 12:00", "03-11 14:00"),
        ("12:00-14:00", "2026-12-31 15:00", "01-01 12:00", "01-01 14:00"),
        ("22:00-02:00", "2026-03-10 21:00", "03-10 22:00", "03-11 02:00"),
        ("22:00-02:00", "2026-03-10 23:30", "03-10 22:00", "03-11 02:00"),
        ("22:00-02:00", "2026-03-11 01:59", "03-10 22:00", "03-11 02:00"),
        ("22:00-02:00", "2026-03-11 02:00", "03-11 22:00", "03-12 02:00"),
        ("18:00-00:00", "2026-03-10 19:00", "03-10 18:00", "03-11 00:00"),
    ],
)
def test_the_window_is_the_one_open_now_or_the_next(
    window: str, now: str, opens: str, closes: str
) -> None:
    assert _said(Window.parse(window).span(_at(now), PARIS)) == (opens, closes)


@pytest.mark.parametrize(
    ("zone", "day", "window", "hours"),
    [
        (PARIS, "2026-03-28 20:00", "22:00-06:00", 7),  # the clock goes forward in the night
        (PARIS, "2026-10-24 20:00", "22:00-06:00", 9),  # and back
        (PARIS, "2026-03-29 00:30", "01:00-04:00", 2),
        (PARIS, "2026-10-25 00:30", "01:00-04:00", 4),
        (PARIS, "2026-03-29 00:30", "12:00-14:00", 2),
        (NEW_YORK, "2026-03-07 20:00", "22:00-06:00", 7),
        (NEW_YORK, "2026-10-31 20:00", "22:00-06:00", 9),
        (KOLKATA, "2026-03-28 20:00", "22:00-06:00", 8),
    ],
)
def test_a_window_keeps_its_clock_times_when_the_clock_is_changed(
    zone: ZoneInfo, day: str, window: str, hours: float
) -> None:
    span = Window.parse(window).span(_at(day, zone), zone)
    assert span.closes - span.opens == hours * 3600
    opens, closes = (text[6:] for text in _said(span, zone))
    assert f"{opens}-{closes}" == window


@pytest.fixture
def in_paris() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Paris"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("in_paris")
@pytest.mark.parametrize("day", ["2026-03-29 00:30", "2026-10-25 00:30", "2026-07-01 09:00"])
def test_without_a_zone_it_is_this_machines_with_its_changes_of_clock(day: str) -> None:
    now, window = _at(day), Window.parse("12:00-14:00")
    assert window.span(now, None) == window.span(now, PARIS)
    assert rest_of_day(now, None) == rest_of_day(now, PARIS)
    assert later_today("17:30", now, None) == later_today("17:30", now, PARIS)


@pytest.mark.parametrize(
    "text",
    ["", "12-14", "12:00", "12:00-12:00", "24:00-02:00", "12:60-14:00", "noon-14:00",
     "12:00 to 14:00", "12:00-14:00 ", "1:00-2:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="cannot use the window"):
        Window.parse(text)


def test_within_begins_now() -> None:
    assert Within(90).span(1000.0, PARIS) == Span(1000.0, 1090.0)


@pytest.mark.parametrize(
    ("now", "hours"),
    [("2026-03-10 09:00", 15), ("2026-03-29 00:00", 23), ("2026-10-25 00:00", 25)],
)
def test_the_day_ends_at_midnight_however_long_it_is(now: str, hours: float) -> None:
    span = rest_of_day(_at(now), PARIS)
    assert span.closes - span.opens == hours * 3600


def test_a_deadline_is_later_on_the_same_day() -> None:
    now = _at("2026-03-10 16:00")
    assert later_today("17:30", now, PARIS) == now + 5400


@pytest.mark.parametrize("text", ["15:59", "16:00", "00:30"])
def test_a_deadline_that_is_past_is_never_moved_to_tomorrow(text: str) -> None:
    with pytest.raises(ValueError, match=f"{text}: it is past, and tomorrow is another day"):
        later_today(text, _at("2026-03-10 16:00"), PARIS)


@pytest.mark.parametrize("text", ["", "1730", "5:30", "25:00", "17:30:00", "tomorrow"])
def test_what_is_no_time_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="cannot use the time"):
        later_today(text, 0.0, UTC)
