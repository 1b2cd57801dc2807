"""Follows a rollout until it ends: a live table at a terminal, else one line a fact."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import typer
from rich.console import Console
from rich.live import Live

from coordinator.api.client import Client
from coordinator.api.line import Silent
from coordinator.api.schemas import RolloutView
from coordinator.cli.picture import History, in_line, live_table, news_line
from coordinator.walk.states import RolloutState

T = TypeVar("T")
_LOOK_SECONDS = 0.5
NEEDED_SECONDS = 60.0
_PATIENCE_SECONDS = 120.0  # a coordinator that restarts is waited for


@dataclass(slots=True)
class _Told:
    """What was said so far."""

    history: History = field(default_factory=History)
    still_in: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By host: who had the app open, and how many steps were done then."""


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
    told = _Told()
    while True:
        seen = patiently(lambda: client.rollout(label))
        _tell(client, label, told, say)
        _tell_who(seen, told, say)
        if seen.state.is_final or waits_for_a_person(seen):
            return seen
        time.sleep(_LOOK_SECONDS)


def waits_for_a_person(seen: RolloutView) -> bool:
    """True when it has stood at one question for longer than a workstation takes to come back."""
    is_asking = seen.state is RolloutState.NEEDS_OPERATOR
    return is_asking and seen.now - seen.since > NEEDED_SECONDS


def _tell(client: Client, label: str, told: _Told, say: Callable[[str], None]) -> None:
    """Say what is new."""
    for item in told.history.fresh(patiently(lambda: client.news(label, told.history.number))):
        say(news_line(item))


def _tell_who(seen: RolloutView, told: _Told, say: Callable[[str], None]) -> None:
    """Say on which hosts others have the app open than before.

    That a host does not say who is in, its step being over or begun anew, is not that nobody is.
    """
    for visit in seen.visits:
        who, done = told.still_in.get(visit.id, ("", 0))
        is_left = bool(who) and visit.steps_done > done
        if visit.still_in != who and (visit.still_in or is_left):
            say(in_line(visit, seen.now))
            told.still_in[visit.id] = (visit.still_in, visit.steps_done)


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
