"""Looks at the host before anything is planned: versions, people, rights, room. Changes nothing.

The rename test is done for real, on a scratch folder beside the app: rights that look right on
paper are not enough for the swap.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from agent.platforms.base import Item
from agent.programs import app_programs
from agent.steps.closing import open_now
from agent.steps.room import rooms
from agent.steps.table import Work
from agent.steps.tree import matching, total_bytes
from agent.steps.versions import app_reading, service_manager_version, unfilled, values_of
from agent.wire.contract import Finding, Severity
from agent.wire.manifest import Manifest

_SCRATCH = ".roundsman-test-"
_OURS = re.compile(r"_old\.[0-9A-HJKMNP-TV-Z]{26}$")


def survey(work: Work) -> None:
    """Add what is found on this host to the report, as facts and findings."""
    folder = work.installation.folder
    work.fact("system", work.platform.name)
    work.fact("app_folder", str(folder))
    if not folder.is_dir():
        _find(work, "app-absent", Severity.BLOCKS, f'there is no folder "{folder}"')
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
    work.fact("open_sessions", str(len({(p.user, p.session) for p in having})))
    work.fact("sessions", str(len(work.platform.sessions())))


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
    folder = work.installation.folder
    found = folder.stat()
    work.fact("folder_rights", f"{stat.filemode(found.st_mode)} owner {found.st_uid}")
    if os.path.ismount(folder) or folder.is_symlink():
        _find(
            work,
            "folder-cannot-move",
            Severity.BLOCKS,
            f'"{folder}" is a link or a disk of its own, so it cannot be renamed',
            "install the app in a plain folder",
        )


def _rename(work: Work, _live: list[Item]) -> None:
    parent = work.installation.folder.parent
    try:
        _rename_for_real(work, parent)
    except OSError as error:
        _find(
            work,
            "rename-refused",
            Severity.BLOCKS,
            f'cannot rename a folder in "{parent}": {error.strerror}',
            work.profile.help or f'give the agent full rights on "{parent}"',
        )


def _rename_for_real(work: Work, parent: Path) -> None:
    for left in parent.glob(f"{_SCRATCH}*"):  # of a survey that was cut short
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
    renamed = scratch.with_name(f"{scratch.name}-renamed")
    try:
        (scratch / "one").write_bytes(b"")
        (scratch / "one").rename(scratch / "two")
        work.platform.rename_folder(scratch, renamed)
    finally:
        for folder in (scratch, renamed):
            if folder.exists():
                shutil.rmtree(folder)


def _left_overs(work: Work, _live: list[Item]) -> None:
    folder = work.installation.folder
    for beside in sorted(folder.parent.glob(f"{_escaped(folder.name)}_old*")):
        ours = bool(_OURS.search(beside.name))
        _find(
            work,
            "kept-folder" if ours else "left-over-old",
            Severity.NOTE if ours else Severity.WARNING,
            f'"{beside}" is left from {"a rollout not yet committed" if ours else "an update"}',
            "" if ours else "move it away once nobody needs it",
        )


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _keep(work: Work, live: list[Item]) -> None:
    for pattern in work.profile.apply.keep:
        if not matching(live, (pattern,)):
            text = f'nothing here matches the keep pattern "{pattern}"'
            _find(work, "keep-nothing", Severity.NOTE, text)


def _values(work: Work, _live: list[Item]) -> None:
    profile = work.profile
    values = values_of(work)
    texts = (profile.health.port, profile.health.http, *profile.service_manager.start)
    texts += profile.apply.arguments + profile.apply.open + profile.app.version.arguments
    missing = {name for text in texts for name in unfilled(text, values)}
    for name in sorted(missing):
        _find(
            work,
            "value-missing",
            Severity.BLOCKS,
            f"the profile asks for a value {name} that this host does not give",
            f"add {name} to values under [apps.{profile.name}] in agent.toml",
        )


def _find(work: Work, code: str, severity: Severity, message: str, fix: str = "") -> None:
    work.find(Finding(code, severity, message[:500], fix[:500]))


_LOOKS: tuple[Callable[[Work, list[Item]], None], ...] = (
    _versions,
    _people,
    _sizes,
    _room,
    _rights,
    _rename,
    _left_overs,
    _keep,
    _values,
)
