"""The mail that says that a vendor offers a newer release."""

import pytest

from coordinator.mail_settings import Language
from coordinator.store.outbox import MailState, Notice, NoticeKind
from tests.notify.rollout import IT, Mailed
from tests.notify.server import Office

HOSTILE = "2026-11-01; \x1b[2Jnews\r\nBcc: eve@evil.example\r\n\r\n<b>{version}</b>"


def _notice(detail: str = "2026-11-01; What is new", version: str = "1.2") -> Notice:
    event = f"{NoticeKind.RELEASE}/my-app {version}"
    return Notice(
        NoticeKind.RELEASE, event, detail, f"roundsman release add my-app {version}", 1e10
    )


@pytest.mark.parametrize(
    ("language", "subject"),
    [(Language.ENGLISH, "my-app 1.2 is out"), (Language.FRENCH, "my-app 1.2 est disponible")],
)
def test_a_newer_release_is_mailed_in_both_languages(
    mailed: Mailed, office: Office, language: Language, subject: str
) -> None:
    mailed.outbox.announce(_notice())
    with office.serving() as box:
        assert mailed.postman(office.settings(language=language)).round() == 1
    (mail,) = box.taken
    assert (mail["Subject"], mail["To"]) == (subject, IT)
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "2026-11-01; What is new" in text
    assert "roundsman release add my-app 1.2" in text
    assert list(mail.iter_attachments()) == []


def test_each_release_is_told_once_for_ever(mailed: Mailed) -> None:
    assert mailed.outbox.announce(_notice()) == 1
    mailed.outbox.give_up(mailed.mails()[0].number, "no such mailbox")
    mailed.ahead += 400 * 86_400
    assert mailed.outbox.announce(_notice()) == 0
    assert mailed.outbox.announce(_notice(version="1.3")) == 1
    assert [mail.state for mail in mailed.mails()] == [MailState.GIVEN_UP, MailState.WAITING]


def test_what_a_vendor_writes_steers_no_mail(mailed: Mailed, office: Office) -> None:
    mailed.outbox.announce(_notice(HOSTILE))
    with office.serving() as box:
        assert mailed.postman(office.settings()).round() == 1
    (mail,) = box.taken
    assert mail["Bcc"] is None
    body, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert body is not None
    assert page is not None
    assert "\x1b" not in body.get_content()
    assert "{version}" in body.get_content()
    assert "<b>" not in page.get_content()
