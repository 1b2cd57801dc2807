"""Looks at the host before anything is planned: versions, people, rights, room. Changes nothing.

What an update will do is tried for real, and nothing is left of it: see `agent.steps.trials`.
"""

import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from agent.platforms.base import Item, Spot
from agent.programs import app_programs
from agent.steps.closing import open_now
from agent.steps.data import survey_data
from agent.steps.modules import survey_modules
from agent.steps.reach import survey_own_port, survey_reach
from agent.steps.room import rooms
from agent.steps.sessions_here import survey_sessions
from agent.steps.table import Work
from agent.steps.tree import matching, total_bytes
from agent.steps.trials import find_holders, find_mounts, try_rights, try_running
from agent.steps.unseen import find_unseen
from agent.steps.versions import (
    app_reading,
    is_told_by_running,
    service_manager_version,
    unfilled,
    values_of,
)
from agent.wire.contract import Finding, Severity
from agent.wire.manifest import Manifest
from agent.wire.profile import Profile, VersionReader

_OURS = re.compile(r"_old\.[0-9A-HJKMNP-TV-Z]{26}(\.part)?$")


def survey(work: Work) -> None:
    """Add what is found on this host to the report, as facts and findings."""
    folder = work.installation.folder
    work.fact("system", work.platform.name)
    work.fact("app_folder", str(folder))
    found = work.platform.look_at(Spot(folder))
    if found is None or not found.is_folder:
        what = "is no plain folder (any more)" if found else "is not there"
        _find(work, "app-absent", Severity.BLOCKS, f'the app\'s folder "{folder}" {what}')
        return
    live = work.platform.items(folder)
    for look in _LOOKS:
        look(work, live)


def _versions(work: Work, _live: list[Item]) -> None:
    reading, manager = app_reading(work), service_manager_version(work)
    app = reading.version
    work.fact("app_version", app)
    work.fact("service_manager_version", manager)
    if not app:
        _find(work, "version-unread", Severity.WARNING, reading.why)
    if work.profile.service_manager.version and app != manager:
        _find(
            work,
            "half-update",
            Severity.WARNING,
            f"an earlier update was half done: the app is {app or 'unknown'}, its service "
            f"manager {manager or 'unknown'}",
            "update this host: Roundsman stops the service manager first",
        )


def _people(work: Work, _live: list[Item]) -> None:
    programs = app_programs(work.profile, work.installation.folder)
    having = open_now(work, programs)
    work.fact("open_users", ", ".join(sorted({process.user for process in having})))
    survey_sessions(work)
    find_unseen(work)


def _sizes(work: Work, live: list[Item]) -> None:
    work.fact("app_bytes", str(total_bytes(live)))
    work.fact("keep_bytes", str(total_bytes(matching(live, work.profile.apply.keep))))


def _room(work: Work, live: list[Item]) -> None:
    needs = rooms(work, live, _manifest(work))
    work.fact("need_bytes", str(sum(room.needed for room in needs)))
    work.fact("free_bytes", str(min(room.free for room in needs)))
    for room in needs:
        if not room.is_enough:
            _find(work, "disk-full", Severity.BLOCKS, room.shortage(), "make room on that disk")


def _manifest(work: Work) -> Manifest | None:
    return work.packages.manifest(work.params.package) if work.params.package else None


def _rights(work: Work, _live: list[Item]) -> None:
    found = work.platform.look_at(Spot(work.installation.folder))
    if found is not None:
        work.fact("folder_rights", f"{stat.filemode(found.mode)} owner {found.owner}")


def _trials(work: Work, _live: list[Item]) -> None:
    for trial in (try_rights, try_running, find_mounts, find_holders):
        trial(work)


def _left_overs(work: Work, _live: list[Item]) -> None:
    folder = work.installation.folder
    for name in work.platform.names(Spot(folder.parent)):
        if name.startswith(f"{folder.name}_old"):
            _left_over(work, Spot(folder.parent, name))


