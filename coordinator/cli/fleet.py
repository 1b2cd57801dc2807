"""`roundsman fleet`: workstations are let in, listed, held, revoked."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.asks import ImportAsk, TokenAsk
from coordinator.api.schemas import HostView
from coordinator.cli.output import Json, clock, end, pairs, show, table
from coordinator.cli.talk import Yes, agreed, ask, read_text, talking
from coordinator.fleet.enrolment_book import Approval

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

HostName = Annotated[str, typer.Argument(metavar="HOST", help="Name or id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; shown to everybody.")]


@app.command()
def token(
    group: Annotated[str, typer.Option(help="The hosts that share one application's data.")],
    site: Annotated[str, typer.Option(help="Where they stand.")] = "",
    role: Annotated[str, typer.Option(help="What the hosts are.")] = "workstation",
    uses: Annotated[int, typer.Option(help="For how many hosts.")] = 1,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="Let them in without approval.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a token with which workstations ask to be let in; good for 24 hours."""
    approval = Approval.AUTOMATIC if automatic else Approval.OPERATOR
    wanted = ask(TokenAsk, group=group, site=site or None, role=role, uses=uses, approval=approval)
    with talking() as client:
        made = client.token(wanted)
    show(
        made,
        lambda: (
            f"On each of {made.uses} host(s), within {made.hours:.0f} hours:\n\n"
            f"  roundsman-agent enrol {made.token}"
        ),
        as_json=as_json,
    )


@app.command("list")
def list_(
    group: Annotated[str, typer.Option(help="Of this group only.")] = "",
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List the workstations. Exits 1 when one of them needs a person."""
    with talking() as client:
        hosts = client.hosts(group, revoked=revoked)
    show(hosts, lambda: _listed(hosts), as_json=as_json)
    end(needs_a_person=any(host.needs_a_person for host in hosts))


def _listed(hosts: list[HostView]) -> str:
    rows = [
        (h.name, h.site, h.group, h.role, h.standing, _link(h), h.rollout, _remark(h))
        for h in hosts
    ]
    headers = ("host", "site", "group", "role", "standing", "link", "rollout", "remark")
    return table(headers, rows, "No hosts yet: roundsman fleet token --group GROUP")


def _link(host: HostView) -> str:
    if host.linked:
        return "up"
    return f"down since {clock(host.since)}" if host.since else "never seen"


def _remark(host: HostView) -> str:
    if host.clone_address:
        return f"another machine at {host.clone_address} shows its certificate"
    return host.problem or host.reason


@app.command("show")
def show_(host: HostName, as_json: Json = False) -> None:
    """Show one workstation. Exits 1 when it needs a person."""
    with talking() as client:
        found = client.host(host)
    show(found, lambda: _shown(found), as_json=as_json)
    end(needs_a_person=found.needs_a_person)


def _shown(host: HostView) -> str:
    return pairs(
        [
            ("host", host.name),
            ("id", host.id),
            ("site", host.site),
            ("group", host.group),
            ("role", host.role),
            ("order", host.order),
            ("standing", host.standing),
            ("reason", host.reason),
            ("link", _link(host)),
            ("address", host.address),
            ("last heard", clock(host.last_heard)),
            ("system", host.system),
            ("agent", host.agent_version),
            ("rollout", host.rollout),
            ("problem", host.problem),
            ("clone", host.clone_address),
        ]
    )


@app.command()
def approve(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...", help="Names or ids.")],
    as_json: Json = False,
) -> None:
    """Let workstations in that wait for it, one after the other."""
    found: list[HostView] = []
    with talking() as client:
        for host in hosts:
            found.append(one := client.approve(host))
            if not as_json:
                typer.echo(f"{one.name} is in the fleet, as {one.id}")
    if as_json:
        show(found if len(found) > 1 else found[0], str, as_json=True)


@app.command()
def hold(host: HostName, reason: Reason = "", as_json: Json = False) -> None:
    """Keep a workstation out of visits; its app is still closed while its group is walked."""
    with talking() as client:
        found = client.hold(host, reason)
    show(found, lambda: f"{found.name} is held", as_json=as_json)


@app.command()
def release(host: HostName, as_json: Json = False) -> None:
    """End a hold."""
    with talking() as client:
        found = client.release(host)
    show(found, lambda: f"{found.name} is held no longer", as_json=as_json)


@app.command()
def revoke(host: HostName, reason: Reason = "", yes: Yes = False, as_json: Json = False) -> None:
    """Put a workstation out of the fleet; its certificate is refused at once."""
    agreed(f"Revoke {host}? It must be enrolled again to come back", yes=yes)
    with talking() as client:
        found = client.revoke(host, reason)
    show(found, lambda: f"{found.name} is out of the fleet", as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The fleet file.")], as_json: Json = False
) -> None:
    """Give workstations their group, role and order from a file. Exits 1 when some are absent."""
    wanted = ask(ImportAsk, text=read_text(file), file=file.name)
    with talking() as client:
        done = client.import_fleet(wanted)
    show(
        done,
        lambda: pairs(
            [
                ("changed", ", ".join(done.changed) or "none"),
                ("as before", ", ".join(done.unchanged)),
                ("not enrolled yet", ", ".join(done.absent)),
            ]
        ),
        as_json=as_json,
    )
    end(needs_a_person=bool(done.absent))
