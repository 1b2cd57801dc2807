from datetime import UTC, datetime

import pytest

from agent.wire.contract import Severity
from coordinator.planning.announce import Ahead, announce_findings, moments
from coordinator.planning.plan import make_plan
from tests.planning.office import NOW, make_basis, make_host, make_request

OPENS = datetime(2026, 3, 12, 12, 0, tzinfo=UTC).timestamp()


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("day-before 16:00", "11 16:00"),
        ("day-before 00:00", "11 00:00"),
        ("morning 08:00", "12 08:00"),
        ("start", "12 12:00"),
    ],
)
def test_a_moment_is_told_in_a_few_words(text: str, when: str) -> None:
    assert _clock(Ahead.parse(text).moment(OPENS, UTC)) == when


@pytest.mark.parametrize(
    "text",
    ["", "morning", "day-before", "morning 8:00", "morning 24:00", "evening 18:00", "Start",
     "morning  08:00", "day-before 16:00\n", "start 08:00", "12:00"],
)  # fmt: skip
def test_anything_else_is_refused_with_how_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="write it as day-before 16:00, morning 08:00 or start"):
        Ahead.parse(text)


def test_moments_are_in_order_each_once_and_none_is_past_or_after_the_opening() -> None:
    texts = ["start", "morning 08:00", "day-before 16:00", "start", "morning 13:00"]
    wanted = [Ahead.parse(text) for text in texts]
    found = moments(wanted, OPENS, OPENS - 10 * 3600, UTC)
    assert [_clock(m) for m in found] == ["12 08:00", "12 12:00"]


def test_what_is_past_already_is_told_in_a_note() -> None:
    wanted = [Ahead.parse(text) for text in ("day-before 16:00", "morning 08:00", "start")]
    opens = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
    (found,) = announce_findings(wanted, opens, opens - 3600 * 6, UTC)
    assert (found.code, found.severity) == ("announced-in-the-past", Severity.NOTE)
    assert "day-before 16:00" in found.message
    assert announce_findings(wanted, opens, opens - 86400 * 2, UTC) == []


def test_a_plan_keeps_its_moments_and_warns_of_those_that_come_too_late() -> None:
    wanted = [Ahead.parse(text) for text in ("morning 10:00", "morning 18:00", "start")]
    request = make_request("12:00-14:00", zone=UTC, announce=wanted)
    plan = make_plan(request, make_basis([make_host("PC-1")]))
    assert [m - NOW for m in plan.announce] == [3600, 3 * 3600]
    assert [f.code for f in plan.findings] == ["announced-too-late"]
    assert "'morning 18:00'" in plan.findings[0].message


def test_a_plan_that_begins_now_can_be_announced_at_its_start() -> None:
    request = make_request(zone=UTC, announce=[Ahead.parse("start")])
    plan = make_plan(request, make_basis([make_host("PC-1")]))
    assert plan.announce == (NOW,)
