"""`roundsman release`: what is known of releases is listed, signed and published."""

import json
from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.schemas import PackageView, UnsignedView
from coordinator.cli import adding, finding, staging
from coordinator.cli.output import Json, clock, end, show, size, table
from coordinator.cli.talk import PassphraseFile, Yes, agreed, passphrase, talking
from coordinator.folders import home_folder
from coordinator.signing import Vouched, key_file, read_list, sign_list

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command()(finding.find)
app.command()(finding.notes)
app.command()(adding.add)
app.command()(staging.stage)
app.command()(staging.staged)


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
            "signed" if p.signed else "not signed",
            p.added_by,
            clock(p.at),
        )
        for p in found
    ]
    headers = ("app", "version", "role", "system", "size", "state", "added by", "at")
    return table(headers, rows, "No packages yet: roundsman release add APP VERSION FILE")


@app.command()
def unsigned(as_json: Json = False) -> None:
    """Show what waits for a signature. Exits 1 when something does."""
    with talking() as client:
        found = client.unsigned()
    new = [t for t in found.targets if t.new]
    rows = [(t.name, t.sha256[:16]) for t in new]
    show(found, lambda: table(("target", "sha256"), rows, "Nothing waits."), as_json=as_json)
    end(needs_a_person=bool(new))


@app.command()
def sign(
    key: Annotated[
        Path | None, typer.Option(help="The signing key, or the folder or stick it is on.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show what is to be signed, sign it here with the encrypted key, and publish it."""
    with talking() as client:
        found = client.unsigned()
        vouched = read_list(found.unsigned, client.content)
        typer.echo(_shown(found, vouched), err=as_json)
        agreed("Sign this list? Agents will accept what is on it", yes=yes)
        file = key_file(key, home_folder())
        signed = sign_list(found.unsigned, file, passphrase(passphrase_file, confirm=False))
        done = client.publish(signed)
    if as_json:
        typer.echo(json.dumps(done.model_dump(mode="json"), indent=2))
    else:
        typer.echo(f"{len(done.targets)} targets are signed and published")


def _shown(found: UnsignedView, vouched: list[Vouched]) -> str:
    new = {t.name for t in found.targets if t.new}
    return "\n".join(_one(item, "new" if item.name in new else "as before") for item in vouched)


def _one(item: Vouched, news: str) -> str:
    head = f"{item.name} ({news})  sha256 {item.sha256}"
    is_package = item.what == "package"
    said = [f"{item.files} files, {size(item.size)} unpacked"] if is_package else []
    return "\n".join([head, *(f"  {line}" for line in (*said, *item.actions))])
