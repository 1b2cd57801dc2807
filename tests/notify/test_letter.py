"""What a mail says: in both languages, as text and as HTML, and nothing that was slipped in."""

from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from agent.wire.contract import (
    Direction,
    Finding,
    OpenProgram,
    Severity,
    StepReport,
    StepState,
)
from coordinator.mail_settings import Language, MailSettings, Security
from coordinator.notify.letter import Story, rollout_mail, trial_mail
from coordinator.notify.words import DRILLED, WORDS
from coordinator.report.rollout import rollout_report
from coordinator.store.outbox import MailKind, MailRow, MailState
from coordinator.walk.ports import News
from coordinator.walk.sessions import in_use_by, open_in
from coordinator.walk.states import HostState, RolloutState
from tests.notify.rollout import ANN, MARIE, Mailed

EVIL = "<b>x</b>\r\nBcc: eve@evil.example\r\n\r\n<script>alert(1)</script>\u2028\x00"


def _settings(language: Language = Language.ENGLISH) -> MailSettings:
    return MailSettings("m", 587, Security.STARTTLS, "r@office.example", language=language)


def _row(kind: MailKind, detail: str = "PC-02 is silent", mend: str = "roundsman x") -> MailRow:
    return MailRow(
        1, "r", "e", MARIE, kind, detail, mend, "f00", MailState.WAITING, 1.7e9, 0, 0, None, ""
    )


def _story(mailed: Mailed, title: str = "Office Maker") -> Story:
    mailed.update("pc-1", "pc-3")
    mailed.ahead += 65 * 60
    mailed.tell(News(RolloutState.PARTLY_DONE, "PC-02 stays closed"))
    row, of = mailed.rollouts.find(""), mailed.plan.id
    assert row is not None
    rollouts = mailed.rollouts
    return Story(
        row,
        rollout_report(row, rollouts.visits(of), rollouts.steps(of), rollouts.history(of)),
        title,
    )


def _sent(made: EmailMessage) -> EmailMessage:
    """Return the mail as whoever receives it reads it."""
    read = message_from_bytes(made.as_bytes(), policy=SMTP)
    assert isinstance(read, EmailMessage)
    return read


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_each_language_has_each_kind_of_mail() -> None:
    assert set(WORDS) == set(Language)
    assert set(WORDS) == set(DRILLED)
    assert all(set(words) == set(MailKind) for words in (*WORDS.values(), *DRILLED.values()))


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(MailKind))
def test_each_mail_says_it_as_text_and_as_html(
    mailed: Mailed, kind: MailKind, language: Language
) -> None:
    mail = _sent(rollout_mail(_settings(language), _row(kind), _story(mailed)))
    text, page = _body(mail, "plain"), _body(mail, "html")
    assert "Office Maker 1.1" in mail["Subject"]
    for said in ("Office Maker", "r1: office 1.1, paris/all", "ann"):
        assert said in text
        assert said in page
    assert "{" not in text
    assert f'lang="{language}"' in page


def test_who_is_needed_reads_why_and_what_to_type(mailed: Mailed) -> None:
    mail = _sent(rollout_mail(_settings(), _row(MailKind.NEEDS_YOU), _story(mailed)))
    text = _body(mail, "plain")
    assert mail["Subject"] == "Office Maker 1.1: needs you"
    assert "Why: PC-02 is silent" in text
    assert "What to do: roundsman x" in text
    assert list(mail.iter_attachments()) == []


def test_who_waited_reads_who_is_updated_how_long_and_finds_the_report(mailed: Mailed) -> None:
    settings = _settings(Language.FRENCH)
    row = replace(_row(MailKind.AVAILABLE), recipient=ANN)
    mail = _sent(rollout_mail(settings, row, _story(mailed)))
    text = _body(mail, "plain")
    assert mail["Subject"] == "Office Maker 1.1\u00a0: de nouveau disponible"
    assert "Mis à jour\u00a0: PC-01, PC-03" in text
    assert "Non mis à jour, ouvert\u00a0: PC-02" in text
    assert "Durée\u00a0: 1 h 5 min" in text
    assert "roundsman x" not in text
    (report,) = mail.iter_attachments()
    assert report.get_filename() == "roundsman-r1.html"
    assert "<!doctype html>" in report.get_content()


def test_no_french_line_ends_before_a_sign_and_its_apostrophes_are_curly() -> None:
    for rows in (WORDS, DRILLED):
        for words in rows[Language.FRENCH].values():
            said = words.subject + words.first
            assert not [plain for plain in ("'", " :", " ;") if plain in said]


