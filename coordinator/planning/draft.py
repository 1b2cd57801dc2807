"""Drafts a first profile of an app from what was seen on a host. Pure.

A draft is a proposal: it says what was seen and what a person must check, `roundsman profile
check` accepts it, and nothing of it holds before somebody has signed it. It goes everywhere then,
so it names nobody. What a host has told is
text from elsewhere: what a profile may not name goes into a comment, or is left out.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.wire import profile_values as read
from agent.wire.observed import Candidate, SeenProgram

_VERSION = re.compile(r"\d+(?:\.\d+)+[0-9A-Za-z.+~-]*")
_NO_VERSION = r"^([0-9][0-9A-Za-z.]*)"
_MOST_PREFIX = 60
_UNKNOWN = "CHECK-the-program"


@dataclass(frozen=True, slots=True)
class About:
    """What the draft is of: the app as it is to be called, and where and when it was seen."""

    name: str
    host: str
    day: str  # as people write it


@dataclass(frozen=True, slots=True)
class Parts:
    """What is taken to be the app, and what its service manager."""

    app: tuple[SeenProgram, ...]
    manager: tuple[SeenProgram, ...]
    unit: str = ""


def name_for(folder: str) -> str:
    """Return a name for the profile of the app in a folder."""
    words = re.sub(r"[^a-z0-9]+", "-", folder.rpartition("/")[2].lower()).strip("-")
    return words[:60].strip("-") or "app"


def parts_of(seen: Candidate) -> Parts:
    """Return which programs are taken to be the app, and which its service manager.

    A service of the system is the manager; else a program that lives in a session without a
    window, when it opens at log-in or another program has the window: a tray program, likely.
    """
    usable = [p for p in seen.programs if _fits(read.program, p.path)]
    units = [p.unit for p in usable if _fits(read.unit, p.unit)]
    if units:
        served = tuple(p for p in usable if p.unit == units[0])
        return Parts(tuple(p for p in usable if p not in served), served, units[0])
    opened = {a.program for a in seen.auto_starts}
    windows = any(p.window for p in usable)
    tray = [p for p in usable if p.session and not p.window and (windows or p.path in opened)]
    manager = tuple(tray[:1]) if len(usable) > 1 else ()
    return Parts(tuple(p for p in usable if p not in manager), manager)


def draft(seen: Candidate, about: About) -> str:
    """Return the text of a profile, with comments that say what was seen."""
    parts = parts_of(seen)
    sections = (
        _head(about),
        _app(seen, parts),
        _close(),
        _manager(seen, parts),
        _apply(seen),
        _health(seen),
    )
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _head(about: About) -> Iterator[str]:
    yield f"# A draft, made from what ran on {about.host} on {about.day}. It holds nowhere yet:"
    yield "# go through each line marked CHECK, then `roundsman profile check` this file,"
    yield "# `roundsman profile add` it and `roundsman release sign`."
    yield ""
    yield "[profile]"
    yield f"name = {_toml(about.name)}"
    yield f"title = {_toml(about.name)}  # CHECK: as people call it; every notice names it so"
    yield 'help = "ask whoever looks after this application"  # CHECK: shown with every failure'
    yield 'estimate = "5 min"  # CHECK: how long one workstation takes, the first time'
    yield 'grace = "2 min"  # CHECK: how long people have to save their work'


def _app(seen: Candidate, parts: Parts) -> Iterator[str]:
    folder = seen.folder if _fits(read.folder, seen.folder) else "/opt/app"
    yield f"[app]  # seen in {seen.folder}"
    yield from (f"# seen: {_seen(program)}" for program in seen.programs)
    yield from (f"# opens at log-in: {a.program} ({a.entry}, {a.name})" for a in seen.auto_starts)
    yield f"folders = [{_toml(folder)}]  # CHECK: add where it is on other workstations"
    programs = _named(_app_programs(seen, parts))
    yield f"programs = [{programs}]  # CHECK: each that must be closed; ./ = in this folder"
    yield "kill = false  # CHECK: true = ended by force when it does not close"
    yield from _version(seen)


def _app_programs(seen: Candidate, parts: Parts) -> list[str]:
    """Return the app's own programs; where none was seen, what there is to begin with."""
    if parts.app:
        return [p.path for p in parts.app]
    opened = [a.program for a in seen.auto_starts if _fits(read.program, a.program)]
    return (opened or [p.path for p in parts.manager])[:1] or [_UNKNOWN]


