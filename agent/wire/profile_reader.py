"""Reads an application profile from TOML, and refuses what it does not know.

Every error names the file, the line and the key. What a profile may name is narrow on purpose:
programs and patterns below the app's own folder, addresses of this host, numbers within bounds.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.wire import profile_values as read
from agent.wire.profile import (
    App,
    DataScope,
    Health,
    Profile,
    ServiceManager,
    ServiceManagerKind,
    VersionReader,
)
from agent.wire.profile_lines import Lines, line_of_toml_error
from agent.wire.profile_values import BadValue, Field

MOST_CHARACTERS = 256 * 1024


class ProfileError(ValueError):
    """A profile cannot be read; the text is `file:line: key: why`."""


_VERSION = {"file": Field(read.relative), "pattern": Field(read.pattern)}

_SECTIONS: dict[str, dict[str, Field]] = {
    "profile": {
        "name": Field(read.name),
        "title": Field(read.line),
        "help": Field(read.line, ""),
        "estimate": Field(read.seconds(1, 86_400), 300.0),
        "grace": Field(read.seconds(0, 86_400), 60.0),
    },
    "app": {
        "folders": Field(read.some(read.folder)),
        "programs": Field(read.some(read.program)),
        "kill": Field(read.switch, False),
        "version": Field(read.table(_VERSION)),
    },
    "service_manager": {
        "kind": Field(read.word(ServiceManagerKind), ServiceManagerKind.NONE),
        "programs": Field(read.several(read.program), ()),
        "start": Field(read.command, ()),
        "unit": Field(read.unit, ""),
        "version": Field(read.table(_VERSION), None),
    },
    "updater": {"programs": Field(read.several(read.program), ())},
    "apply": {
        "kind": Field(read.only("replace-folder")),
        "keep": Field(read.several(read.relative), ()),
    },
    "backup": {"include": Field(read.several(read.relative), ())},
    "data": {"scope": Field(read.word(DataScope), DataScope.HOST)},
    "health": {
        "port": Field(read.port, ""),
        "http": Field(read.address, ""),
        "http_pattern": Field(read.pattern, ""),
        "timeout": Field(read.seconds(1, 3600), 60.0),
        "soak": Field(read.seconds(0, 3600), 2.0),
    },
    "walk": {"closed_while_others_update": Field(read.switch, True)},
}
"""Every section and key there is; a key without a default must be given."""


@dataclass(frozen=True, slots=True)
class _Source:
    file: str
    lines: Lines

    def error(self, why: str, section: str, key: str = "") -> ProfileError:
        where = f"{section}.{key}" if key else section
        return ProfileError(f"{self.file}:{self.lines.find(section, key)}: {where}: {why}")


def read_profile(text: str, file: str) -> Profile:
    """Return the profile in `text`; `file` is only named in errors.

    Raises:
        ProfileError: the text is not TOML, or has an unknown, missing or bad key.
    """
    document = _parse(text, file)
    source = _Source(file, Lines(text))
    _refuse_unknown(document, source)
    values = {
        section: _section(document.get(section, {}), section, source) for section in _SECTIONS
    }
    _check_together(values, source)
    return _profile(values)


def _parse(text: str, file: str) -> dict[str, Any]:
    if len(text) > MOST_CHARACTERS:
        raise ProfileError(f"{file}:1: profile: longer than {MOST_CHARACTERS} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = line_of_toml_error(str(error))
        raise ProfileError(f"{file}:{line}: profile: not TOML: {error}") from None


def _refuse_unknown(document: Mapping[str, Any], source: _Source) -> None:
    for section in document:
        if section not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            raise source.error(f"unknown section; known are {known}", section)


def _section(given: object, section: str, source: _Source) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise source.error("must be a section", section)
    fields = _SECTIONS[section]
    for key in given:
        if key not in fields:
            raise source.error(f"unknown key; known are {', '.join(fields)}", section, key)
    return {key: _value(field, given, section, key, source) for key, field in fields.items()}


def _value(
    field: Field, given: Mapping[str, Any], section: str, key: str, source: _Source
) -> object:
    try:
        return field.value(given, key)
    except BadValue as error:
        raise source.error(str(error), section, key) from None


def _check_together(values: Mapping[str, Mapping[str, Any]], source: _Source) -> None:
    manager, health = values["service_manager"], values["health"]
    kind = manager["kind"]
    for key in _NEEDED[kind]:
        if not manager[key]:
            raise source.error(f'missing: kind "{kind}" needs it', "service_manager", key)
    if kind is not ServiceManagerKind.SYSTEMD and manager["unit"]:
        raise source.error(f'not used by kind "{kind}"', "service_manager", "unit")
    if bool(health["http"]) != bool(health["http_pattern"]):
        raise source.error("http and http_pattern go together", "health", "http")


_NEEDED: dict[ServiceManagerKind, tuple[str, ...]] = {
    ServiceManagerKind.NONE: (),
    ServiceManagerKind.PROGRAM: ("programs", "start"),
    ServiceManagerKind.SYSTEMD: ("unit",),
}


def _profile(values: Mapping[str, Mapping[str, Any]]) -> Profile:
    head = values["profile"]
    return Profile(
        name=head["name"],
        title=head["title"],
        help=head["help"],
        app=_app(values["app"]),
        service_manager=_service_manager(values["service_manager"]),
        updater_programs=values["updater"]["programs"],
        keep=values["apply"]["keep"],
        backup=values["backup"]["include"],
        data_scope=values["data"]["scope"],
        health=_health(values["health"]),
        estimate_seconds=head["estimate"],
        grace_seconds=head["grace"],
        closed_while_others_update=values["walk"]["closed_while_others_update"],
    )


def _app(given: Mapping[str, Any]) -> App:
    version = VersionReader(**given["version"])
    return App(given["folders"], given["programs"], version, kill=given["kill"])


def _service_manager(given: Mapping[str, Any]) -> ServiceManager:
    version = VersionReader(**given["version"]) if given["version"] else None
    return ServiceManager(given["kind"], given["programs"], given["start"], given["unit"], version)


def _health(given: Mapping[str, Any]) -> Health:
    return Health(
        port=given["port"],
        http=given["http"],
        http_pattern=given["http_pattern"],
        timeout_seconds=given["timeout"],
        soak_seconds=given["soak"],
    )
