"""`roundsman mail`: whether people are told, and how that goes."""

from typing import Annotated

import typer

from coordinator.api.asks import MailTestAsk
from coordinator.api.mail_schemas import MailTestView, MailView
from coordinator.cli.output import Json, clock, end, show, table
from coordinator.cli.talk import ask, talking

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_MEND = (
    "see that [mail] in the coordinator's settings names the server, port, security and login "
    "that it wants; restart roundsman serve, then: roundsman mail test"
)


@app.command("test")
def try_out(
    address: Annotated[str, typer.Argument(help="To whom; else whom every rollout tells.")] = "",
    as_json: Json = False,
) -> None:
    """Send a test mail at once. Exits 1 when the mail server does not take it."""
    with talking() as client:
        found = client.test_mail(ask(MailTestAsk, address=address))
    show(found, lambda: "\n".join(map(_outcome, found)), as_json=as_json)
    end(needs_a_person=any(one.needs_a_person for one in found))


def _outcome(one: MailTestView) -> str:
    if one.problem:
        return f"{one.recipient}: not sent: {one.problem}\n  {_MEND}"
    return f"{one.recipient}: the mail server has taken it; look whether it arrives"


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List mails: given up, waiting, sent. Exits 1 when one was given up."""
    with talking() as client:
        found = client.mails()
    show(found, lambda: _listed(found), as_json=as_json)
    end(needs_a_person=any(one.state == "given-up" for one in found))


def _listed(found: list[MailView]) -> str:
    rows = [
        (
            m.rollout,
            m.kind,
            m.recipient,
            m.state,
            clock(m.at),
            m.tries,
            clock(m.next_try),
            m.problem,
        )
        for m in found
    ]
    headers = ("rollout", "what", "to", "state", "since", "tries", "next", "problem")
    return table(headers, rows, "No mail yet.")
