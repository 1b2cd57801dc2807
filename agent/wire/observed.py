"""What runs on a host, by the folder it is in: what a first profile of an app is drafted from.

It travels as the findings of one step: JSON, cut into pieces that a finding can hold. The host
tells all that it sees, within these bounds; which of it is the app, a person says.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Text, Whole
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.contract import Count, Name, Version

MOST_CANDIDATES = 20
MOST_PROGRAMS = 30
MOST_OTHERS = 10
_PIECE = 450

Place = Annotated[str, Text(300)]
"""A folder, or a path below one, with / between its parts."""


@dataclass(frozen=True, slots=True)
class SeenProgram:
    """A program of the folder that runs at this moment, in however many processes."""

    path: Place  # below the folder
    users: Annotated[tuple[Name, ...], Entries(MOST_OTHERS)] = ()
    processes: Count = 0
    window: bool = False  # it has a window on somebody's screen
    session: bool = False  # in somebody's session: without a window it may be a tray program
    unit: Name = ""  # the system's service that runs it


@dataclass(frozen=True, slots=True)
class AutoStart:
    """An entry that opens a program of the folder when somebody logs in."""

    program: Place  # below the folder
    entry: Place  # the name of the file
    name: Name = ""  # as people see it


@dataclass(frozen=True, slots=True)
class VersionHint:
    """A file that seems to tell a version."""

    path: Place  # below the folder
    line: Annotated[str, Text(120)]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One folder whose programs run, or are opened at log-in."""

    folder: Place
    programs: Annotated[tuple[SeenProgram, ...], Entries(MOST_PROGRAMS)] = ()
    auto_starts: Annotated[tuple[AutoStart, ...], Entries(MOST_OTHERS)] = ()
    package: Name = ""  # the installed package that its programs come from
    package_version: Version = ""
    versions: Annotated[tuple[VersionHint, ...], Entries(MOST_OTHERS)] = ()
    ports: Annotated[tuple[Annotated[int, Whole(1, 65_535)], ...], Entries(MOST_OTHERS)] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one host has told, the likeliest folder first."""

    system: Name
    candidates: Annotated[tuple[Candidate, ...], Entries(MOST_CANDIDATES)] = ()
    left_out: Count = 0  # folders beyond the bound


def pieces(seen: Observation) -> Iterator[str]:
    """Yield the observation in pieces, in order; each fits into a finding."""
    text = json.dumps(encode(seen), separators=(",", ":"))
    for begin in range(0, len(text), _PIECE):
        yield text[begin : begin + _PIECE]


def joined(found: Iterable[str]) -> Observation:
    """Return what was sent in pieces. Raises `BadMessage`."""
    try:
        return decode(Observation, json.loads("".join(found)))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadMessage(f"Observation: not JSON: {error}") from None
