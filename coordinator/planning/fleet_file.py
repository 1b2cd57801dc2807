"""Reads a fleet file: which workstation belongs where, and in which order they are visited.

    [[host]]
    name = "PC-01"
    group = "office"
    site = "lyon"            # the coordinator's own when left out
    role = "workstation"     # as written when left out
    order = 1                # its place in the file when left out

Every error names the file, the line and the key. Pure.
"""

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from agent.wire.profile_lines import line_of_toml_error
from coordinator.model import Host

MOST_HOSTS = 1000
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*host[ \t]*\]\]", re.MULTILINE)
_TEXTS = ("name", "group", "site", "role")
_KEYS = (*_TEXTS, "order")
_LONGEST = 100
_LAST = 10_000


class FleetError(ValueError):
    """A fleet file cannot be used; the text is `file:line: host: key: why`."""


@dataclass(frozen=True, slots=True)
class HostEntry:
    """Where one workstation belongs."""

    name: str
    group: str
    site: str
    role: str
    order: int

    def is_place_of(self, host: Host) -> bool:
        """True when the host is there already."""
        there = (host.name, host.group, host.site, host.role, host.order)
        return there == (self.name, self.group, self.site, self.role, self.order)


@dataclass(frozen=True, slots=True)
class _Block:
    """The text of one host in the file, so that an error can name its line."""

    file: str
    line: int
    text: str
    number: int

    def error(self, key: str, why: str) -> FleetError:
        found = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*=", self.text, re.MULTILINE)
        line = self.line + (self.text.count("\n", 0, found.start()) if found else 0)
        return FleetError(f"{self.file}:{line}: host {self.number}: {key}: {why}")


def read_fleet(text: str, file: str, site: str) -> tuple[HostEntry, ...]:
    """Return what the file says, in its order; `site` holds where none is given.

    Raises:
        FleetError: it is not TOML, a key is unknown, missing or bad, or a name is there twice.
    """
    tables = _tables(text, file)
    blocks = _blocks(text, file, len(tables))
    pairs = zip(tables, blocks, strict=False)
    entries = [_entry(table, block, site) for table, block in pairs]
    _refuse_twins(entries, blocks)
    return tuple(entries)


def _tables(text: str, file: str) -> list[Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = line_of_toml_error(str(error))
        raise FleetError(f"{file}:{line}: not TOML: {error}") from None
    for key in document:
        if key != "host":
            raise FleetError(f"{file}:1: {key}: unknown; a fleet file holds [[host]] only")
    hosts = document.get("host")
    if not isinstance(hosts, list) or not 0 < len(hosts) <= MOST_HOSTS:
        raise FleetError(f"{file}:1: host: must be 1 to {MOST_HOSTS} tables, each [[host]]")
    return hosts


def _blocks(text: str, file: str, count: int) -> list[_Block]:
    """Return each host's own text; of those written in another style only the file is known."""
    starts = [found.start() for found in _HEADER.finditer(text)]
    ends = [*starts[1:], len(text)]
    blocks = [
        _Block(file, text.count("\n", 0, start) + 1, text[start:end], number)
        for number, (start, end) in enumerate(zip(starts, ends, strict=False), start=1)
    ]
    rest = range(len(blocks) + 1, count + 1)
    return blocks + [_Block(file, 1, "", number) for number in rest]


def _entry(table: object, block: _Block, site: str) -> HostEntry:
    if not isinstance(table, dict):
        raise block.error("host", "must be a table")
    for key in table:
        if key not in _KEYS:
            raise block.error(key, f"unknown; known are {', '.join(_KEYS)}")
    given = {"site": site, "role": "workstation"} | table
    name, group, where, role = (_text(given.get(key), key, block) for key in _TEXTS)
    order = table.get("order", block.number)
    if type(order) is not int or not 0 <= order <= _LAST:
        raise block.error("order", f"must be a number from 0 to {_LAST}")
    return HostEntry(name, group, where, role, order)


def _text(value: object, key: str, block: _Block) -> str:
    if value is None:
        raise block.error(key, "missing")
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise block.error(key, "must be a text on one line")
    if len(value) > _LONGEST:
        raise block.error(key, f"longer than {_LONGEST} characters")
    return value


def _refuse_twins(entries: list[HostEntry], blocks: list[_Block]) -> None:
    seen: dict[str, int] = {}
    for entry, block in zip(entries, blocks, strict=False):
        first = seen.get(entry.name.lower())
        if first is not None:
            raise block.error("name", f"{entry.name} is there twice, first as host {first}")
        seen[entry.name.lower()] = block.number
