"""Follows what the coordinator does for a while: a bar at a terminal, else a line now and then."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from coordinator.cli.output import size
from coordinator.cli.watching import patiently

T = TypeVar("T")
_LOOK_SECONDS = 0.5
_SAID_EVERY = 5.0
_PATIENCE_SECONDS = 1.0


class Now(NamedTuple):
    """What is done just then, "" = nothing to tell, and how far it has come."""

    about: str
    bytes_done: int
    bytes_total: int


Look = Callable[[], T]
Tell = Callable[[T], Now | None]
"""Returns what is done, None once all of it has ended."""


def followed(first: T, look: Look[T], tell: Tell[T], *, quiet: bool, leave: str) -> T:
    """Return what `look` sees last, having told people of its progress on the error stream.

    Ctrl-C raises `typer.Exit`, having said `leave`: what the coordinator does goes on.
    """
    console = Console(stderr=True)
    try:
        if console.is_terminal and not quiet:
            return _drawn(first, look, tell, console)
        return _told(first, look, tell, quiet=quiet)
    except KeyboardInterrupt:
        typer.echo(f"\n{leave}", err=True)
        raise typer.Exit(1) from None


@contextmanager
def waited_for(about: str) -> Iterator[None]:
    """Show at a terminal, on the error stream, what takes longer than a second meanwhile."""
    console = Console(stderr=True)
    shown = console.status(Text(about))
    late = threading.Timer(_PATIENCE_SECONDS, shown.start)
    if console.is_terminal:
        late.start()
    try:
        yield
    finally:
        late.cancel()
        if console.is_terminal:
            late.join()
        shown.stop()


def _drawn(seen: T, look: Look[T], tell: Tell[T], console: Console) -> T:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("", total=None)
        while (now := tell(seen)) is not None:
            total = now.bytes_total or None
            bars.update(bar, description=now.about, completed=now.bytes_done, total=total)
            time.sleep(_LOOK_SECONDS)
            seen = patiently(look)
    return seen


def _told(seen: T, look: Look[T], tell: Tell[T], *, quiet: bool) -> T:
    said, at = "", time.monotonic()
    while (now := tell(seen)) is not None:
        late = time.monotonic() - at > _SAID_EVERY
        if now.about and not quiet and (now.about != said or late):
            said, at = now.about, time.monotonic()
            typer.echo(f"{now.about}{_bytes(now)}", err=True)
        time.sleep(_LOOK_SECONDS)
        seen = patiently(look)
    return seen


def _bytes(now: Now) -> str:
    return f", {size(now.bytes_done)} of {size(now.bytes_total)}" if now.bytes_total else ""
