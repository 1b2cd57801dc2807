"""What is mailed to whom, how often, and when it is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.wire.contract import CordonMode
from coordinator.store.cordons import Cordons
from coordinator.store.history import History
from coordinator.store.outbox import MailKind, MailRow, MailState, backoff
from coordinator.walk.ports import News
from coordinator.walk.states import HostState, RolloutState
from tests.notify.rollout import ANN, IT, LOST, MARIE, Mailed


@contextmanager
def _mailed(tmp_path: Path, **changes: object) -> Iterator[Mailed]:
    made = Mailed(tmp_path, **changes).start()  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def test_who_can_mend_it_is_told_and_who_waits_hears_how_it_ends(mailed: Mailed) -> None:
    mailed.tell(News(RolloutState.PREPARING), LOST, News(RolloutState.DONE))
    assert mailed.told() == [
        ("needs-you", ANN), ("needs-you", IT),
        ("available", ANN), ("available", IT), ("available", MARIE),
    ]  # fmt: skip


def test_the_command_that_mends_it_names_the_rollout(mailed: Mailed) -> None:
    mailed.tell(LOST)
    assert {mail.mend for mail in mailed.mails()} == {"roundsman rollout retry r1 --host PC-02"}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (RolloutState.DONE, "available"),
        (RolloutState.PARTLY_DONE, "partly"),
        (RolloutState.ABORTED, "stopped"),
        (RolloutState.LEFT_CLOSED, "left-closed"),
    ],
)
def test_however_it_ends_everybody_hears(mailed: Mailed, state: RolloutState, kind: str) -> None:
    mailed.tell(News(state))
    assert mailed.told() == [(kind, ANN), (kind, IT), (kind, MARIE)]


def test_where_nobody_else_is_known_the_rollouts_recipients_are_asked(tmp_path: Path) -> None:
    with _mailed(tmp_path, standing=(), ann="") as mailed:
        mailed.tell(LOST)
        assert mailed.told() == [("needs-you", MARIE)]


def test_where_nobody_at_all_is_known_nothing_is_written(tmp_path: Path) -> None:
    with _mailed(tmp_path, standing=(), ann="", mail=()) as mailed:
        mailed.tell(LOST, News(RolloutState.DONE))
        assert mailed.told() == []


def test_one_address_gets_one_mail_however_often_it_is_named(tmp_path: Path) -> None:
    twice = (ANN.upper(), MARIE)
    with _mailed(tmp_path, standing=(ANN, MARIE), mail=twice) as mailed:
        mailed.tell(News(RolloutState.DONE))
        assert mailed.told() == [("available", ANN), ("available", MARIE)]


def test_news_of_one_workstation_is_not_mailed(mailed: Mailed) -> None:
    mailed.tell(News(RolloutState.NEEDS_OPERATOR, host="pc-1", state=HostState.NEEDS_OPERATOR))
    assert mailed.told() == []


def test_what_is_told_twice_is_mailed_once(mailed: Mailed) -> None:
    later = replace(LOST, detail="PC-03 waits: PC-02 has not answered for 61 s")
    mailed.tell(LOST, LOST, News(RolloutState.WALKING), later)
    assert mailed.told() == [("needs-you", ANN), ("needs-you", IT)]


def test_it_is_mailed_again_after_an_operator_has_said_something(mailed: Mailed) -> None:
    mailed.tell(LOST)
    mailed.say()
    mailed.tell(LOST)
    assert mailed.told() == [("needs-you", ANN), ("needs-you", IT)] * 2


def test_what_still_needs_somebody_hours_later_is_mailed_again(mailed: Mailed) -> None:
    mailed.tell(LOST)
    mailed.ahead = 4 * 3600 - 1
    mailed.tell(LOST)
    assert len(mailed.mails()) == 2
    mailed.ahead = 4 * 3600 + 1
    mailed.tell(LOST)
    assert len(mailed.mails()) == 4


def test_what_is_told_once_is_mailed_again_every_four_hours(mailed: Mailed) -> None:
    mailed.tell(LOST)
    for ahead, count in ((4 * 3600.0 - 1, 2), (4 * 3600.0, 4), (5 * 3600.0, 4), (8 * 3600.0, 6)):
        mailed.ahead = ahead
        mailed.outbox.remind()
        assert len(mailed.mails()) == count
    assert {mail.mend for mail in mailed.mails()} == {"roundsman rollout retry r1 --host PC-02"}


def test_nobody_is_reminded_of_what_goes_on_or_has_ended(mailed: Mailed) -> None:
    mailed.tell(LOST, News(RolloutState.WALKING))
    mailed.ahead = 86_400.0
    mailed.outbox.remind()
    assert len(mailed.mails()) == 2


def test_an_end_is_mailed_once_however_late_it_is_told_again(mailed: Mailed) -> None:
    mailed.tell(News(RolloutState.DONE))
    mailed.ahead = 86_400.0
    mailed.tell(News(RolloutState.DONE))
    assert len(mailed.mails()) == 3


def test_closed_is_what_is_not_lifted_and_not_opened_on_the_spot(mailed: Mailed) -> None:
    cordons, hosts = Cordons(mailed.database), [host.id for host in mailed.plan.hosts]
    assert mailed.outbox.closed(mailed.plan) == ()
    cordons.want(hosts, mailed.plan.id, CordonMode.SEALED)
    assert mailed.outbox.closed(mailed.plan) == ("PC-01", "PC-02", "PC-03")
    cordons.lift(hosts[:1])
    cordons.note_opened(hosts[1], "by its code", 1.0)
    assert mailed.outbox.closed(mailed.plan) == ("PC-03",)


def test_each_mail_has_an_id_of_its_own(mailed: Mailed) -> None:
    mailed.tell(LOST, News(RolloutState.DONE))
    assert len({mail.message_id for mail in mailed.mails()}) == 5


def test_it_is_tried_less_and_less_often(mailed: Mailed) -> None:
    assert [backoff(n) for n in (1, 2, 3, 6, 7, 1000)] == [60, 120, 240, 1920, 3600, 3600]
    mailed.tell(LOST)
    first = mailed.outbox.due()[0]
    mailed.outbox.put_off(first, "away")
    assert first.number not in [mail.number for mail in mailed.outbox.due()]
    mailed.ahead = 60.0
    again = mailed.outbox.due()[0]
    assert (again.number, again.tries, again.problem) == (first.number, 1, "away")


def test_after_three_days_it_is_given_up_and_still_listed(mailed: Mailed) -> None:
    mailed.tell(LOST)
    mailed.ahead = 3 * 86_400.0
    for mail in mailed.outbox.due():
        mailed.outbox.put_off(mail, "still away")
    assert mailed.outbox.due() == []
    listed = mailed.mails()
    assert [mail.state for mail in listed] == [MailState.GIVEN_UP] * 2
    assert listed[0].problem == "still away"


def test_what_was_not_sent_is_listed_before_what_was(mailed: Mailed) -> None:
    mailed.tell(LOST, News(RolloutState.DONE))
    mailed.outbox.sent(mailed.mails()[-1].number)
    assert [mail.state for mail in mailed.outbox.latest(4)] == [MailState.WAITING] * 4


def test_a_rollout_that_is_forgotten_takes_its_mail_with_it(mailed: Mailed) -> None:
    mailed.tell(News(RolloutState.DONE))
    History(mailed.database).forget([mailed.plan.id])
    assert mailed.mails() == []


@pytest.mark.parametrize("stands", [RolloutState.WALKING, RolloutState.NEEDS_OPERATOR])
def test_a_workstation_that_is_opened_on_the_spot_is_told_at_once_to_who_can_mend_it(
    mailed: Mailed, stands: RolloutState
) -> None:
    cordons = Cordons(mailed.database, mailed.outbox.opened)
    host = mailed.plan.hosts[0]
    cordons.want([host.id], mailed.plan.id, CordonMode.SEALED)
    mailed.tell(News(stands))

    cordons.note_opened(host.id, "its code was used", 5.0)

    opened = _opened(mailed)
    assert [mail.recipient for mail in opened] == [ANN, IT]
    assert {mail.detail for mail in opened} == {f"{host.name}: its code was used"}
    again = f"roundsman rollout retry r1 --host {host.name}, which closes it again"
    assert {mail.mend for mail in opened} == {again}

    mailed.tell(News(RolloutState.LEFT_CLOSED))
    cordons.renew(host.id)
    cordons.note_opened(host.id, "its code was used", 6.0)

    assert len(_opened(mailed)) == 4
    assert _opened(mailed)[-1].mend == ""  # nothing is under way any more


def _opened(mailed: Mailed) -> list[MailRow]:
    return [mail for mail in mailed.mails() if mail.kind is MailKind.OPENED]
