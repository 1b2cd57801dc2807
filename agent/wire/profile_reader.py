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
    Apply,
    ApplyKind,
    Backup,
    Close,
    Data,
    DataScope,
    Health,
    Licence,
    Modules,
    Profile,
    ServiceManager,
    ServiceManagerKind,
    Unattended,
    Windowless,
)
from agent.wire.profile_kinds import (
    LIMIT_SECONDS,
    USUAL_EXIT_CODES,
    check_together,
    read_exit_codes,
    read_module_version,
    read_version,
)
from agent.wire.profile_lines import Lines, line_of_toml_error
from agent.wire.profile_values import BadValue, Field

MOST_CHARACTERS = 256 * 1024
MOST_AWAY_MINUTES = 600


class ProfileError(ValueError):
    """A profile cannot be read; the text is `file:line: key: why`."""


SECTIONS: dict[str, dict[str, Field]] = {
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
        "version": Field(read_version),
    },
    "close": {
        "quit": Field(read.command, ()),
        "windowless": Field(read.word(Windowless), Windowless.WAIT),
        "unattended": Field(read.word(Unattended), Unattended.CLOSE),
        "away_minutes": Field(read.whole(0, MOST_AWAY_MINUTES), 0),
        "autosave": Field(read.several(read.relative), ()),
        "block": Field(read.switch, False),
        "reopen": Field(read.switch, False),
    },
    "service_manager": {
        "kind": Field(read.word(ServiceManagerKind), ServiceManagerKind.NONE),
        "programs": Field(read.several(read.program), ()),
        "start": Field(read.command, ()),
        "unit": Field(read.unit, ""),
        "version": Field(read_version, None),
    },
    "updater": {"programs": Field(read.several(read.program), ())},
    "apply": {
        "kind": Field(read.word(ApplyKind)),
        "keep": Field(read.several(read.relative), ()),
        "stay": Field(read.several(read.plain_name), ()),
        "program": Field(read.relative, ""),
        "arguments": Field(read.several(read.line), ()),
        "exit_codes": Field(read_exit_codes, USUAL_EXIT_CODES),
        "package": Field(read.package, ""),
        "open": Field(read.command, ()),
        "limit": Field(read.seconds(1, 86_400), LIMIT_SECONDS),
    },
    "backup": {
        "include": Field(read.several(read.relative), ()),
        "keep_last": Field(read.whole(1, 50), 2),
        "encrypt": Field(read.switch, False),
    },
    "data": {
        "scope": Field(read.word(DataScope), DataScope.HOST),
        "folders": Field(read.several(read.data_folder), ()),
        "holder": Field(read.line, ""),
        "old_reads_new": Field(read.switch, False),
    },
    "health": {
        "port": Field(read.port, ""),
        "http": Field(read.address, ""),
        "http_pattern": Field(read.pattern, ""),
        "timeout": Field(read.seconds(1, 3600), 60.0),
        "soak": Field(read.seconds(0, 3600), 2.0),
    },
    "walk": {
        "closed_while_others_update": Field(read.switch, True),
        "server_first": Field(read.line, ""),
    },
    "modules": {
        "folder": Field(read.plain_name, ""),
        "version": Field(read_module_version, None),
    },
    "licence": {
        "required": Field(read.switch, False),
        "key": Field(read.public_key, ""),
    },
    "reach": {"addresses": Field(read.several(read.peer), ())},
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
        section: _section(document.get(section, {}), section, source) for section in SECTIONS
    }
    check_together(values, source.error)
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
        if section not in SECTIONS:
            known = ", ".join(SECTIONS)
            raise source.error(f"unknown section; known are {known}", section)


def _section(given: object, section: str, source: _Source) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise source.error("must be a section", section)
    fields = SECTIONS[section]
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


def _profile(values: Mapping[str, Mapping[str, Any]]) -> Profile:
    head = values["profile"]
    return Profile(
        name=head["name"],
        title=head["title"],
        help=head["help"],
        app=_app(values["app"]),
        close=Close(**values["close"]),
        service_manager=_service_manager(values["service_manager"]),
        updater_programs=values["updater"]["programs"],
        apply=_apply(values["apply"]),
        backup=Backup(**values["backup"]),
        data=Data(**values["data"]),
        health=_health(values["health"]),
        estimate_seconds=head["estimate"],
        grace_seconds=head["grace"],
        closed_while_others_update=values["walk"]["closed_while_others_update"],
        server_first=values["walk"]["server_first"],
        modules=Modules(**values["modules"]) if values["modules"]["folder"] else None,
        licence=Licence(**values["licence"]),
        reach=values["reach"]["addresses"],
    )


def _app(given: Mapping[str, Any]) -> App:
    return App(given["folders"], given["programs"], given["version"], kill=given["kill"])


def _apply(given: Mapping[str, Any]) -> Apply:
    others = {key: value for key, value in given.items() if key != "limit"}
    return Apply(**others, limit_seconds=given["limit"])


def _service_manager(given: Mapping[str, Any]) -> ServiceManager:
    return ServiceManager(
        given["kind"], given["programs"], given["start"], given["unit"], given["version"]
    )


def _health(given: Mapping[str, Any]) -> Health:
    return Health(
        port=given["port"],
        http=given["http"],
        http_pattern=given["http_pattern"],
        timeout_seconds=given["timeout"],
        soak_seconds=given["soak"],
    )
