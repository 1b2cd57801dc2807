"""What agent.toml says about this host: who it is, whom it dials, where its apps are.

host = "pc-03-1f2e3d"
state = "/var/lib/roundsman"        # the folder of agent.toml when left out

[[coordinators]]
link = "coordinator.lan:7701"
https = "https://coordinator.lan:7702"

[apps.starface]                     # only where the profile's own folders do not fit
folder = "/srv/starface"
values = { port = "8085" }          # fills {port} in the profile's health checks
data = ["/srv/starface-data"]       # on the host that holds the data a group shares

[mirrors]                           # asked for packages before the coordinator; not trusted
urls = ["http://mirror.lan/roundsman"]

[people]                            # when left out, whoever is at a screen of this host is told
displays = [":0"]                   # notices on these screens only; [] = on none
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.real_path import ForeignLink, real_path
from agent.steps.table import Installation, Refused
from agent.wire.contract import Refusal
from agent.wire.profile import Profile

STATE_FOLDER = Path("/var/lib/roundsman")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINK = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_MIRROR = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[\w./~-]*)?")
_HTTPS = re.compile(r"https://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


class ConfigError(ValueError):
    """agent.toml cannot be used; says which file, which key and why."""


@dataclass(frozen=True, slots=True)
class Coordinator:
    """One coordinator to dial: `host:port` of its links, and the base of its HTTPS address."""

    link: str
    https: str


@dataclass(frozen=True, slots=True)
class AppPlace:
    """What this host says about one app; `folder` None leaves it to the profile."""

    folder: Path | None
    values: Mapping[str, str]
    data: tuple[Path, ...] = ()  # where shared data is, instead of the profile's data folders


@dataclass(frozen=True, slots=True)
class Config:
    """agent.toml, read."""

    host: str
    state: Path
    coordinators: tuple[Coordinator, ...]
    apps: Mapping[str, AppPlace]
    displays: tuple[str, ...] | None = None  # screens where people are told; None = all
    mirrors: tuple[str, ...] = ()  # web servers with a copy of the coordinator's packages


def read_config(file: Path) -> Config:
    """Return what `file` says. Raises `ConfigError`."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: not there, so this host is not enrolled: roundsman-agent enrol"
        ) from None
    except PermissionError:
        raise ConfigError(
            f"{file}: cannot be read by you: run this as administrator of the PC"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    return _config(_Table(f"{file}", raw), file.parent)


@dataclass(frozen=True, slots=True)
class _Table:
    where: str
    raw: Mapping[str, Any]

    def only(self, *keys: str) -> None:
        for key in self.raw:
            if key not in keys:
                raise self.error(key, f"unknown; known here: {', '.join(keys)}")

    def error(self, key: str, why: str) -> ConfigError:
        return ConfigError(f"{self.where}: {key}: {why}")

    def text(self, key: str, form: re.Pattern[str] | None = None) -> str:
        value = self.raw.get(key)
        if not isinstance(value, str) or not value.isprintable():
            raise self.error(key, "must be a text" if key in self.raw else "missing")
        if form is not None and not form.fullmatch(value):
            raise self.error(key, f'"{value}" is not of the expected form')
        return value

    def path(self, key: str, default: Path | None) -> Path | None:
        if key not in self.raw:
            return default
        path = Path(self.text(key))
        if not path.is_absolute():
            raise self.error(key, f'"{path}" must be an absolute path')
        return path

    def paths(self, key: str) -> tuple[Path, ...]:
        value = self.raw.get(key, [])
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) and Path(text).is_absolute() for text in texts):
            raise self.error(key, "must be a list of absolute paths")
        return tuple(Path(text) for text in texts)

    def texts(self, key: str) -> tuple[str, ...] | None:
        if key not in self.raw:
            return None
        value = self.raw[key]
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.error(key, "must be a list of texts")
        return tuple(value)

    def table(self, key: str) -> "_Table":
        value = self.raw.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return _Table(f"{self.where}: {key}", value)


def _config(table: _Table, beside: Path) -> Config:
    table.only("host", "state", "coordinators", "apps", "people", "mirrors")
    apps, people = table.table("apps"), table.table("people")
    people.only("displays")
    return Config(
        host=table.text("host", _HOST),
        state=_state(table, table.path("state", beside) or beside),
        coordinators=_coordinators(table),
        apps={name: _place(apps.table(name)) for name in apps.raw},
        displays=people.texts("displays"),
        mirrors=_mirrors(table.table("mirrors")),
    )


def _state(table: _Table, folder: Path) -> Path:
    """Return the state folder without links: from here on none is followed."""
    try:
        return real_path(folder.absolute())
    except OSError as error:
        raise table.error("state", f'cannot use "{folder}": {error.strerror}') from None


def _coordinators(table: _Table) -> tuple[Coordinator, ...]:
    rows = table.raw.get("coordinators", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise table.error("coordinators", "must be one or more [[coordinators]] tables")
    return tuple(
        _coordinator(_Table(f"{table.where}: coordinators[{i}]", row))
        for i, row in enumerate(rows)
    )


def _coordinator(table: _Table) -> Coordinator:
    table.only("link", "https")
    return Coordinator(table.text("link", _LINK), table.text("https", _HTTPS))


def _mirrors(table: _Table) -> tuple[str, ...]:
    table.only("urls")
    urls = table.texts("urls") or ()
    for url in urls:
        if not _MIRROR.fullmatch(url):
            raise table.error("urls", f'"{url}" is no address like http://mirror.lan/roundsman')
    return urls


def _place(table: _Table) -> AppPlace:
    table.only("folder", "values", "data")
    values = table.table("values")
    return AppPlace(
        table.path("folder", None),
        {key: values.text(key) for key in values.raw},
        table.paths("data"),
    )


def find_place(config: Config, profile: Profile) -> Installation:
    """Return where the app is, or where it would be: the first place that it may have."""
    try:
        return find_installation(config, profile)
    except Refused as refused:
        if refused.refusal is not Refusal.APP_ABSENT:
            raise
        place = config.apps.get(profile.name, AppPlace(None, {}))
        folder = place.folder or Path(profile.app.folders[0])
        return Installation(_real(folder, profile), place.values, place.data)


def find_installation(config: Config, profile: Profile) -> Installation:
    """Return where the app is on this host. Raises `Refused` APP_ABSENT or FOLDER_RIGHTS."""
    place = config.apps.get(profile.name, AppPlace(None, {}))
    candidates = [place.folder] if place.folder else [Path(f) for f in profile.app.folders]
    for folder in candidates:
        real = _real(folder, profile)
        if real.is_dir():
            return Installation(real, place.values, place.data)
    tried = ", ".join(f'"{folder}"' for folder in candidates)
    raise Refused(
        Refusal.APP_ABSENT,
        f"cannot find {profile.title or profile.name}: there is no folder {tried}; "
        f"name it in agent.toml under [apps.{profile.name}], then start the agent anew",
    )


def _real(folder: Path, profile: Profile) -> Path:
    try:
        return real_path(folder)
    except ForeignLink as error:
        raise Refused(
            Refusal.FOLDER_RIGHTS,
            f'cannot use "{folder}": {error.strerror}, who could have it lead anywhere; remove '
            f"it, or name the real folder in agent.toml under [apps.{profile.name}]",
        ) from error
