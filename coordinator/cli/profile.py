"""`roundsman profile`: how an application is closed, updated and checked."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.wire.profile_reader import ProfileError, read_profile
from coordinator.api.asks import ProfileAsk
from coordinator.api.schemas import ProfileView
from coordinator.cli.output import Json, show, table, to_sign
from coordinator.cli.talk import ask, read_text, talking
from coordinator.complaint import Complaint
from coordinator.releases.actions import actions
from coordinator.releases.shipped import shipped

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
ProfileFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A profile, or the name of one that ships.")
]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the profiles that the coordinator has."""
    with talking() as client:
        found = client.profiles()
    show(found, lambda: _listed(found), as_json=as_json)


def _listed(found: list[ProfileView]) -> str:
    rows = [(p.name, p.title, "signed" if p.signed else "not signed") for p in found]
    return table(
        ("app", "title", "state"),
        rows,
        f"No profiles yet: roundsman profile add {'|'.join(sorted(shipped()))}|FILE",
    )


@app.command()
def check(file: ProfileFile, as_json: Json = False) -> None:
    """Read a profile and show every action that it allows. Needs no coordinator."""
    found = _file(file)
    try:
        profile = read_profile(read_text(found), str(file))
    except ProfileError as error:
        raise Complaint(str(error)) from None
    if as_json:
        typer.echo(json.dumps({"name": profile.name, "actions": actions(profile)}, indent=2))
        return
    lines = [f"{profile.title} ({profile.name}): a host that follows this profile"]
    typer.echo("\n".join([*lines, *(f"  {action}" for action in actions(profile))]))


@app.command()
def add(file: ProfileFile, as_json: Json = False) -> None:
    """Send a profile to the coordinator; it holds once it is signed."""
    found = _file(file)
    wanted = ask(ProfileAsk, text=read_text(found), file=found.name)
    with talking() as client:
        added = client.add_profile(wanted)
    after = to_sign(added, signed=added.signed)
    show(added, lambda: f"profile of {added.name}\n{after}", as_json=as_json)


def _file(given: Path) -> Path:
    return given if given.exists() else shipped().get(str(given), given)
