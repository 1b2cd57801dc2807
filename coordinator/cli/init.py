"""`roundsman init`: makes the coordinator, once; running it again is harmless."""

import getpass
import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.output import Json, table
from coordinator.cli.talk import PassphraseFile, passphrase
from coordinator.folders import home_folder, operator_folder
from coordinator.settings import HTTPS_PORT, LINK_PORT, Settings
from coordinator.setup import Made, set_up

Home = Annotated[Path | None, typer.Option("--home", help="The coordinator's folder.")]

_NEXT = """
Next:
  {serve:<46}  the coordinator, in a terminal of its own
  roundsman fleet token --group OFFICE            a token, to enrol workstations with
  roundsman health                                is all well?"""
_ELSEWHERE = "to sign, name the key: --key {folder}; or set ROUNDSMAN_HOME={home}"


def init(
    home: Home = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="Name or number that agents dial.")
    ] = None,
    listen: Annotated[str, typer.Option(help="Where to listen.")] = "0.0.0.0",
    link_port: Annotated[int, typer.Option(min=1, max=65535)] = LINK_PORT,
    https_port: Annotated[int, typer.Option(min=1, max=65535)] = HTTPS_PORT,
    site: Annotated[str, typer.Option(help="Name of this LAN.")] = "main",
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make keys, folders, database and your own access; twice is harmless."""
    settings = Settings(
        home=home_folder(home),
        listen=listen,
        link_port=link_port,
        https_port=https_port,
        addresses=tuple(address or [socket.getfqdn()]),
        site=site,
    )
    made = set_up(
        settings,
        operator_folder(),
        getpass.getuser(),
        lambda: passphrase(passphrase_file, confirm=True),
    )
    typer.echo(_for_programs(made) if as_json else _for_people(made, settings))


def _for_programs(made: list[Made]) -> str:
    return json.dumps([{"what": m.what, "where": str(m.where), "new": m.new} for m in made])


def _for_people(made: list[Made], settings: Settings) -> str:
    rows = [(m.what, m.where, "made" if m.new else "was there") for m in made]
    said = table(("what", "where", "state"), rows, "")
    if not any(m.new for m in made):
        return f"{said}\n\nEverything was there already; nothing was changed."
    if settings.home == home_folder():
        return f"{said}\n{_NEXT.format(serve='roundsman serve')}"
    following = _NEXT.format(serve=f"roundsman serve --home {settings.home}")
    elsewhere = _ELSEWHERE.format(folder=settings.signing_folder, home=settings.home)
    return f"{said}\n{following}\n\n{elsewhere}"
