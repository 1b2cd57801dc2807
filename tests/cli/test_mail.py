"""`roundsman mail` at a terminal, and where else trouble with mail is seen."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.api.asks import ProfileAsk
from coordinator.settings import read_settings, write_settings
from coordinator.store.outbox import Outbox
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.api.real import PROFILE, RealOffice
from tests.cli.terminal import Terminal
from tests.notify.server import Office as MailOffice
from tests.plans import make_plan

MARIE = "marie@office.example"


@pytest.fixture
def server(tmp_path: Path) -> MailOffice:
    return MailOffice(tmp_path)


@pytest.fixture
def mailing(
    template: Path, tmp_path: Path, terminal: Terminal, server: MailOffice
) -> Iterator[RealOffice]:
    """An office that has a mail server; IT is told of everything."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    settings = read_settings(tmp_path / "home")
    write_settings(replace(settings, mail=server.settings()))
    with RealOffice(tmp_path).open() as office:
        assert office.postman is not None
        office.postman.start()
        yield office
        office.postman.stop()


def _ended(office: RealOffice) -> None:
    """Have a rollout ended, so that IT is told."""
    office.add_hosts()
    office.rollouts.add_plan(make_plan())
    office.tell(office.start("p1"), News(RolloutState.DONE))


def test_a_test_arrives_where_every_rollout_is_told(
    mailing: RealOffice, server: MailOffice, terminal: Terminal
) -> None:
    with server.serving() as box:
        said = terminal("mail test")
        assert (said.code, said.err) == (0, "")
        assert said.out == (
            "it@office.example: the mail server has taken it; look whether it arrives\n"
        )
        assert terminal("mail test --json", MARIE).json == [{"recipient": MARIE, "problem": ""}]
    assert [str(mail["To"]) for mail in box.taken] == ["it@office.example", MARIE]


def test_a_test_goes_to_the_address_of_who_asks_too(
    mailing: RealOffice, server: MailOffice, terminal: Terminal
) -> None:
    made = terminal(f"operator add ann --role admin --mail {MARIE} --json").json
    mailing.write_access(mailing.operator_folder, made["token"])
    assert MARIE in terminal("operator list").out
    with server.serving() as box:
        assert terminal("mail test").code == 0
    assert [str(mail["To"]) for mail in box.taken] == [MARIE, "it@office.example"]


@pytest.mark.usefixtures("mailing")
def test_an_operators_address_is_changed_and_the_token_stays(terminal: Terminal) -> None:
    said = terminal("operator mail ann", MARIE)
    assert said.code == 0
    assert MARIE in said.out
    assert terminal("operator mail ann").code == 0
    assert MARIE not in terminal("operator list").out
    said = terminal("operator mail nobody", MARIE)
    assert (said.code, "no operator 'nobody'" in said.err) == (2, True)
    assert terminal("operator mail ann marie").code == 2


@pytest.mark.usefixtures("mailing")
def test_a_test_that_the_server_does_not_take_ends_with_one(terminal: Terminal) -> None:
    said = terminal("mail test")
    assert said.code == 1
    assert "it@office.example: not sent: cannot use the mail server" in said.out
    assert "restart roundsman serve, then: roundsman mail test" in said.out


@pytest.mark.usefixtures("mailing")
@pytest.mark.parametrize("address", ["marie", "a@b,c@d", "a@b\r\nBcc: c@d", "@", "a" * 300 + "@b"])
def test_what_is_no_address_ends_with_two(terminal: Terminal, address: str) -> None:
    said = terminal("mail test", address)
    assert said.code == 2
    assert "address: " in said.err
    assert terminal("operator add x --mail", address).code == 2


@pytest.mark.usefixtures("office")
@pytest.mark.parametrize(
    "words", ["mail test", "mail list", "plan office 1.1 --mail marie@office.example"]
)
def test_without_a_mail_server_it_says_where_to_write_one(terminal: Terminal, words: str) -> None:
    said = terminal(words)
    assert said.code == 2
    assert "no mail server" in said.err
    assert "[mail]" in said.err


def test_what_was_given_up_is_listed_and_needs_a_person(
    mailing: RealOffice, server: MailOffice, terminal: Terminal
) -> None:
    _ended(mailing)
    row = mailing.outbox.latest()[0]
    said = terminal("mail list")
    assert said.code == 0
    assert "it@office.example" in said.out
    mailing.outbox.give_up(row.number, "the mail server says 550 no")

    said = terminal("mail list")
    assert said.code == 1
    assert "given-up" in said.out
    assert "550 no" in said.out
    health = terminal("health")
    assert health.code == 1
    assert "1 mails were given up, the last to it@office.example" in health.out


def test_what_was_given_up_days_ago_is_listed_and_calls_for_nobody(
    mailing: RealOffice, terminal: Terminal
) -> None:
    _ended(mailing)
    row = mailing.outbox.latest()[0]
    days_ago = Outbox(mailing.database, clock=lambda: time.time() - 4 * 86_400)
    days_ago.give_up(row.number, "the mail server says 550 no")
    assert "given-up" in terminal("mail list").out
    assert "were given up" not in terminal("health").out


def test_the_doctor_tells_of_mail_that_does_not_arrive(
    mailing: RealOffice, terminal: Terminal
) -> None:
    with mailing.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
    mailing.sign()
    assert terminal("doctor").code == 0
    _ended(mailing)
    mailing.outbox.give_up(mailing.outbox.latest()[0].number, "550 no")

    said = terminal("doctor")
    assert said.code == 1
    assert "the coordinator" in said.out
    assert "mails were given up" in said.out
    assert terminal("doctor PC-01").code == 0
