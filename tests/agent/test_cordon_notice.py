"""Who opens the app while it is kept closed is told so, kindly and once."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.cordon import Cordon
from agent.cordon_notice import Notices, outlook_at, sessions_of
from agent.platforms.base import Process
from agent.programs import Programs
from agent.records import CordonRecord
from agent.steps.table import Seat
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.contract import CordonMode, CordonOrder
from agent.wire.notices import Notice, NoticeKind, Outlook
from tests.agent.fakes import FENCE, PROFILE, ROLLOUT, FakePeople, FakePlatform
from tests.agent.test_cordon import LIFT, SEALED, WITH_CODE, Host
from tests.until import until

OUTLOOK = Outlook("PC-04", 3, 12, back_in=1200.0)
NOBODY = Programs("/app", ())
RECORD = CordonRecord(
    ROLLOUT,
    PROFILE,
    "bench-app",
    CordonMode.SEALED,
    FENCE,
    Programs("/app", ("bin/app",)),
    NOBODY,
    since=0.0,
    heard=1000.0,
    boot_id="boot-1",
    title="Bench App",
    outlook=OUTLOOK,
)
MARIE, PAUL = Seat("7", "marie"), Seat("8", "paul")


def process(user: str = "marie", session: str = "7", pid: int = 100) -> Process:
    return Process(pid, 4e9, user, session, "/app/bin/app", ("/app/bin/app",))


@pytest.fixture
def people() -> FakePeople:
    return FakePeople(here=(MARIE, PAUL))


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


@pytest.fixture
def notices(people: FakePeople, platform: FakePlatform) -> Notices:
    return Notices(people, platform)


@pytest.mark.parametrize(
    ("opened", "told"),
    [
        (process("paul", "8"), {"8"}),
        (process("marie", "9"), {"9"}),
        (process("marie", "8"), {"7", "9"}),  # she says that it is in his: so her own environment
        (process("anna", "8"), set()),
        (process("marie", "user-1000"), {"7", "9"}),  # by her own service manager
        (process("marie", ""), {"7", "9"}),  # by a scheduled task
        (process("root", ""), set()),
        (process("anna", "12"), set()),
    ],
)
def test_it_is_said_in_the_session_or_else_to_that_user_wherever_they_are(
    opened: Process, told: set[str]
) -> None:
    assert sessions_of(opened, (MARIE, PAUL, Seat("9", "marie"))) == told


def test_the_notice_says_what_is_closed_why_and_where_the_walk_is(
    notices: Notices, people: FakePeople
) -> None:
    notices.meet(replace(RECORD, text="month's end first", code_hash="ab"), [process()])
    assert people.shown == [
        Notice(
            NoticeKind.CLOSED,
            "Bench App",
            message="month's end first",
            outlook=OUTLOOK,
            may_open=True,
        )
    ]
    assert people.told == [("7",)]


def test_a_session_is_told_once_a_second_and_what_came_too_soon_when_it_is_over(
    notices: Notices, people: FakePeople, platform: FakePlatform
) -> None:
    for pid in range(100):
        notices.meet(RECORD, [process(pid=pid)])
    assert people.told == [("7",)]
    notices.meet(RECORD, [process("paul", "8")])  # another session waits for nobody
    assert people.told == [("7",), ("8",)]
    platform.now += 1.0
    notices.meet(RECORD, [])
    notices.meet(RECORD, [])
    assert people.told == [("7",), ("8",), ("7",)]


def test_two_who_open_it_at_once_are_told_at_once(notices: Notices, people: FakePeople) -> None:
    notices.meet(RECORD, [process(), process("paul", "8")])
    assert people.told == [("7", "8")]


def test_where_nobody_has_a_session_only_the_log_tells(
    notices: Notices, people: FakePeople, caplog: pytest.LogCaptureFixture
) -> None:
    notices.meet(RECORD, [process("root", "")])
    assert people.shown == []
    assert [record.getMessage() for record in caplog.records] == ["closed a relaunch"]


def test_what_starts_while_somebody_logs_in_is_said_once_their_session_is_known(
    notices: Notices, people: FakePeople, platform: FakePlatform
) -> None:
    people.here = ()
    notices.meet(RECORD, [process("marie", "user-1000"), process("root", "")])
    platform.now += 12
    people.here = (MARIE,)
    notices.meet(RECORD, [])
    assert people.told == [("7",)]
    platform.now += 100
    people.here = (MARIE, Seat("1", "root"))
    notices.meet(RECORD, [])
    assert people.told == [("7",)]  # it is too long ago by now


def test_the_log_says_how_often_once_a_minute(
    notices: Notices, platform: FakePlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(50):
        notices.meet(RECORD, [process()])
    platform.now += 60
    notices.meet(RECORD, [process()])
    assert [vars(record)["times"] for record in caplog.records] == [1, 50]


def test_it_is_taken_away_only_where_it_was_shown(notices: Notices, people: FakePeople) -> None:
    notices.hush()
    assert people.said == []
    notices.meet(RECORD, [process()])
    notices.hush()
    notices.hush()
    assert people.said == ["", ""]  # the notice, which has no words of an operator; its end


@pytest.mark.parametrize(
    ("seconds", "boot", "said"),
    [
        (0, "boot-1", OUTLOOK),
        (60, "boot-1", replace(OUTLOOK, back_in=1140.0)),
        (200, "boot-1", Outlook(back_in=1000.0)),  # nobody renews it: who knows whose turn it is
        (3600, "boot-1", Outlook()),
        (60, "boot-2", Outlook()),
        (-1, "boot-1", Outlook()),
    ],
)
def test_the_outlook_is_right_or_not_said(seconds: float, boot: str, said: Outlook) -> None:
    assert outlook_at(RECORD, 1000.0 + seconds, boot) == said


def test_the_outlook_of_the_last_order_is_the_one_that_is_said(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with host.agent() as cordon:
        cordon.apply(replace(SEALED, outlook=OUTLOOK))
        cordon.apply(replace(SEALED, outlook=replace(OUTLOOK, updating="PC-05", number=4)))
        host.platform.now += 100
        host.platform.open(host.app)
        until(lambda: host.people.shown)
    outlook = host.people.shown[0].outlook
    assert (outlook.updating, outlook.number, outlook.back_in) == ("PC-05", 4, 1100.0)


def test_after_a_reboot_nothing_is_said_that_may_be_false(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with host.agent() as cordon:
        cordon.apply(replace(SEALED, outlook=OUTLOOK))
    host.platform.boot = "boot-2"
    host.platform.open(host.app)
    with host.agent():
        until(lambda: host.people.shown)
    assert host.people.shown[0].outlook == Outlook()


def _lease_over(host: Host, cordon: Cordon) -> None:
    host.platform.now += 1000


def _administrator(host: Host, cordon: Cordon) -> None:
    with host.agent(guard=False) as from_the_command_line:
        assert from_the_command_line.open_by_administrator()


def _lifted(host: Host, cordon: Cordon) -> None:
    cordon.lift(LIFT)


@pytest.mark.parametrize("end", [_lease_over, _administrator, _lifted])
def test_however_the_cordon_ends_the_notice_goes(tmp_path: Path, end: Any) -> None:
    host = Host(tmp_path)
    with host.agent() as cordon:
        cordon.apply(replace(WITH_CODE, mode=CordonMode.LEASED, text="closed"))
        host.platform.open(host.app)
        until(lambda: host.people.said == ["closed"])
        end(host, cordon)
        until(lambda: host.people.said == ["closed", ""])


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "x" * 501},
        {"outlook": {"updating": "x" * 101}},
        {"outlook": {"back_in": 1e9}},
        {"outlook": {"back_in": float("nan")}},
        {"outlook": {"back_in": -1}},
        {"outlook": {"number": "3"}},
        {"outlook": {"of": 10_001}},
        {"outlook": ["PC-04"]},
        {"outlook": "soon"},
    ],
)
def test_an_order_with_a_huge_text_or_a_garbled_outlook_never_reaches_the_guard(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(BadMessage):
        decode(CordonOrder, encode(SEALED) | wrong)
