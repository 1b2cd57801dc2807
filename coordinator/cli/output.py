"""Shows answers: tables for people, JSON for programs."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from pydantic import BaseModel
from tabulate import tabulate

from coordinator.api.schemas import Added

A_PERSON_IS_NEEDED = 1
_GAP = 2
_NARROWEST = 20

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Answers = BaseModel | Sequence[BaseModel]


def show(answer: Answers, people: Callable[[], str], *, as_json: bool) -> None:
    """Print an answer for programs or for people."""
    if as_json:
        typer.echo(json.dumps(plain(answer), indent=2))
    else:
        typer.echo(people())


def plain(answer: Answers) -> object:
    """Return an answer as what `json` writes."""
    if isinstance(answer, BaseModel):
        return answer.model_dump(mode="json")
    return [item.model_dump(mode="json") for item in answer]


def to_sign(added: Added, *, signed: bool) -> str:
    """Return what comes after something was added: its signature, and those that were lost."""
    if signed:
        return "signed already"
    lost = f"{added.dropped} signatures of the list were dropped: it has changed\n"
    return f"{lost if added.dropped else ''}next: roundsman release sign"


def end(*, needs_a_person: bool) -> None:
    """End the command: with exit code 1 when a person is needed."""
    if needs_a_person:
        raise typer.Exit(A_PERSON_IS_NEEDED)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> str:
    """Return a table, or what to say when it would be empty.

    At a terminal the last column, which says why, is broken into lines that fit; where others
    leave it no room, the widest are broken with it.
    """
    if not rows:
        return empty
    widths = _widths(headers, rows) if sys.stdout.isatty() else None
    return tabulate(rows, headers, "simple", disable_numparse=True, maxcolwidths=widths)


def _widths(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[int | None]:
    """Return how wide each column may be, None = as wide as it is."""
    wide = [
        max(len(header) + _GAP, *(len(str(row[i])) for row in rows))
        for i, header in enumerate(headers)
    ]
    room = shutil.get_terminal_size().columns - _GAP * (len(wide) - 1)
    last = room - sum(wide[:-1])
    if last >= _NARROWEST:
        return [*([None] * (len(wide) - 1)), last]
    most = _most(wide, room)
    return [most if most and column > most else None for column in wide]


def _most(wide: Sequence[int], room: int) -> int:
    """Return how wide any column may be for all to fit, 0 = they cannot."""
    fitting = (
        m for m in range(max(wide), _NARROWEST - 1, -1) if sum(min(w, m) for w in wide) <= room
    )
    return next(fitting, 0)


def pairs(rows: Sequence[tuple[str, object]]) -> str:
    """Return facts one below the other; those without a value are left out."""
    return tabulate(
        [row for row in rows if row[1] not in {"", None}], tablefmt="plain", disable_numparse=True
    )


def clock(at: float | None) -> str:
    """Return a time of day, the date before it unless that is today."""
    if at is None:
        return ""
    local = time.localtime(at)
    today = time.localtime()[:3] == local[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", local)


def ago(seconds: float) -> str:
    """Return how long ago something was."""
    return f"{duration(seconds)} ago"


def duration(seconds: float) -> str:
    """Return a length of time in its one or two largest units."""
    whole = max(0, round(seconds))
    for unit, size, below, below_name in _UNITS:
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {below_name}" if rest else "")
    return f"{whole} s"


_UNITS = (("d", 86_400, 3600, "h"), ("h", 3600, 60, "min"), ("min", 60, 1, "s"))


def size(count: int) -> str:
    """Return a number of bytes as people write it."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
