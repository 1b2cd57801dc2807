"""What is opened when somebody logs in: the entries of the XDG autostart specification. Linux.

Entries are the users' own files: no link is followed, no more than a page of each is read, and
what they say is text to show, never a thing to do.
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.platforms.base import FileControl, Platform, Spot

_COMMON = Path("/etc/xdg/autostart")
_OWN = ".config/autostart"
_MOST_ENTRIES = 100
_MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its file's name, what people call it, and the program it opens."""

    file: str
    name: str
    program: str


def entries(host: Platform, users: Iterable[str], common: Path = _COMMON) -> Iterator[Entry]:
    """Yield the entries for everybody, then those of each user."""
    yield from _below(host, Spot(common))
    for user in users:
        home = host.home(user)
        if home is not None:
            yield from _below(host, Spot(home, _OWN))


def _below(host: FileControl, folder: Spot) -> Iterator[Entry]:
    try:
        names = [name for name in host.names(folder) if name.endswith(".desktop")]
    except OSError:
        return
    for name in names[:_MOST_ENTRIES]:
        found = _entry(host, folder, name)
        if found is not None:
            yield found


def _entry(host: FileControl, folder: Spot, name: str) -> Entry | None:
    try:
        with host.open_file(folder.below(name)) as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    return parsed(name, text)


def parsed(file: str, text: str) -> Entry | None:
    """Return what a desktop entry says, None when it opens nothing or is hidden."""
    values = dict(_pairs(text))
    try:
        words = shlex.split(values.get("Exec", ""))
    except ValueError:
        return None
    words = _without_setting(words)
    if not words or values.get("Hidden", "").lower() == "true":
        return None
    return Entry(file, values.get("Name", ""), _opened(words))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the keys of the entry's own section; the first of each name holds."""
    section, seen = "", set[str]()
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip()
        key, is_pair, value = line.partition("=")
        key = key.strip()
        if section == "[Desktop Entry]" and is_pair and key not in seen:
            seen.add(key)
            yield key, value.strip()


def _without_setting(words: list[str]) -> list[str]:
    """Return the command without what is set before it: `env NAME=value ...`."""
    rest = words[1:] if words[:1] in (["env"], ["/usr/bin/env"]) else words
    while rest and "=" in rest[0]:
        rest = rest[1:]
    return rest


def _opened(words: list[str]) -> str:
    """Return the program that is opened; of an interpreter, its script."""
    script = next((word for word in words[1:] if word.startswith("/")), "")
    return script if not words[0].startswith("/") or _interprets(words[0]) else words[0]


def _interprets(program: str) -> bool:
    return Path(program).name.startswith(("python", "sh", "bash", "java", "perl", "wine"))
