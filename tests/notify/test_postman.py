"""The one that sends, and a real mail server that is down, slow, refusing or up."""

import socket
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from threading import Event

from agent.wire.contract import CordonMode
from coordinator.notify.line import Patience
from coordinator.store.cordons import Cordons
from coordinator.store.outbox import MailState
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.notify.rollout import ANN, IT, LOST, MARIE, Mailed
from tests.notify.server import Office, talking
from tests.until import until

DONE = News(RolloutState.DONE)


def _to(office: Office) -> list[str]:
    return [str(mail["To"]) for mail in office.box.taken]


def _states(mailed: Mailed) -> list[MailState]:
    return [mail.state for mail in mailed.mails()]


def test_everybody_gets_a_mail_of_their_own_and_it_is_sent_once(
    office: Office, mailed: Mailed
) -> None:
    mailed.tell(DONE)
    postman = mailed.postman(office.settings())
    with office.serving():
        assert postman.round() == 3
        assert postman.round() == 0
    assert _to(office) == [ANN, IT, MARIE]
    assert {str(mail["Subject"]) for mail in office.box.taken} == {
        "Office Maker 1.1: available again"
    }
    assert _states(mailed) == [MailState.SENT] * 3


def test_a_server_that_was_down_gets_them_all_once_it_is_up(
    office: Office, mailed: Mailed
) -> None:
    mailed.tell(LOST, DONE)
    postman = mailed.postman(office.settings())
    for _ in range(3):
        assert postman.round() == 0
        mailed.ahead += 3600
    assert {mail.tries for mail in mailed.mails()} == {3}
    assert "Connection refused" in mailed.mails()[0].problem
    with office.serving():
        assert postman.round() == 5
    assert Counter(_to(office)) == {ANN: 2, IT: 2, MARIE: 1}


def test_nothing_is_tried_before_its_time(office: Office, mailed: Mailed) -> None:
    mailed.tell(DONE)
    postman = mailed.postman(office.settings())
    postman.round()
    with office.serving():
        mailed.ahead = 59.0
        assert postman.round() == 0
        mailed.ahead = 60.0
        assert postman.round() == 3


def test_one_refused_recipient_is_given_up_and_the_others_get_theirs(
    office: Office, mailed: Mailed
) -> None:
    office.box.refused[IT] = "550 nobody of that name"
    mailed.tell(DONE)
    with office.serving():
        assert mailed.postman(office.settings()).round() == 2
    assert _to(office) == [ANN, MARIE]
    given_up = mailed.outbox.latest(1)[0]
    assert (given_up.recipient, given_up.state) == (IT, MailState.GIVEN_UP)
    assert given_up.problem == "the mail server says 550 nobody of that name"


def test_what_the_server_wants_later_is_sent_later(office: Office, mailed: Mailed) -> None:
    office.box.refused[IT] = "451 greylisted, come back"
    mailed.tell(DONE)
    postman = mailed.postman(office.settings())
    with office.serving():
        assert postman.round() == 2
        office.box.refused.clear()
        assert postman.round() == 0
        mailed.ahead = 60.0
        assert postman.round() == 1
    assert _states(mailed) == [MailState.SENT] * 3


def test_a_server_that_hangs_up_over_one_recipient_still_gets_the_mail_of_the_others(
    office: Office, mailed: Mailed
) -> None:
    office.box.cut_off = {ANN, IT}
    mailed.tell(DONE)
    postman = mailed.postman(office.settings())
    with office.serving():
        assert postman.round() == 1
        assert _to(office) == [MARIE]
        tried = {(m.recipient, m.tries) for m in mailed.mails() if m.state is MailState.WAITING}
        assert tried == {(ANN, 1), (IT, 1)}
        office.box.cut_off.clear()
        mailed.ahead = 60.0
        assert postman.round() == 2


def test_a_password_that_is_mended_is_used_without_a_new_start(
    office: Office, mailed: Mailed
) -> None:
    mailed.tell(DONE)
    postman = mailed.postman(office.settings())
    office.password("wrong")
    with office.serving():
        assert postman.round() == 0
        assert "refuses user and password" in mailed.mails()[0].problem
        office.password("correct horse")
        mailed.ahead = 60.0
        assert postman.round() == 3


def test_what_was_told_just_before_the_daemon_was_killed_is_sent_by_the_next(
    office: Office, mailed: Mailed, tmp_path: Path
) -> None:
    _dies("told", tmp_path, office)
    with office.serving():
        assert mailed.postman(office.settings()).round() == 3


def test_a_mail_sent_twice_because_the_daemon_was_killed_can_be_seen_to_be_one(
    office: Office, mailed: Mailed, tmp_path: Path
) -> None:
    mailed.tell(DONE)
    with office.serving():
        _dies("sent", tmp_path, office)
        assert _to(office) == [ANN]
        mailed.ahead = 10.0
        assert mailed.postman(office.settings()).round() == 3
    first, again = office.box.taken[:2]
    assert first["To"] == again["To"] == ANN
    assert first["Message-ID"] == again["Message-ID"]
    assert first["Date"] == again["Date"]