def _drained(mailed: Mailed) -> None:
    """Have paul found at work on a workstation."""
    step, host = f"{mailed.plan.id}/pc-1/drain", "pc-1"
    mailed.rollouts.begin_step(step, Direction.DO, 1)
    facts = {"open_users": "paul", "open_at_first": "paul (session 2)", "app_version": "1.0.7"}
    report = StepReport(step, Direction.DO, StepState.DONE, 1, detail="paul saved", facts=facts)
    asks = Finding("asks-a-question", Severity.WARNING, "it asks paul")
    mailed.rollouts.end_step(report, "", [asks])
    mailed.tell(News(RolloutState.CLOSING, "open for paul", host=host, state=HostState.DRAINING))


def test_who_had_it_open_is_mailed_to_nobody(mailed: Mailed) -> None:
    _drained(mailed)
    story = _story(mailed)
    assert "paul" in repr(story.report)
    for kind in MailKind:
        mail = _sent(rollout_mail(_settings(), replace(_row(kind), recipient=ANN), story))
        attached = [a.get_content() for a in mail.iter_attachments()]
        assert len(attached) == (kind is not MailKind.NEEDS_YOU)
        assert "paul" not in repr([_body(mail, "plain"), _body(mail, "html"), attached])
        assert all("1.0.7" in page for page in attached)


_OPEN = [
    OpenProgram("marie", "2", "app", 411, 5.0),
    OpenProgram("paul", "3", "app", 98, 5.0),
    OpenProgram("", "", "app", 7, 5.0),
]


@pytest.mark.parametrize(
    ("said", "mailed_as"),
    [
        (
            "PC-01: cannot go on: Office Maker is open for marie (session root:77, pid 411), "
            "DOMAIN\\paul w. (pid 98) and 3 more; close it there, then retry",
            "PC-01: cannot go on: Office Maker is open there (5 programs); close it there, then "
            "retry",
        ),
        (
            "PC-01: cannot stop the service manager of App for All: it still runs for marie "
            "(session 2, pid 4); quit it there, then retry",
            "PC-01: cannot stop the service manager of App for All: it still runs there "
            "(1 program); quit it there, then retry",
        ),
        (f"PC-02 waits: PC-01 {open_in(_OPEN[:1])}", "PC-02 waits: PC-01 has it open"),
        (f"PC-01 {open_in(_OPEN)}", "PC-01 has it open in 3 sessions"),
        (f"PC-01 was opened; {in_use_by(_OPEN[:1])}", "PC-01 was opened; in use"),
        (f"PC-01 was opened; {in_use_by(_OPEN)}", "PC-01 was opened; in use in 2 sessions"),
    ],
)
def test_who_is_needed_reads_of_workstations_and_counts_and_of_no_person(
    mailed: Mailed, said: str, mailed_as: str
) -> None:
    mail = _sent(rollout_mail(_settings(), _row(MailKind.NEEDS_YOU, said), _story(mailed)))
    read = [_body(mail, "plain"), _body(mail, "html")]
    assert all(mailed_as in " ".join(body.split()) for body in read)
    assert not any(name in body for body in read for name in ("marie", "paul", "411"))


def test_what_was_opened_while_the_rollout_goes_on_is_not_told_as_its_end(mailed: Mailed) -> None:
    mailed.tell(News(RolloutState.NEEDS_OPERATOR, "waits"))
    row = mailed.rollouts.find("")
    assert row is not None
    report = rollout_report(row, (), (), ())
    story = Story(row, report, "Office Maker")
    mail = _sent(rollout_mail(_settings(), replace(_row(MailKind.OPENED), recipient=ANN), story))
    assert list(mail.iter_attachments()) == []
    assert "Took" not in _body(mail, "plain")


@pytest.mark.parametrize("kind", list(MailKind))
def test_who_only_waits_gets_no_report(mailed: Mailed, kind: MailKind) -> None:
    mail = _sent(rollout_mail(_settings(), _row(kind), _story(mailed)))
    assert list(mail.iter_attachments()) == []
    assert "attached" not in _body(mail, "plain")


