"""Reads an installed version from the disk, and fills in what a host's values stand for."""

import re
from collections.abc import Mapping
from pathlib import Path

from agent.steps.table import Failed, Work
from agent.wire.profile import VersionReader

_MOST_BYTES = 2**20
_MOST_CHARACTERS = 64
_VALUE = re.compile(r"\{([a-z_]+)\}")


def read_version(folder: Path, reader: VersionReader) -> str:
    """Return the version that `reader` finds in `folder`, "" when it finds none."""
    try:
        with (folder / reader.source).open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return version_in(text, reader.pattern)


def version_in(text: str, pattern: str) -> str:
    """Return the first group of `pattern` in `text`, "" when there is none fit to show."""
    found = re.search(pattern, text, re.MULTILINE)
    version = (found[1] or "").strip() if found else ""
    return version if version.isprintable() and len(version) <= _MOST_CHARACTERS else ""


def app_version(work: Work) -> str:
    """Return the installed version of the app, "" when it cannot be read."""
    return read_version(work.installation.folder, work.profile.app.version)


def service_manager_version(work: Work) -> str:
    """Return the version of the service manager, "" when the profile or the disk has none."""
    reader = work.profile.service_manager.version
    return read_version(work.installation.folder, reader) if reader else ""


def unfilled(text: str, values: Mapping[str, str]) -> list[str]:
    """Return the names in `text` that this host gives no value for."""
    return [name for name in _VALUE.findall(text) if name not in values]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with every {name} replaced. Raises `Failed` when one has no value."""
    if missing := unfilled(text, values):
        raise Failed(f'cannot fill in "{text}": agent.toml gives no value for {missing[0]}')
    return _VALUE.sub(lambda found: values[found[1]], text)
