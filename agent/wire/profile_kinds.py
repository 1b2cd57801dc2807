"""The values of a profile that come in kinds, and which keys each kind needs or does not use."""

import posixpath
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from agent.wire import profile_values as read
from agent.wire.profile import (
    ApplyKind,
    DataScope,
    ExitMeaning,
    ServiceManagerKind,
    VersionKind,
    VersionReader,
)
from agent.wire.profile_values import BadValue, Field, Reader

Values = Mapping[str, Mapping[str, Any]]
ErrorAt = Callable[[str, str, str], ValueError]
"""Makes an error of a reason, a section and a key."""


def _registry(value: object) -> str:
    text = read.line(value)
    if not text.startswith(("HKLM\\", "HKCU\\")) or text.count("\\") < 2:
        raise BadValue(f"{text!r} must be HKLM\\key\\value or HKCU\\key\\value")
    return text


_SOURCES: dict[VersionKind, Reader] = {
    VersionKind.FILE: read.relative,
    VersionKind.DPKG: read.package,
    VersionKind.HTTP: read.address,
    VersionKind.PROGRAM: read.command,
    VersionKind.REGISTRY: _registry,
    VersionKind.BUNDLE: read.relative,
}
_WITHOUT_PATTERN = {VersionKind.DPKG, VersionKind.REGISTRY, VersionKind.BUNDLE}


def read_version(value: object) -> VersionReader:
    """Read a version reader: a table of one source, and a pattern where the source is a text."""
    kinds = ", ".join(_SOURCES)
    named = [kind for kind in _SOURCES if isinstance(value, dict) and kind in value]
    if len(named) != 1:
        raise BadValue(f"must be a table with exactly one of {kinds}")
    kind = named[0]
    default = {"default": "(.+)"} if kind in _WITHOUT_PATTERN else {}
    fields = {kind.value: Field(_SOURCES[kind]), "pattern": Field(read.pattern, **default)}
    given = read.table(fields)(value)
    source, pattern = given[kind.value], given["pattern"]
    if kind is not VersionKind.PROGRAM:
        return VersionReader(kind, source, pattern)
    if not source:
        raise BadValue("program: must name a program below the app's folder")
    return VersionReader(kind, source[0], pattern, source[1:])


def read_module_version(value: object) -> VersionReader:
    """Read how a module's version is read: a file below the module's folder, and a pattern."""
    reader = read_version(value)
    if reader.kind is not VersionKind.FILE:
        raise BadValue("must be a table of file and pattern: a module's version is in a file")
    return reader


def read_exit_codes(value: object) -> tuple[tuple[int, ExitMeaning], ...]:
    """Read what an installer's exit codes mean; a code may have one meaning only."""
    codes = read.several(read.whole(0, 2**32 - 1))
    meanings = [meaning for meaning in ExitMeaning if meaning is not ExitMeaning.FAILED]
    given = read.table({meaning.value: Field(codes, ()) for meaning in meanings})(value)
    pairs = [(code, meaning) for meaning in meanings for code in given[meaning.value]]
    if len({code for code, _ in pairs}) != len(pairs):
        raise BadValue("gives one code two meanings")
    if not given[ExitMeaning.DONE.value]:
        raise BadValue("names no code for done")
    return tuple(pairs)


_MANAGER_NEEDS: dict[ServiceManagerKind, tuple[str, ...]] = {
    ServiceManagerKind.NONE: (),
    ServiceManagerKind.PROGRAM: ("programs", "start"),
    ServiceManagerKind.SYSTEMD: ("unit",),
}
_APPLY_NEEDS: dict[ApplyKind, tuple[str, ...]] = {
    ApplyKind.REPLACE_FOLDER: (),
    ApplyKind.INSTALLER: ("program",),
    ApplyKind.PACKAGE: ("package",),
    ApplyKind.ATTENDED: ("open",),
}
_APPLY_ONLY: dict[str, frozenset[ApplyKind]] = {
    "keep": frozenset({ApplyKind.REPLACE_FOLDER}),
    "stay": frozenset({ApplyKind.REPLACE_FOLDER}),
    "program": frozenset({ApplyKind.INSTALLER}),
    "arguments": frozenset({ApplyKind.INSTALLER}),
    "package": frozenset({ApplyKind.PACKAGE}),
    "open": frozenset({ApplyKind.ATTENDED}),
    "exit_codes": frozenset({ApplyKind.INSTALLER}),
    "limit": frozenset({ApplyKind.INSTALLER, ApplyKind.PACKAGE, ApplyKind.ATTENDED}),
}
"""Which kinds use a key; the others refuse it, so that nobody believes it has an effect."""
USUAL_EXIT_CODES = ((0, ExitMeaning.DONE),)
LIMIT_SECONDS = 1800.0
_APPLY_UNSAID: dict[str, object] = {"exit_codes": USUAL_EXIT_CODES, "limit": LIMIT_SECONDS}
_KEEP = ("apply", "keep")