@pytest.mark.parametrize("kind", [MailKind.PARTLY, MailKind.STOPPED, MailKind.LEFT_CLOSED])
def test_who_only_waits_is_not_told_what_to_type(mailed: Mailed, kind: MailKind) -> None:
    story = _story(mailed)
    marie = _row(kind)
    for row, is_told in ((marie, False), (replace(marie, recipient=ANN), True)):
        text = _body(_sent(rollout_mail(_settings(), row, story)), "plain")
        assert ("roundsman x" in text) is is_told


def test_what_is_closed_and_what_is_behind_are_named_apart(mailed: Mailed) -> None:
    story = _story(mailed)
    behind = _body(_sent(rollout_mail(_settings(), _row(MailKind.PARTLY), story)), "plain")
    assert "Not updated, open: PC-02" in behind
    assert "Stays closed:" not in behind
    story = replace(story, closed=("PC-02",))
    closed = _body(_sent(rollout_mail(_settings(), _row(MailKind.PARTLY), story)), "plain")
    assert "Stays closed: PC-02" in closed
    assert "Not updated, open" not in closed


def test_what_only_waited_is_not_said_to_stay_closed(mailed: Mailed) -> None:
    story, row = _story(mailed), _row(MailKind.LEFT_CLOSED)
    mail = _sent(rollout_mail(_settings(), row, story))
    assert mail["Subject"] == "Office Maker 1.1: stopped, not kept closed"
    assert "stays closed" not in _body(mail, "plain")
    mail = _sent(rollout_mail(_settings(), row, replace(story, closed=("PC-01", "PC-02"))))
    assert mail["Subject"] == "Office Maker 1.1: stopped, stays closed"
    assert "Stays closed: PC-01, PC-02" in _body(mail, "plain")


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(MailKind))
def test_no_mail_of_a_drill_says_that_a_version_is_there(
    tmp_path: Path, kind: MailKind, language: Language
) -> None:
    mailed = Mailed(tmp_path, drill=True).start()
    mail = _sent(rollout_mail(_settings(language), _row(kind), _story(mailed)))
    mailed.close()
    said = _body(mail, "plain").partition("\n")[0]
    assert "1.1" not in f"{mail['Subject']} {said}"
    assert "PC-0" not in said
    assert "exercice" in said or "drill" in said


def test_a_drill_is_called_one(tmp_path: Path) -> None:
    mailed = Mailed(tmp_path, drill=True).start()
    mail = _sent(rollout_mail(_settings(), _row(MailKind.AVAILABLE), _story(mailed)))
    mailed.close()
    assert "after a drill" in mail["Subject"]
    assert "nothing was updated" in _body(mail, "plain")


def test_the_headers_are_those_of_a_machine_and_the_same_each_time(mailed: Mailed) -> None:
    row, story = _row(MailKind.AVAILABLE), _story(mailed)
    first, again = (rollout_mail(_settings(), row, story) for _ in range(2))
    assert first["Message-ID"] == again["Message-ID"] == "<f00@office.example>"
    assert first["Date"] == again["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["To"] == MARIE


def test_what_is_slipped_into_a_text_becomes_no_header_and_no_markup(mailed: Mailed) -> None:
    story = _story(mailed, title=f"Office {EVIL}")
    plan = replace(story.row.plan, group=EVIL, version=EVIL, site=EVIL)
    story.report["hosts"][0]["host"] = EVIL
    story = replace(story, row=replace(story.row, plan=plan, started_by=EVIL))
    for kind in MailKind:
        evil = replace(_row(kind, EVIL, EVIL), recipient=ANN)
        mail = _sent(rollout_mail(_settings(), evil, story))
        assert mail["Bcc"] is None
        assert sorted(set(mail.keys())) == [
            "Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID",
            "Subject", "To",
        ]  # fmt: skip
        for page in [_body(mail, "html"), *(a.get_content() for a in mail.iter_attachments())]:
            assert "<script>alert" not in page
            assert "<b>x</b>" not in page
            assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_a_hundred_workstations_are_not_all_listed(mailed: Mailed) -> None:
    story = _story(mailed)
    host = story.report["hosts"][0]
    story.report["hosts"][:] = [host | {"host": f"PC-{n:03}"} for n in range(100)]
    mail = _sent(rollout_mail(_settings(), _row(MailKind.AVAILABLE), story))
    assert "PC-059 (+ 40)" in _body(mail, "plain")


def test_a_trial_says_that_it_is_one() -> None:
    mail = _sent(trial_mail(_settings(), MARIE, "f00", 1.7e9))
    assert mail["Subject"] == "Roundsman: a test"
    assert "the test that was asked for" in _body(mail, "plain")
