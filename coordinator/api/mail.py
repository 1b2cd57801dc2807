"""Mail: what was sent, what waits, what was given up; and a test that is sent at once."""

from collections.abc import Sequence

from coordinator.api.asks import MailTestAsk, NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.mail_schemas import MailTestView, MailView
from coordinator.api.office import Office
from coordinator.notify.postman import Postman
from coordinator.store.outbox import MailRow, MailState

_LISTED = 200
_MOST_TESTED = 10
_UNWELL_SECONDS = 3 * 86_400.0
"""A mail that was given up before that is still listed, and calls for nobody."""


def mails(office: Office, call: Call[NoAsk]) -> list[MailView]:
    """Return the last mails, newest first; those not sent before all others."""
    labels = {row.id: row.label for row in office.rollouts.all()}
    found = _postman(office).outbox.latest(call.number("most", _LISTED, 10_000))
    return [_view(row, labels.get(row.rollout, row.rollout)) for row in found]


def try_out(office: Office, call: Call[MailTestAsk]) -> list[MailTestView]:
    """Send a test at once: to the address that is given, else to whom every rollout is told."""
    postman = _postman(office)
    usual = [call.who.mail, *postman.recipients]
    wanted = [call.ask.address] if call.ask.address else list(dict.fromkeys(filter(None, usual)))
    if not wanted:
        raise Problem(
            Status.INVALID,
            "cannot send a test: nobody is told of every rollout, and your address is not known",
            "roundsman mail test ADDRESS",
        )
    tried = wanted[:_MOST_TESTED]
    said = zip(tried, postman.try_out(tried), strict=True)
    return [MailTestView(recipient=to, problem=problem) for to, problem in said]


def problems(office: Office) -> list[str]:
    """Return what is wrong with the mail, for the coordinator's health."""
    if office.postman is None:
        return []
    rows = office.postman.outbox.latest()
    lately = office.clock() - _UNWELL_SECONDS
    given_up = [r for r in rows if r.state is MailState.GIVEN_UP and (r.ended or 0.0) > lately]
    stuck = [row for row in rows if row.state is MailState.WAITING and row.tries > 1]
    said = [
        f"{len(found)} mails {what}, the last to {found[0].recipient}: {found[0].problem}: "
        "roundsman mail list"
        for found, what in ((given_up, "were given up"), (stuck, "cannot be sent"))
        if found
    ]
    if not office.postman.is_alive:
        said.append("no mail is sent any more, see the log of the coordinator")
    return said


def check_mail(office: Office, recipients: Sequence[str]) -> None:
    """Raise `Problem` when somebody is to be told by mail and no mail can be sent."""
    if recipients:
        _postman(office)


def _postman(office: Office) -> Postman:
    if office.postman is None:
        raise Problem(
            Status.CONFLICT,
            "the coordinator has no mail server to hand its mail to",
            "write host and sender below [mail] in coordinator.toml, in the folder that roundsman "
            "init named; then start the coordinator anew",
        )
    return office.postman


def _view(row: MailRow, label: str) -> MailView:
    waits = row.state is MailState.WAITING
    return MailView(
        number=row.number,
        rollout=label,
        recipient=row.recipient,
        kind=row.kind,
        state=row.state,
        at=row.at,
        tries=row.tries,
        next_try=row.next_try if waits else None,
        ended=row.ended,
        problem=row.problem,
        message_id=row.message_id,
    )