def check_together(values: Values, error: ErrorAt) -> None:
    """Raise what `error` makes when keys that are right by themselves do not go together."""
    _check_manager(values["service_manager"], error)
    _check_apply(values["apply"], error)
    _check_opened(values, error)
    _check_backup(values, error)
    _check_data(values["data"], error)
    _check_stays(values, error)
    _check_modules(values, error)
    if bool(values["health"]["http"]) != bool(values["health"]["http_pattern"]):
        raise error("http and http_pattern go together", "health", "http")


def _check_manager(given: Mapping[str, Any], error: ErrorAt) -> None:
    kind = given["kind"]
    _check_needed(_MANAGER_NEEDS[kind], given, error, "service_manager")
    if kind is not ServiceManagerKind.SYSTEMD and given["unit"]:
        raise error(f'not used by kind "{kind}"', "service_manager", "unit")


def _check_apply(given: Mapping[str, Any], error: ErrorAt) -> None:
    kind = given["kind"]
    _check_needed(_APPLY_NEEDS[kind], given, error, "apply")
    for key, kinds in _APPLY_ONLY.items():
        if given[key] and given[key] != _APPLY_UNSAID.get(key) and kind not in kinds:
            raise error(f'not used by kind "{kind}"', "apply", key)


def _check_opened(values: Values, error: ErrorAt) -> None:
    """Refuse a program that nobody would see closed again."""
    known = values["app"]["programs"] + values["updater"]["programs"]
    opened = values["apply"]["open"]
    spelled = {posixpath.normpath(program) for program in known}
    if opened and spelled.isdisjoint(
        {posixpath.normpath(opened[0]), posixpath.basename(opened[0])}
    ):
        why = f"{opened[0]!r} must be one of app.programs or updater.programs"
        raise error(why, "apply", "open")


def _check_stays(values: Values, error: ErrorAt) -> None:
    """Refuse what is to stay where it is and to be carried over as well."""
    staying, data = values["apply"]["stay"], values["data"]
    for pattern in values["apply"]["keep"]:
        if pattern.partition("/")[0] in staying:
            raise error(f"{pattern!r} is in apply.stay, and what stays is not copied", *_KEEP)
    if data["scope"] is DataScope.HOST:
        for name in data["folders"]:
            if name in staying:
                why = f"{name!r} is in apply.stay: data of a host go with its release"
                raise error(why, "data", "folders")


def _check_modules(values: Values, error: ErrorAt) -> None:
    """Refuse modules that no update could reach, or whose versions nobody could read."""
    folder, version = values["modules"]["folder"], values["modules"]["version"]
    if bool(folder) != (version is not None):
        raise error("folder and version go together", "modules", "folder" if folder else "version")
    if folder and folder in values["apply"]["stay"]:
        raise error(f"{folder!r} is in apply.stay: no update changes it", "modules", "folder")
    if folder and folder in values["data"]["folders"]:
        raise error(f"{folder!r} is in data.folders: modules are no data", "modules", "folder")


def _check_backup(values: Values, error: ErrorAt) -> None:
    kind = values["apply"]["kind"]
    if values["backup"]["include"] and kind is not ApplyKind.REPLACE_FOLDER:
        why = f'not with apply kind "{kind}": the whole folder is its way back'
        raise error(why, "backup", "include")


def _check_data(given: Mapping[str, Any], error: ErrorAt) -> None:
    shared = given["scope"] is DataScope.SHARED
    if shared:
        _check_needed(("folders", "holder"), given, error, "data", kind=DataScope.SHARED)
        return
    for key in ("holder", "old_reads_new"):
        if given[key]:
            raise error('only used with scope "shared"', "data", key)
    for name in given["folders"]:
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute():
            raise error(f"{name!r} must be a name right in the app's folder", "data", "folders")


def _check_needed(
    keys: tuple[str, ...], given: Mapping[str, Any], error: ErrorAt, section: str, kind: str = ""
) -> None:
    for key in keys:
        if not given[key]:
            raise error(f'missing: kind "{kind or given["kind"]}" needs it', section, key)
