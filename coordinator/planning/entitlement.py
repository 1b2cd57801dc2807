"""What a vendor has granted: for which app, to whom, how many workstations, until when. Pure.

It is a small TOML file. Whatever is not known in it is refused: it might be a limit.
"""

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.wire import profile_values as read
from agent.wire.profile_lines import Lines, line_of_toml_error
from agent.wire.profile_values import BadValue, Field

MOST_CHARACTERS = 16 * 1024
MOST_SEATS = 1_000_000
_MOST_NAME = 100


class BadEntitlement(ValueError):  # noqa: N818 - reads better where it is raised
    """A file is no entitlement; the text is `file:line: key: why`."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What is granted for one app."""

    app: str
    holder: str
    edition: str  # "" = the app has none
    seats: int  # workstations that may have it
    contract_end: dt.date | None  # last day of the update contract; None = there is none
    valid_until: dt.date | None  # last day of a licence that is rented; None = it never ends


@dataclass(frozen=True, slots=True)
class Held:
    """What is held for an app when it is judged; `problem` says why the file does not count."""

    entitlement: Entitlement | None = None
    problem: str = ""


NOTHING_HELD = Held()


def _name(value: object) -> str:
    text = read.line(value)
    if len(text) > _MOST_NAME:
        raise BadValue(f"must have 1 to {_MOST_NAME} characters")
    return text


def _day(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(read.line(value))
    except ValueError:
        raise BadValue(f"{str(value)[:40]!a} is no day, as 2027-03-31") from None


_FIELDS: dict[str, Field] = {
    "app": Field(read.name),
    "holder": Field(_name),
    "edition": Field(_name, ""),
    "seats": Field(read.whole(1, MOST_SEATS)),
    "contract_end": Field(_day, None),
    "valid_until": Field(_day, None),
}


def read_entitlement(text: str, file: str) -> Entitlement:
    """Return the entitlement in `text`, called `file` in errors. Raises `BadEntitlement`."""
    given, lines = _parse(text, file), Lines(text)
    for key in given:
        if key not in _FIELDS:
            known = ", ".join(_FIELDS)
            where = f"{file}:{lines.find(key, '')}: {str(key)[:60]!a}"
            raise BadEntitlement(f"{where}: unknown key; known are {known}")
    return Entitlement(**{key: _value(key, given, file, lines) for key in _FIELDS})


def _parse(text: str, file: str) -> dict[str, Any]:
    if len(text) > MOST_CHARACTERS:
        raise BadEntitlement(f"{file}:1: entitlement: longer than {MOST_CHARACTERS} characters")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = line_of_toml_error(str(error))
        raise BadEntitlement(f"{file}:{line}: entitlement: not TOML: {error}") from None


def _value(key: str, given: Mapping[str, Any], file: str, lines: Lines) -> Any:
    try:
        return _FIELDS[key].value(given, key)
    except BadValue as error:
        raise BadEntitlement(f"{file}:{lines.find(key, '')}: {key}: {error}") from None
