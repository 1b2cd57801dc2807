"""The program `roundsman`: finds the command that was typed, and loads that one alone.

Exit codes: 0 all is well, 1 a person is needed, 2 it could not be asked. Errors go to standard
error as "error: ..." and "mend: ...".
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from coordinator import __version__
from coordinator.complaint import Blocked, Complaint

A_PERSON_IS_NEEDED, COULD_NOT_ASK = 1, 2
_ABOUT = "Update the workstations of an office, one at a time, all on the same day."


@dataclass(frozen=True, slots=True)
class Row:
    """One word that may follow `roundsman`, and where it is done."""

    name: str
    place: str  # module:attribute; a group of commands, or one command
    about: str


# fmt: off
COMMANDS: tuple[Row, ...] = (
    Row("init", "coordinator.cli.init:init", "Make the coordinator: keys, folders, database."),
    Row("serve", "coordinator.cli.serve:serve", "Run the coordinator."),
    Row("login", "coordinator.cli.login:login", "Let this PC speak to a coordinator elsewhere."),
    Row("fleet", "coordinator.cli.fleet:app", "Workstations: let in, list, hold, revoke."),
    Row("profile", "coordinator.cli.profile_host:app", "How an app is closed and checked."),
    Row("release", "coordinator.cli.release:app", "Packages: add, sign, send ahead, withdraw."),
    Row("keys", "coordinator.cli.keys:app", "Keys that sign: list, renew, replace, several."),
    Row("licence", "coordinator.cli.licence:app", "What vendors have granted, until when."),
    Row("doctor", "coordinator.cli.planning:doctor", "Look for what would spoil the day."),
    Row("plan", "coordinator.cli.planning:plan", "Make or show a timetable; changes nothing."),
    Row("drill", "coordinator.cli.planning:drill", "Walk a plan for real, with nothing applied."),
    Row("rollout", "coordinator.cli.rollout:app", "Start, watch, steer and explain a rollout."),
    Row("backup", "coordinator.cli.backup:app", "A workstation's backups: list, verify, restore."),
    Row("mail", "coordinator.cli.mail:app", "Who is told by mail, and whether it arrives."),
    Row("tidy", "coordinator.cli.tidy:tidy", "Delete what no release needs any more."),
    Row("operator", "coordinator.cli.operator:app", "Who may speak to the coordinator."),
    Row("audit", "coordinator.cli.health:audit", "Who did what, when."),
    Row("health", "coordinator.cli.health:health", "How the coordinator is."),
    Row("demo", "coordinator.cli.demo:demo", "Five workstations on this machine, for real."),
)
"""Every command there is, in the order in which an admin meets them."""
# fmt: on


def main() -> None:
    """Do what was typed, and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Do what `words` say and return the exit code."""
    try:
        program(words)(list(words), prog_name="roundsman")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else COULD_NOT_ASK
    except Complaint as complaint:
        typer.echo(f"error: {complaint.error}", err=True)
        if complaint.mend:
            typer.echo(f"mend: {complaint.mend}", err=True)
        return A_PERSON_IS_NEEDED if isinstance(complaint, Blocked) else COULD_NOT_ASK
    return 0


def program(words: Sequence[str]) -> typer.Typer:
    """Return the program, with only the command loaded that `words` begin with."""
    app = typer.Typer(
        help=_ABOUT,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    wanted = words[0] if words else ""
    app.callback()(_of_all)
    for row in COMMANDS:
        if row.name == wanted:
            _add_loaded(app, row)
        else:
            app.command(row.name, help=row.about)(_not_loaded)
    return app


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_tell_version, help="Say which this is."),
]


def _of_all(version: _Version = False) -> None:
    """Take what may stand before any command; the option has done it already."""


def _add_loaded(app: typer.Typer, row: Row) -> None:
    module, _, attribute = row.place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=row.name, help=row.about)
    else:
        app.command(row.name)(found)


def _not_loaded() -> None:
    """Stand in a list of commands for one that was not asked for."""