def _dies(when: str, folder: Path, office: Office) -> None:
    command = [sys.executable, "-m", "tests.notify.dies", when, str(folder), str(office.port)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False, timeout=50)
    assert done.returncode == 9, done.stderr.decode()


def test_the_walk_tells_its_news_while_the_mail_server_hangs(
    office: Office, mailed: Mailed
) -> None:
    reached, let_go = Event(), Event()

    def hang(_peer: socket.socket) -> None:
        reached.set()
        let_go.wait(50)

    mailed.tell(DONE)
    postman = mailed.postman(office.settings(), Patience(50.0, 50.0))
    with talking(office.port, hang):
        postman.start()
        try:
            assert reached.wait(20)
            for number in range(50):
                mailed.tell(replace(LOST, mend=f"roundsman rollout retry r1 --host PC-{number}"))
            assert len(mailed.mails()) == 3 + 50 * 2
            assert not let_go.is_set()
        finally:
            let_go.set()
            postman.stop()


def test_a_slow_server_has_the_rest_put_off_and_the_next_round_goes_on(
    office: Office, mailed: Mailed
) -> None:
    mailed.tell(DONE)
    postman = mailed.postman(office.settings(), Patience(0.2, 0.5))
    asked: list[socket.socket] = []

    def silent(peer: socket.socket) -> None:
        asked.append(peer)
        peer.recv(1)

    with talking(office.port, silent):
        assert postman.round() == 0
    assert len(asked) == 1
    assert {mail.problem.rpartition(": ")[2] for mail in mailed.mails()} == {
        "it does not answer in time"
    }
    mailed.ahead = 60.0
    with office.serving():
        assert mailed.postman(office.settings()).round() == 3


def test_what_is_told_of_a_rollout_that_is_not_known_is_given_up(
    office: Office, mailed: Mailed
) -> None:
    mailed.rollouts.tell("01JD0000000000000000000000", DONE)
    with office.serving():
        assert mailed.postman(office.settings()).round() == 0
    (mail,) = mailed.mails()
    assert (mail.recipient, mail.state) == (IT, MailState.GIVEN_UP)
    assert mail.problem == "what it tells of is not known any more"


def test_a_mail_names_what_is_closed_when_it_is_sent(office: Office, mailed: Mailed) -> None:
    host = mailed.plan.hosts[1].id
    Cordons(mailed.database).want([host], mailed.plan.id, CordonMode.SEALED)
    mailed.tell(News(RolloutState.LEFT_CLOSED, "aborted"))
    with office.serving():
        assert mailed.postman(office.settings()).round() == 3
    text = office.box.taken[0].get_body(("plain",))
    assert text is not None
    assert "Stays closed: PC-02" in str(text.get_content())


def test_who_started_it_and_is_named_too_still_gets_the_report(
    office: Office, tmp_path: Path
) -> None:
    mailed = Mailed(tmp_path, mail=(ANN.upper(), MARIE)).start()
    mailed.tell(DONE)
    with office.serving():
        assert mailed.postman(office.settings()).round() == 3
    mailed.close()
    attached = {str(mail["To"]): len(list(mail.iter_attachments())) for mail in office.box.taken}
    assert attached == {ANN: 1, IT: 1, MARIE: 0}


def test_a_mail_that_cannot_be_made_is_given_up_and_the_others_are_sent(
    office: Office, tmp_path: Path
) -> None:
    evil = "=?utf-8?b?DQpCY2M6IHg=?=@x"
    mailed = Mailed(tmp_path, standing=(evil, IT)).start()
    mailed.tell(DONE)
    with office.serving():
        assert mailed.postman(office.settings()).round() == 3
    given_up = mailed.outbox.latest(1)[0]
    mailed.close()
    assert _to(office) == [ANN, IT, MARIE]
    assert (given_up.recipient, given_up.state) == (evil, MailState.GIVEN_UP)
    assert given_up.problem.startswith("cannot make this mail: ValueError(")


def test_who_did_not_come_is_reminded_by_itself(office: Office, mailed: Mailed) -> None:
    mailed.tell(LOST)
    for row in mailed.mails():
        mailed.outbox.sent(row.number)
    mailed.ahead = 4 * 3600.0
    postman = mailed.postman(office.settings())
    with office.serving():
        postman.start()
        until(lambda: len(office.box.taken) == 2, 20)
        postman.stop()
    assert _to(office) == [ANN, IT]


def test_it_sends_by_itself_and_stops_when_it_is_told(office: Office, mailed: Mailed) -> None:
    postman = mailed.postman(office.settings())
    assert not postman.is_alive
    with office.serving():
        postman.start()
        mailed.tell(DONE)
        until(lambda: len(office.box.taken) == 3, 20)
        assert postman.is_alive
        postman.stop()
    assert not postman.is_alive
