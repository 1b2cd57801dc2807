"""Who has touched neither keyboard nor mouse for a while: what the drain does there, and says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import PrintJob
from agent.steps.away import seats_now
from agent.steps.drain import drain
from agent.steps.table import Refused, Seat
from agent.wire.contract import STILL_IN, StepName
from agent.wire.notices import Word
from agent.wire.profile import Unattended, Windowless
from tests.steps.bench import Bench, SmallPeople, SmallWork
from tests.steps.desk import DeskBench

_MINUTES = 10
_AWAY = _MINUTES * 60.0
_GRACE = 80.0


@pytest.fixture
def office(tmp_path: Path) -> Iterator[DeskBench]:
    """A host with people at their desktops, and a profile that takes who does nothing for away."""
    made = DeskBench(tmp_path)
    made.people_at_it()
    _close(made)
    yield made
    made.close()


def _close(bench: Bench, **changes: object) -> None:
    given = {"away_minutes": _MINUTES} | changes
    close = replace(bench.profile.close, **given)  # type: ignore[arg-type]
    bench.profile = replace(bench.profile, close=close)


class _Day:
    """One drain, and what was seen of it on its way."""

    def __init__(self, office: DeskBench) -> None:
        self.office = office
        self.child = office.open_app()
        self.work: SmallWork = office.work(StepName.DRAIN, grace_seconds=_GRACE, postpones=1)
        self.seen: list[tuple[bool, str]] = []

    def look_after(self, *moments: float) -> None:
        for moment in moments:
            self.office.desk.later(moment, self._look)

    def _look(self) -> None:
        self.seen.append((self.child.poll() is None, self.work.facts[STILL_IN]))

    @property
    def was_open(self) -> list[bool]:
        return [is_open for is_open, _ in self.seen]


def test_who_is_away_is_told_first_and_then_closed_politely_while_others_have_their_time(
    office: DeskBench,
) -> None:
    day, desk = _Day(office), office.desk
    other = office.open_app()
    desk.sit("s1", day.child.pid, idle=_AWAY)
    desk.sit("s2", other.pid, idle=_AWAY - 1)
    day.look_after(20.0, 50.0)
    open_later = list[bool]()
    desk.later(70.0, lambda: open_later.append(other.poll() is None))

    drain(day.work)

    user = desk.platform_user()
    said = f"2 sessions: {user} (session s1, away), {user} (session s2)"
    assert day.seen == [(True, said), (False, user)]
    assert open_later == [True]
    assert desk.asked_to_close == [day.child.pid, other.pid]
    assert desk.told("s1")
    assert day.work.facts["closed_by"] == "window 2"


@pytest.mark.parametrize("minutes", [0, _MINUTES + 1])
def test_nobody_is_away_by_another_measure_than_the_profiles(
    office: DeskBench, minutes: int
) -> None:
    _close(office, away_minutes=minutes)
    day = _Day(office)
    office.desk.sit("s1", day.child.pid, idle=_AWAY)
    day.look_after(70.0)

    drain(day.work)

    assert day.seen == [(True, office.desk.platform_user())]


def test_a_question_about_unsaved_work_is_left_for_its_person_as_long_as_people_have_time(
    office: DeskBench,
) -> None:
    office.profile = replace(office.profile, app=replace(office.profile.app, kill=True))
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid, idle=_AWAY)
    desk.ask.add(day.child.pid)
    day.look_after(75.0)

    drain(day.work)

    assert day.seen == [(True, f"{desk.platform_user()} (asks a question, away)")]
    assert desk.asked_to_close == [day.child.pid]
    assert min(seconds for seconds, _ in desk.told("s1")) < 15  # the countdown stays in sight
    assert day.work.facts["closed_by"] == "terminate 1"


def test_what_does_not_close_is_not_forced_while_its_person_is_away_and_has_time(
    office: DeskBench,
) -> None:
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid, idle=_AWAY)
    desk.deaf.add(day.child.pid)
    day.look_after(75.0)

    drain(day.work)

    assert day.was_open == [True]
    assert day.work.facts["closed_by"] == "terminate 1"


def test_who_moves_the_mouse_when_the_notice_comes_up_keeps_the_app_open(
    office: DeskBench,
) -> None:
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid, idle=_AWAY)
    desk.later(20.0, lambda: desk.touches("s1"))
    day.look_after(15.0, 70.0)

    drain(day.work)

    user = desk.platform_user()
    assert day.seen == [(True, f"{user} (away)"), (True, user)]
    assert desk.asked_to_close == [day.child.pid]


def test_who_comes_back_to_the_question_and_goes_on_working_has_all_of_the_time(
    office: DeskBench,
) -> None:
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid, idle=_AWAY)
    desk.ask.add(day.child.pid)
    desk.later(40.0, lambda: desk.touches("s1"))
    desk.later(44.0, lambda: desk.asks(day.child.pid, now=False))
    desk.later(48.0, desk.ask.clear)  # the work is saved by now
    day.look_after(70.0)

    drain(day.work)

    assert day.seen == [(True, desk.platform_user())]
    assert desk.asked_to_close == [day.child.pid] * 2
    assert day.work.facts["closed_by"] == "window 1"  # asked anew, politely


def test_who_asked_for_more_time_and_went_away_has_it(office: DeskBench) -> None:
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid)
    desk.says("s1", Word.LATER, after=5.0)
    desk.later(10.0, lambda: desk.sit("s1", day.child.pid, idle=_AWAY))
    day.look_after(60.0, 90.0)
    desk.later(92.0, day.child.kill)

    drain(day.work)

    assert day.was_open == [True, True]


def test_who_prints_or_runs_something_unseen_is_waited_for_though_away(office: DeskBench) -> None:
    _close(office, windowless=Windowless.END)
    day, desk = _Day(office), office.desk
    import_ = office.open_app()
    desk.sit("s1", day.child.pid, idle=_AWAY)
    office.printers.jobs.append(PrintJob(desk.platform_user(), "Laser-42"))
    day.look_after(70.0)
    desk.later(70.0, lambda: day.seen.append((import_.poll() is None, "")))

    drain(day.work)

    assert day.was_open == [True, True]


def test_where_the_profile_says_so_the_app_is_left_open_for_who_is_away(office: DeskBench) -> None:
    _close(office, unattended=Unattended.ASK)
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid, idle=_AWAY)

    with pytest.raises(Refused, match="locked, disconnected or away: close it there"):
        drain(day.work)

    assert day.child.poll() is None
    assert desk.asked_to_close == []
    assert day.work.facts[STILL_IN].endswith("(away)")


def test_one_of_two_desktops_with_somebody_at_it_is_enough(office: DeskBench) -> None:
    day, desk = _Day(office), office.desk
    desk.sit("s1", day.child.pid, idle=_AWAY)
    desk.sit("s2", day.child.pid)  # the same program shows a window at both
    day.look_after(70.0)

    drain(day.work)

    assert day.seen == [(True, desk.platform_user())]


def test_whether_somebody_is_away_is_told_and_never_for_how_long(bench: Bench) -> None:
    _close(bench)
    seats = [
        Seat("s1", "marie", active=True, sees=True, idle_seconds=_AWAY),
        Seat("s2", "paul", active=True, sees=True, idle_seconds=_AWAY - 0.1),
        Seat("s3", "lea", active=False, sees=True, idle_seconds=3.0),
    ]
    bench.people = SmallPeople(at=seats)

    told = seats_now(bench.work())

    assert [(seat.away, seat.active) for seat in told] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert {seat.idle_seconds for seat in told} == {0.0}
