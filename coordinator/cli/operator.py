"""`roundsman operator`: who may speak to the coordinator, and as what."""

from typing import Annotated

import typer

from coordinator.access import fingerprint_of, read_access
from coordinator.api.asks import MailAsk, OperatorAsk
from coordinator.api.roles import OperatorRole
from coordinator.api.schemas import OperatorView
from coordinator.cli.output import Json, show, table
from coordinator.cli.talk import Yes, agreed, ask, talking
from coordinator.folders import operator_folder

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the operators."""
    with talking() as client:
        found = client.operators()
    show(found, lambda: _listed(found), as_json=as_json)


@app.command()
def add(
    name: Name,
    role: Annotated[OperatorRole, typer.Option(help="What they may do.")] = OperatorRole.OPERATOR,
    mail: Annotated[str, typer.Option(help="Where they are told how their rollouts go.")] = "",
    as_json: Json = False,
) -> None:
    """Let somebody in, or give somebody a new token and role; the old token ends."""
    with talking() as client:
        made = client.add_operator(ask(OperatorAsk, name=name, role=role, mail=mail))
    access = read_access(operator_folder())
    fingerprint, port = fingerprint_of(access.ca.read_bytes()), access.address.rpartition(":")[2]
    show(
        made,
        lambda: (
            f"The token of {made.name}, {made.role}; it is shown this once:\n\n  {made.token}\n\n"
            f"On their PC: roundsman login COORDINATOR:{port} --fingerprint {fingerprint}"
        ),
        as_json=as_json,
    )


@app.command()
def mail(
    name: Name,
    address: Annotated[str, typer.Argument(help="Left out: nobody is written to.")] = "",
    as_json: Json = False,
) -> None:
    """Say where somebody is told how the rollouts go that they start; the token stays."""
    wanted = ask(MailAsk, mail=address)
    with talking() as client:
        found = client.set_mail(name, wanted.mail)
    show(found, lambda: _listed(found), as_json=as_json)


@app.command()
def revoke(name: Name, yes: Yes = False, as_json: Json = False) -> None:
    """End somebody's token, at once."""
    agreed(f"Revoke {name}?", yes=yes)
    with talking() as client:
        left = client.revoke_operator(name)
    show(left, lambda: _listed(left), as_json=as_json)


def _listed(found: list[OperatorView]) -> str:
    rows = [(o.name, o.role, o.mail) for o in found]
    return table(("operator", "role", "mail"), rows, "Nobody.")
