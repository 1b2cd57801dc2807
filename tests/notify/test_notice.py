"""What is mailed about no rollout: that signatures expire; once a week, to who can mend it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.access import token_hash
from coordinator.freshness import Freshness
from coordinator.mail_settings import Language
from coordinator.notify.letter import notice_mail
from coordinator.notify.words import NOTICES
from coordinator.releases.keys import make_signing_key
from coordinator.releases.repository import Repository, init_repository
from coordinator.store.database import open_database
from coordinator.store.fleet import People
from coordinator.store.outbox import MailState, Notice, NoticeKind, Outbox
from tests.notify.rollout import IT, MARIE, Mailed
from tests.notify.server import Office

DAY = 86_400.0
NOW = 1_800_000_000.0
ANN, BEN = "ann@office.example", "ben@office.example"


class Served:
    """A coordinator's repository and outbox, on a clock of their own."""

    def __init__(self, folder: Path) -> None:
        self.ahead = 0.0
        self.database = open_database(f"sqlite:///{folder}/office.sqlite")
        self.people = People(self.database)
        self.people.put_operator("ann", "admin", token_hash("a"), ANN)
        self.people.put_operator("ben", "viewer", token_hash("b"), BEN)
        self.outbox = Outbox(self.database, (IT,), self.clock)
        signer = make_signing_key(folder / "signing", "correct horse battery")
        self.folder = folder / "repository"
        self.repository: Repository = init_repository(self.folder, signer, self.clock)

    def clock(self) -> float:
        return NOW + self.ahead

    def look(self, days: float) -> list[tuple[str, str]]:
        """Look after so many days; return what has been mailed by then, oldest first."""
        self.ahead = days * DAY
        Freshness(self.repository, self.outbox, self.people, self.clock).refresh()
        return [(mail.recipient, mail.detail) for mail in self.outbox.latest()[::-1]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.database.dispose()


def test_nothing_is_mailed_before_thirty_days(served: Served) -> None:
    assert served.look(59.9) == []


def test_it_is_mailed_thirty_days_ahead_to_admins_and_standing_recipients(served: Served) -> None:
    told = served.look(60.5)
    assert [to for to, _ in told] == [IT, ANN]
    assert all("the signed list of releases expires on" in said for _, said in told)
    assert served.outbox.latest()[0].mend == "roundsman keys renew"


def test_it_is_mailed_once_a_week_and_not_at_each_look(served: Served) -> None:
    counts = [len(served.look(60.5 + days)) for days in (0, 0.25, 1, 6.9, 7.1, 13, 14.2)]
    assert counts == [2, 2, 2, 2, 4, 4, 6]


def test_that_it_has_expired_is_mailed_at_once(served: Served) -> None:
    served.look(89.5)
    told = served.look(90.5)
    assert len(told) == 4
    assert "expired on" in told[-1][1]


def test_root_and_list_are_told_each_for_itself(served: Served) -> None:
    said = {said.split(" e")[0] for _, said in served.look(340)}
    assert said == {"the signed list of releases", "the signed root of trust"}


def test_the_log_says_it_at_each_look(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.look(60.5)
    served.look(91)
    levels = [(r.levelno, r.message) for r in caplog.records if r.name == "coordinator.freshness"]
    assert levels == [
        (logging.WARNING, "signed metadata expires"),
        (logging.ERROR, "signed metadata has expired"),
    ]


def test_without_its_online_key_it_goes_on_and_says_so(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    (served.folder / "online-key.pem").unlink()
    told = served.look(2)
    assert "cannot renew signed metadata" in caplog.text
    assert any("the signed timestamp expired on" in said for _, said in told)


def test_a_repository_that_is_damaged_while_it_serves_ends_nothing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    (served.folder / "metadata" / "timestamp.json").write_bytes(b"{}")
    assert served.look(1) == []
    assert "timestamp.json: it is damaged" in str([vars(r) for r in caplog.records])


def test_without_mail_settings_only_the_log_is_told(served: Served) -> None:
    served.ahead = 61 * DAY
    Freshness(served.repository, None, served.people, served.clock).refresh()
    assert served.outbox.latest() == []


def _notice(kind: NoticeKind) -> Notice:
    return Notice(kind, f"{kind}/office-maker 1.2", "it is so", "roundsman keys renew", 7 * DAY)


def test_each_language_has_each_kind_of_notice() -> None:
    assert set(NOTICES) == set(Language)
    assert all(set(words) == set(NoticeKind) for words in NOTICES.values())


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(NoticeKind))
def test_each_notice_says_what_and_what_to_do(
    office: Office, mailed: Mailed, kind: NoticeKind, language: Language
) -> None:
    mailed.outbox.announce(_notice(kind), [MARIE])
    (row, *_) = mailed.mails()
    mail = notice_mail(office.settings(language=language), row)
    text = mail.get_body(("plain",))
    assert text is not None
    said = str(text.get_content())
    for part in ("it is so", "roundsman keys renew"):
        assert part in said
    assert "{" not in said + mail["Subject"]


def test_a_notice_is_sent_as_any_mail(office: Office, mailed: Mailed) -> None:
    mailed.outbox.announce(_notice(NoticeKind.EXPIRES), [MARIE, IT.upper()])
    with office.serving():
        assert mailed.postman(office.settings()).round() == 2
    assert {mail.state for mail in mailed.mails()} == {MailState.SENT}
    assert {str(mail["Subject"]) for mail in office.box.taken} == {
        "Roundsman: what is signed expires"
    }