def _left_over(work: Work, beside: Spot) -> None:
    found = work.platform.look_at(beside)
    if not _OURS.search(beside.path):
        text = f'"{beside}" is left from an update'
        fix = "move it away once nobody needs it"
        _find(work, "left-over-old", Severity.WARNING, text, fix)
    elif found is None or not found.is_folder:
        text = f'"{beside}" has the name of a release kept aside, and is a link or a file'
        fix = "find out who made it, and move it away"
        _find(work, "planted-old", Severity.WARNING, text, fix)
    else:
        text = f'"{beside}" is left from a rollout not yet committed'
        _find(work, "kept-folder", Severity.NOTE, text)


def _keep(work: Work, live: list[Item]) -> None:
    for pattern in work.profile.apply.keep:
        if not matching(live, (pattern,)):
            text = f'nothing here matches the keep pattern "{pattern}"'
            _find(work, "keep-nothing", Severity.NOTE, text)


def _values(work: Work, _live: list[Item]) -> None:
    profile = work.profile
    missing = _unfilled(_addresses(profile), work.installation.values)
    missing |= _unfilled(_arguments(profile), values_of(work))
    for name in sorted(missing):
        _find(
            work,
            "value-missing",
            Severity.BLOCKS,
            f"the profile asks for a value {name} that this host does not give",
            f"add {name} to values under [apps.{profile.name}] in agent.toml",
        )


def _unfilled(texts: Iterable[str], values: Mapping[str, str]) -> set[str]:
    return {name for text in texts for name in unfilled(text, values)}


def _addresses(profile: Profile) -> tuple[str, ...]:
    """Return what is filled with the host's own values only."""
    pages = (each.source for each in _readers(profile) if is_told_by_running(each))
    return (profile.health.port, profile.health.http, *profile.reach, *pages)


def _arguments(profile: Profile) -> tuple[str, ...]:
    """Return what is given to a program, which may ask for the app's folder too."""
    commands = (*profile.service_manager.start, *profile.close.quit, *profile.apply.open)
    readers = (argument for each in _readers(profile) for argument in each.arguments)
    return (*commands, *profile.apply.arguments, *readers)


def _readers(profile: Profile) -> list[VersionReader]:
    return [each for each in (profile.app.version, profile.service_manager.version) if each]


def _commands(work: Work, live: list[Item]) -> None:
    """Find what the profile has started from the app's folder, and cannot be."""
    profile, there = work.profile, {item.path: item for item in live}
    commands = {
        "[service_manager] start": profile.service_manager.start,
        "[close] quit": profile.close.quit,
        "[apply] open": profile.apply.open,
    }
    for key, (path, *_) in ((key, argv) for key, argv in commands.items() if argv):
        above = [there.get(str(parent)) for parent in PurePosixPath(path).parents]
        if any(item is not None and item.is_link for item in (there.get(path), *above)):
            continue  # where a link leads is not looked at
        _find_command(work, key, path, there.get(path))


def _find_command(work: Work, key: str, path: str, item: Item | None) -> None:
    file = work.installation.folder / path
    if item is None or not item.is_file:
        text = f'the profile has "{path}" run ({key}), and "{file}" is no file here'
        _find(work, "program-missing", Severity.WARNING, text, f"mend {key} in the profile")
    elif not item.mode & 0o111:
        text = f'the profile has "{path}" run ({key}), and "{file}" may not be run'
        _find(work, "program-not-executable", Severity.WARNING, text, f'chmod +x "{file}"')


def _find(work: Work, code: str, severity: Severity, message: str, fix: str = "") -> None:
    work.find(Finding(code, severity, message[:500], fix[:500]))


def _elsewhere(work: Work, _live: list[Item]) -> None:
    for look in (survey_data, survey_modules, survey_reach, survey_own_port):
        look(work)


_LOOKS: tuple[Callable[[Work, list[Item]], None], ...] = (
    _versions,
    _people,
    _sizes,
    _room,
    _rights,
    _trials,
    _left_overs,
    _keep,
    _values,
    _commands,
    _elsewhere,
)
