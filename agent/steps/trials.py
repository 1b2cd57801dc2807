"""Tries for real what an update will do in the app's folder and beside it (rows O13, O14).

Rights that look right on paper are not enough: something is made, written, renamed, run and
deleted again. What a survey that was cut short has left is deleted by the next, piece by piece
and by name: a user may have given that name to something else.
"""

import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.platforms.base import Spot
from agent.programs import all_programs
from agent.steps.apply.parts import stays
from agent.steps.table import Work
from agent.wire.contract import Finding, Severity
from agent.wire.profile import ApplyKind

_SCRATCH = ".roundsman-test-"
_PIECES = ("one", "two")
_PROGRAM = b"#!/bin/sh\nexit 0\n"
_SECONDS = 20.0
_MOST_HOLDERS = 5


def try_rights(work: Work) -> None:
    """Find out whether the agent can write, rename and delete where the app is, and in it."""
    for folder in (work.installation.folder.parent, work.installation.folder):
        try:
            _rename_for_real(work, folder)
        except OSError as error:
            _find(
                work,
                "rename-refused",
                Severity.BLOCKS,
                f'cannot write, rename and delete in "{folder}": {error.strerror or error}',
                work.profile.help or f'give the agent full rights on "{folder}"',
            )


def try_running(work: Work) -> None:
    """Find out whether programs may be run from the app's disk, and from where installers are.

    In the app's folder, where users may change what the agent has just written, it is run as
    nobody; where nobody may not even look, from the agent's own folder on the same disk.
    """
    folder, staging = work.installation.folder, work.folders.incoming.parent
    if others := _others_may_enter(work, folder):
        _try_running_in(work, folder)
    if not others or work.profile.apply.kind is ApplyKind.INSTALLER:
        _try_running_in(work, staging)


def find_mounts(work: Work) -> None:
    """Find what is mounted in the app's folder: it would go with the old release, or hold it."""
    folder = work.installation.folder
    staying = [*(folder / name for name in stays(work.profile)), *work.installation.data]
    for mount in work.platform.mounts(folder):
        if not any(Path(mount).is_relative_to(stay) for stay in staying):
            why = "is a disk of its own" if mount == str(folder) else "is mounted in it"
            _find(
                work,
                "folder-cannot-move",
                Severity.BLOCKS,
                f'cannot rename "{folder}": "{mount}" {why}',
                "mount it elsewhere, or name its folder in the profile's stay",
            )


def find_holders(work: Work) -> None:
    """Find who else works on the app's files: what they write after the swap would be lost."""
    programs = all_programs(work.profile, work.installation.folder)
    ours = {p.pid for p in work.platform.processes() if programs.include(p)}
    held = [h for h in work.platform.holders(work.installation.folder) if h.pid not in ours]
    if held:
        more = f", and {len(held) - _MOST_HOLDERS} more" if len(held) > _MOST_HOLDERS else ""
        _find(
            work,
            "file-held",
            Severity.WARNING,
            "; ".join(map(str, held[:_MOST_HOLDERS])) + more,
            "have these programs closed before the update; what belongs to the app goes in "
            "its profile",
        )


def sweep(work: Work, folder: Path) -> None:
    """Delete what a survey that was cut short has left in a folder; nothing else, ever."""
    for name in work.platform.names(Spot(folder)):
        left = Spot(folder, name)
        found = work.platform.look_at(left) if name.startswith(_SCRATCH) else None
        if found is not None and found.is_file:
            work.platform.remove(left)
        elif found is not None and found.is_folder:
            _remove_pieces(work, left)


def _remove_pieces(work: Work, scratch: Spot) -> None:
    for piece in _PIECES:
        found = work.platform.look_at(scratch.below(piece))
        if found is not None and found.is_file:
            work.platform.remove(scratch.below(piece))
    if not work.platform.names(scratch):
        work.platform.remove(scratch)


@contextmanager
def _swept(work: Work, folder: Path) -> Iterator[Spot]:
    """Yield a free name for one trial; nothing of it is left, whatever the trial comes to."""
    sweep(work, folder)
    try:
        yield Spot(folder, f"{_SCRATCH}{secrets.token_hex(4)}")
    finally:
        sweep(work, folder)


def _rename_for_real(work: Work, folder: Path) -> None:
    with _swept(work, folder) as scratch:
        work.platform.make_folder(scratch)
        work.platform.new_file(scratch.below(_PIECES[0]), 0o600).close()
        work.platform.rename(scratch.below(_PIECES[0]), scratch.below(_PIECES[1]))
        renamed = Spot(folder, f"{scratch.path}-renamed")
        work.platform.rename(scratch, renamed)
        work.platform.remove(renamed.below(_PIECES[1]))
        work.platform.remove(renamed)


def _try_running_in(work: Work, folder: Path) -> None:
    try:
        with _swept(work, folder) as program:
            with work.platform.new_file(program, 0o755) as file:
                file.write(_PROGRAM)
            _run(work, program)
    except OSError as error:
        _find(
            work,
            "execute-refused",
            Severity.BLOCKS,
            f'cannot run a program from "{folder}": {error.strerror or error}',
            f'have "{folder}" mounted without noexec, and allowed in the security software',
        )


def _run(work: Work, program: Spot) -> None:
    argv = [str(program)]
    if program.folder == work.installation.folder:
        ended = work.platform.run_as_nobody(argv, Path("/"), _SECONDS)
    else:
        ended = work.platform.run(argv, Path("/"), _SECONDS, lambda: work.pause(0))
    if ended.code != 0:
        raise OSError(f"it ended with {ended.code}")


def _others_may_enter(work: Work, folder: Path) -> bool:
    found = [work.platform.look_at(Spot(above)) for above in (folder, *folder.parents[:-1])]
    return all(item is not None and item.mode & stat.S_IXOTH for item in found)


def _find(work: Work, code: str, severity: Severity, message: str, fix: str = "") -> None:
    work.find(Finding(code, severity, message[:500], fix[:500]))