def _version(seen: Candidate) -> Iterator[str]:
    for hint in seen.versions:
        yield f"# seen: {hint.path} says: {hint.line}"
    found = [h for h in seen.versions if _fits(read.relative, h.path) and _pattern(h.line)]
    if found:
        given = f"file = {_toml(found[0].path)}, pattern = {_toml(_pattern(found[0].line))}"
    elif _fits(read.package, seen.package):
        given = f"dpkg = {_toml(seen.package)}"
    else:
        yield "# no file that tells a version was seen"
        given = f'file = "version.txt", pattern = {_toml(_NO_VERSION)}'
    yield f"version = {{ {given} }}  # CHECK: where the installed version is read"


def _pattern(line: str) -> str:
    """Return a pattern that finds the version in such a line, "" when there is none."""
    found = _VERSION.search(line)
    if found is None or found.start() > _MOST_PREFIX:
        return ""
    return f"^{re.escape(line[: found.start()])}([0-9][0-9A-Za-z.+~-]*)"


def _close() -> Iterator[str]:
    yield "[close]"
    yield 'windowless = "wait"  # CHECK: "end" = a nightly import without a window is ended too'
    yield 'unattended = "close"  # CHECK: "ask" = left open where nobody can answer'
    yield "away_minutes = 0  # CHECK: 15 = nobody can answer where nothing is touched so long"
    yield "reopen = false  # CHECK: true = who had it open gets it back"


def _manager(seen: Candidate, parts: Parts) -> Iterator[str]:
    names = [p.path for p in parts.manager]
    unseen = [p.path for p in parts.app if p.session and not p.window]
    if parts.unit:
        yield f"[service_manager]  # the service {parts.unit} runs from this folder"
        yield 'kind = "systemd"'
        yield f"unit = {_toml(parts.unit)}  # CHECK: it is stopped before an update"
        yield f"programs = [{_named(names)}]"
        yield from _other_units(seen, parts.unit)
    elif names:
        yield "[service_manager]  # in a session, without a window: a tray program, likely"
        yield 'kind = "program"'
        yield f"programs = [{_named(names)}]  # CHECK: it is quit before an update"
        yield f"start = [{_toml(names[0])}]  # CHECK: so it is started again, with which arguments"
    else:
        yield "[service_manager]  # CHECK: neither a service nor a tray program was seen"
        yield 'kind = "none"'
        yield from _perhaps(unseen)


def _perhaps(unseen: Sequence[str]) -> Iterator[str]:
    """Yield what to say instead where a program without a window is a tray program after all."""
    if unseen:
        yield f"# CHECK: no window of {unseen[0]} was seen. If it is a tray program that is quit"
        yield "# before an update, take it out of [app] programs and say here instead:"
        yield '# kind = "program"'
        yield f"# programs = [{_named(unseen[:1])}]"
        yield f"# start = [{_toml(unseen[0])}]"


def _other_units(seen: Candidate, unit: str) -> Iterator[str]:
    for other in sorted({p.unit for p in seen.programs if p.unit} - {unit}):
        yield f"# CHECK: the service {other} runs from this folder too; a profile stops one"


def _apply(seen: Candidate) -> Iterator[str]:
    yield "[apply]  # CHECK: how a release is put in place"
    if _fits(read.package, seen.package):
        yield f"# seen: installed as the package {seen.package} {seen.package_version}"
        yield 'kind = "package"'
        yield f"package = {_toml(seen.package)}"
        return
    yield 'kind = "replace-folder"  # or "installer", "package", "attended"'
    yield "keep = []  # CHECK: what is the workstation's own: settings, certificates, data"


def _health(seen: Candidate) -> Iterator[str]:
    yield "[health]"
    if seen.ports:
        listed = ", ".join(map(str, seen.ports))
        yield f"# seen listening: {listed}"
        yield f"port = {seen.ports[0]}  # CHECK: must answer before the workstation counts as back"
    yield 'timeout = "2 min"'
    yield 'soak = "10 s"'


def _seen(program: SeenProgram) -> str:
    where = f"service {program.unit}" if program.unit else "in a session" * program.session
    window = "with a window" if program.window else "no window seen"
    many = f"{program.processes} processes" if program.processes > 1 else "one process"
    users = f"of {len(program.users)} users" if len(program.users) > 1 else ""
    parts = (program.path, many, users, where, window)
    return ", ".join(part for part in parts if part)


def _fits(reader: Callable[[object], object], value: str) -> bool:
    """True when a profile may name it."""
    try:
        reader(value)
    except read.BadValue:
        return False
    return True


def _named(paths: Sequence[str]) -> str:
    """Return programs as a profile lists them: in this folder only, not wherever such one is."""
    return ", ".join(_toml(p if "/" in p or p == _UNKNOWN else f"./{p}") for p in paths)


def _toml(text: str) -> str:
    """Return a printable text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)
