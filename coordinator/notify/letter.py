"""What a mail says about a rollout: text, HTML and the report, made from its rows. Pure.

Names of workstations and sentences of agents are data: they are escaped in the HTML, and no line
of them ever becomes a header. Who had what open is mailed to nobody: mail is kept for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from coordinator.mail_settings import Language, MailSettings
from coordinator.notify.words import DRILLED, LABELS, NOTICES, WORDS, Labels, Words
from coordinator.report.rollout import Report, as_html, without_people
from coordinator.store.outbox import MailKind, MailRow, NoticeKind
from coordinator.store.rows import RolloutRow
from coordinator.walk.sessions import without_names

_MOST_NAMED = 60
_MOST_SUBJECT = 150
_UNBROKEN = "\u00a0\u202f"
"""Spaces at which no line ends: French sets them before its signs."""
_pages = Environment(
    loader=PackageLoader("coordinator.notify", "pages"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Story:
    """What a rollout's mail is made of."""

    row: RolloutRow
    report: Report
    title: str  # the application's, as people know it
    closed: tuple[str, ...] = ()  # the workstations where it is kept closed, by name
    starter: str = ""  # the address of who started it


def rollout_mail(settings: MailSettings, mail: MailRow, story: Story) -> EmailMessage:
    """Return the mail that tells its recipient what the row says."""
    kind = MailKind(mail.kind)
    labels, words = LABELS[settings.language], _words(settings.language, kind, story)
    has_ended = _tells_the_end(mail, story)
    only_waits = has_ended and _only_waits(settings, mail, story)
    if only_waits:
        words = replace(words, explains=False)
    notes = [labels.attached] if has_ended and not only_waits else []
    told = _told(words, labels, mail, story) | {"notes": notes}
    made = _mail(settings, mail.recipient, told, mail.message_id, mail.at)
    if notes:
        name = f"roundsman-{story.row.label}.html"
        page = as_html(without_people(story.report)).encode()
        made.add_attachment(page, maintype="text", subtype="html", filename=name)
    return made


def notice_mail(settings: MailSettings, mail: MailRow) -> EmailMessage:
    """Return the mail that tells its recipient of something that is about no rollout."""
    labels = LABELS[settings.language]
    words = NOTICES[settings.language][NoticeKind(mail.kind)]
    names = {"about": mail.event.partition("/")[2], "detail": mail.detail}
    why = [(labels.why, _line(mail.detail))] if words.explains else []
    told = {
        "subject": words.subject.format(**names),
        "first": _line(words.first.format(**names)),
        "facts": [*why, (labels.mend, _line(mail.mend))],
        "notes": [],
        "colon": labels.colon,
        "foot": labels.foot,
    }
    return _mail(settings, mail.recipient, told, mail.message_id, mail.at)


def trial_mail(settings: MailSettings, recipient: str, message_id: str, at: float) -> EmailMessage:
    """Return a mail that tells nothing but that it came."""
    labels = LABELS[settings.language]
    told = {"subject": labels.test.subject, "first": labels.test.first, "facts": [], "notes": []}
    told |= {"colon": labels.colon, "foot": labels.foot}
    return _mail(settings, recipient, told, message_id, at)


def _tells_the_end(mail: MailRow, story: Story) -> bool:
    return mail.kind is not MailKind.NEEDS_YOU and story.row.state.is_final


def _words(language: Language, kind: MailKind, story: Story) -> Words:
    if story.row.plan.drill:
        return DRILLED[language][kind]
    if kind is MailKind.LEFT_CLOSED and not story.closed:
        return LABELS[language].none_closed
    return WORDS[language][kind]


def _only_waits(settings: MailSettings, mail: MailRow, story: Story) -> bool:
    """True for a recipient of this one rollout, who can do nothing about it."""
    named = {address.lower() for address in story.row.plan.mail}
    run_it = {address.lower() for address in (story.starter, *settings.recipients)}
    return mail.recipient.lower() in named - run_it


def _mail(
    settings: MailSettings, recipient: str, told: dict[str, Any], message_id: str, at: float
) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["Subject"] = _line(told["subject"])[:_MOST_SUBJECT]
    made["From"] = settings.sender
    made["To"] = recipient
    made["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
    made["Message-ID"] = f"<{message_id}@{settings.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    told = told | {"language": settings.language.value}
    made.set_content(_pages.get_template("mail.txt").render(told))
    made.add_alternative(_pages.get_template("mail.html").render(told), subtype="html")
    return made


def _told(words: Words, labels: Labels, mail: MailRow, story: Story) -> dict[str, Any]:
    plan = story.row.plan
    names = {"title": story.title, "version": plan.version, "group": plan.group}
    return {
        "subject": words.subject.format(**names),
        "first": _line(words.first.format(**names)),
        "facts": [
            (label, _line(fact)) for label, fact in _facts(words, labels, mail, story) if fact
        ],
        "notes": [],
        "colon": labels.colon,
        "foot": labels.foot,
    }


def _facts(words: Words, labels: Labels, mail: MailRow, story: Story) -> Sequence[tuple[str, str]]:
    row = story.row
    named = _named(labels, story) if _tells_the_end(mail, story) else []
    wrong = [(labels.why, without_names(mail.detail)), (labels.mend, mail.mend)]
    why = wrong if words.explains else []
    about = f"{row.label}: {row.plan.app} {row.plan.version}, {row.plan.site}/{row.plan.group}"
    return [*why, *named, (labels.rollout, about), (labels.started_by, row.started_by)]


def _named(labels: Labels, story: Story) -> list[tuple[str, str]]:
    """Return where people can work with what, and how long it took."""
    closed = [(labels.closed, _listed(story.closed))]
    if story.row.plan.drill:
        return closed
    names = [host["host"] for host in story.report["hosts"]]
    left = set(story.report["not_done"])
    behind = sorted(left - set(story.closed))
    return [
        (labels.updated, _listed([name for name in names if name not in left])),
        (labels.behind, _listed(behind)),
        *closed,
        (labels.took, _length(story.report["rollout"]["seconds"])),
    ]


def _listed(names: Sequence[str]) -> str:
    more = f" (+ {len(names) - _MOST_NAMED})" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if hours:
        return f"{hours} h {rest} min"
    return f"{minutes} min" if minutes else f"{round(seconds)} s"


def _line(text: str) -> str:
    """Return a text on one line, nothing in it that could end it."""
    drawn = "".join(c if c.isprintable() or c in _UNBROKEN else " " for c in text)
    return " ".join(word for word in drawn.split(" ") if word)
