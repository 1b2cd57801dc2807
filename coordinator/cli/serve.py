"""`roundsman serve`: runs the coordinator in this terminal, or under a service manager."""

import os
import time
from typing import Annotated

import typer

from coordinator.arenas import keep_few_arenas
from coordinator.cli.init import Home
from coordinator.complaint import Complaint
from coordinator.folders import home_folder
from coordinator.open_files import allow_many_files
from coordinator.serving import serve as run
from coordinator.settings import read_settings
from coordinator.store.database import DatabaseError
from coordinator.unlocked import check_keys, expired


def serve(
    home: Home = None,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Lead agents that obey another coordinator now."),
    ] = False,
) -> None:
    """Run the coordinator until it is told to stop. Exits 2 when it cannot."""
    settings = read_settings(home_folder(home))
    check_keys(settings, os.environ)
    for said in expired(settings, time.time()):
        typer.echo(f"error: {said}", err=True)
    typer.echo(
        f"coordinator of {settings.home}, TCP {settings.link_port} and {settings.https_port}; "
        f"it writes {settings.log_folder / 'coordinator.log'}; Ctrl-C ends it"
    )
    keep_few_arenas()
    allow_many_files()
    try:
        run(settings, take_over=take_over)
    except DatabaseError as error:
        raise Complaint(str(error)) from None
