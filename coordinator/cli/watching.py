"""Follows a rollout until it ends: a live table at a terminal, else one line a fact."""

import time
from collections.abc import Callable
from typing import TypeVar

import typer
from rich.console import Console
from rich.live import Live

from coordinator.api.client import Client
from coordinator.api.line import Silent
from coordinator.api.schemas import RolloutView
from coordinator.cli.picture import in_line, live_table, news_line
from coordinator.walk.states import RolloutState

T = TypeVar("T")
_LOOK_SECONDS = 0.5
NEEDED_SECONDS = 60.0
_PATIENCE_SECONDS = 120.0  # a coordinator that restarts is waited for


def watch(client: Client, key: str, say: Callable[[str], None], *, live: bool) -> RolloutView:
    """Return the rollout once it has ended, having told people meanwhile.

    With `live` a table is drawn, when this is a terminal. Without one nobody sits there to be
    shown what to type, so a rollout that needs an operator is returned too, once it has needed
    one for a while. Ctrl-C raises `typer.Exit`: the rollout goes on.
    """
    first = client.rollout(key)
    console = Console()
    try:
        if live and console.is_terminal:
            return _watch_live(client, first.label, console)
        return _watch_lines(client, first.label, say)
    except KeyboardInterrupt:
        typer.echo(f"\n{first.label} goes on without you: roundsman rollout watch {first.label}")
        raise typer.Exit from None


def _watch_live(client: Client, label: str, console: Console) -> RolloutView:
    with Live(console=console, auto_refresh=False) as screen:
        while True:
            seen = patiently(lambda: client.rollout(label))
            screen.update(live_table(seen, patiently(lambda: client.why(label))), refresh=True)
            if seen.state.is_final:
                return seen
            time.sleep(_LOOK_SECONDS)


def _watch_lines(client: Client, label: str, say: Callable[[str], None]) -> RolloutView:
    told = 0
    still_in: dict[str, str] = {}
    while True:
        seen = patiently(lambda: client.rollout(label))
        told = _tell(client, label, told, say)
        still_in = _tell_who(seen, still_in, say)
        if seen.state.is_final or waits_for_a_person(seen):
            return seen
        time.sleep(_LOOK_SECONDS)


def waits_for_a_person(seen: RolloutView) -> bool:
    """True when it has stood at one question for longer than a workstation takes to come back."""
    is_asking = seen.state is RolloutState.NEEDS_OPERATOR
    return is_asking and seen.now - seen.since > NEEDED_SECONDS


def _tell(client: Client, label: str, told: int, say: Callable[[str], None]) -> int:
    """Say what is new, and return the number of the last news."""
    news = patiently(lambda: client.news(label, told))
    for item in news:
        say(news_line(item))
    return news[-1].number if news else told


def _tell_who(
    seen: RolloutView, told: dict[str, str], say: Callable[[str], None]
) -> dict[str, str]:
    """Say on which hosts others have the app open than before; return who they are now."""
    for visit in seen.visits:
        if visit.still_in != told.get(visit.id, ""):
            say(in_line(visit, seen.now))
    return {visit.id: visit.still_in for visit in seen.visits}


def patiently(ask: Callable[[], T], patience: float = _PATIENCE_SECONDS) -> T:
    """Return what `ask` returns, asking again while the coordinator is silent."""
    end = time.monotonic() + patience
    while True:
        try:
            return ask()
        except Silent:
            if time.monotonic() > end:
                raise
            time.sleep(_LOOK_SECONDS)
