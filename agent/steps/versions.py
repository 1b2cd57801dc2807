"""Reads an installed version, wherever the profile says, and fills in a host's own values.

What cannot be read is no error but a version of "", and why. Users may have every right in the
app's folder: no link in it is followed, and a program of it is run as a user without rights.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.platforms.base import Spot
from agent.steps.probes import page
from agent.steps.table import Failed, Work
from agent.wire.profile import VersionKind, VersionReader

_MOST_BYTES = 2**20
_MOST_CHARACTERS = 64
_DPKG_SECONDS = 20.0
_PROGRAM_SECONDS = 10.0
_VALUE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader came to: a version, or why there is none."""

    version: str
    why: str = ""


def read_version(work: Work, reader: VersionReader) -> Reading:
    """Return the version that `reader` finds on this host."""
    try:
        text = _READERS[reader.kind](work, reader)
    except (OSError, ValueError, Failed) as error:
        return Reading("", f"cannot read a version: {where(reader)}: {_plain(error)}")
    version = version_in(text, reader.pattern)
    if not version:
        return Reading("", f"cannot read a version: {where(reader)} does not tell one")
    return Reading(version)


def version_in(text: str, pattern: str) -> str:
    """Return the first group of `pattern` in `text`, "" when there is none fit to show."""
    found = re.search(pattern, text, re.MULTILINE)
    version = (found[1] or "").strip() if found else ""
    return version if version.isprintable() and len(version) <= _MOST_CHARACTERS else ""


def app_reading(work: Work) -> Reading:
    """Return the installed version of the app, or why it cannot be read."""
    return read_version(work, work.profile.app.version)


def app_version(work: Work) -> str:
    """Return the installed version of the app, "" when it cannot be read."""
    return app_reading(work).version


def service_manager_version(work: Work) -> str:
    """Return the version of the service manager, "" when the profile or the host has none."""
    reader = work.profile.service_manager.version
    return read_version(work, reader).version if reader else ""


def is_told_by_running(reader: VersionReader) -> bool:
    """True when only a running app tells its version."""
    return reader.kind is VersionKind.HTTP


def where(reader: VersionReader) -> str:
    """Return where a version is read, for a person."""
    return f'{_WHERE[reader.kind]}"{reader.source}"'


def values_of(work: Work) -> Mapping[str, str]:
    """Return what fills {name} on this host: its own values, and the app's folder."""
    return {**work.installation.values, "folder": str(work.installation.folder)}


def unfilled(text: str, values: Mapping[str, str]) -> list[str]:
    """Return the names in `text` that this host gives no value for."""
    return [name for name in _VALUE.findall(text) if name not in values]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with every {name} replaced. Raises `Failed` when one has no value."""
    if missing := unfilled(text, values):
        raise Failed(f'cannot fill in "{text}": agent.toml gives no value for {missing[0]}')
    return _VALUE.sub(lambda found: values[found[1]], text)


def _file(work: Work, reader: VersionReader) -> str:
    with work.platform.open_file(Spot(work.installation.folder, reader.source)) as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace")


def _dpkg(work: Work, reader: VersionReader) -> str:
    query = ["dpkg-query", "-W", "-f=${db:Status-Status}|${Version}", reader.source]
    ended = work.platform.run(query, Path("/"), _DPKG_SECONDS, lambda: None)
    status, _, version = ended.output.strip().partition("|")
    if ended.code != 0 or status == "not-installed":
        raise ValueError("it is not installed")
    if status != "installed":
        raise ValueError(f"it is {status}, not installed")
    return version


def _http(work: Work, reader: VersionReader) -> str:
    return page(fill(reader.source, work.installation.values))


def _program(work: Work, reader: VersionReader) -> str:
    folder = work.installation.folder
    argv = [str(folder / reader.source), *(fill(a, values_of(work)) for a in reader.arguments)]
    ended = work.platform.run_as_nobody(argv, folder, _PROGRAM_SECONDS)
    if ended.code is None:
        raise ValueError(f"it does not end within {_PROGRAM_SECONDS:g} s")
    if ended.code != 0:
        raise ValueError(f"it ends with code {ended.code}")
    return ended.output


def _none_here(what: str) -> Callable[[Work, VersionReader], str]:
    def read(work: Work, _reader: VersionReader) -> str:
        raise ValueError(f"this system ({work.platform.name}) has no {what}")

    return read


_READERS: dict[VersionKind, Callable[[Work, VersionReader], str]] = {
    VersionKind.FILE: _file,
    VersionKind.DPKG: _dpkg,
    VersionKind.HTTP: _http,
    VersionKind.PROGRAM: _program,
    VersionKind.REGISTRY: _none_here("registry"),
    VersionKind.BUNDLE: _none_here("application bundles"),
}
_WHERE: dict[VersionKind, str] = {
    VersionKind.FILE: "",
    VersionKind.DPKG: "the package ",
    VersionKind.HTTP: "the page ",
    VersionKind.PROGRAM: "the program ",
    VersionKind.REGISTRY: "the registry's value ",
    VersionKind.BUNDLE: "the bundle ",
}


def _plain(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
