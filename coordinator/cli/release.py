"""`roundsman release`: what is known of releases is listed, signed and published."""

from typing import Annotated

import typer

from coordinator.api.schemas import PackageView
from coordinator.cli import adding, finding, signing, staging, withdrawing
from coordinator.cli.output import Json, clock, show, size, table
from coordinator.cli.talk import talking

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command()(finding.find)
app.command()(finding.notes)
app.command()(adding.add)
app.command()(signing.unsigned)
app.command()(signing.sign)
app.command()(signing.publish)
app.command()(staging.stage)
app.command()(staging.staged)
app.command()(withdrawing.withdraw)


@app.command("list")
def list_(
    name: Annotated[str, typer.Option("--app", help="Of this application only.")] = "",
    version: Annotated[str, typer.Option(help="Of this version only.")] = "",
    as_json: Json = False,
) -> None:
    """List the packages, newest first."""
    with talking() as client:
        found = client.packages(name, version)
    show(found, lambda: _listed(found), as_json=as_json)


def _listed(found: list[PackageView]) -> str:
    rows = [
        (
            p.app,
            p.version,
            p.role,
            p.system,
            size(p.size),
            _state(p),
            p.added_by,
            clock(p.at),
        )
        for p in found
    ]
    headers = ("app", "version", "role", "system", "size", "state", "added by", "at")
    return table(
        headers, rows, "No packages yet: roundsman release find, or release add APP VERSION FILE"
    )


def _state(package: PackageView) -> str:
    state = "signed" if package.signed else "not signed"
    if not package.withdrawn:
        return state
    still = "; agents still accept it: roundsman release sign" if package.signed else ""
    return f"withdrawn {package.withdrawn}{still}"
