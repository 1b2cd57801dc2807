"""Puts the new release where the old one was, by two durable renames.

Only the disk is believed, not an error: a rename may be done and yet be told as failed, when
only its way to the disk failed. `outgoing` has something in it: the first rename was done, so
the live folder, when there is one, is the new release. No live folder: the swap was cut short
between the two renames. All else is before the first rename, and may be done again.
"""

from pathlib import Path

from agent.extract import wipe
from agent.package_paths import BadPackage
from agent.steps.apply.staging import check_room, manifest_of, unfinished, unpack
from agent.steps.carry_over import carry_over, verify_release
from agent.steps.table import Failed, Refused, Work
from agent.steps.tree import has_content
from agent.steps.versions import app_version
from agent.wire.atomic import sync_folder
from agent.wire.contract import Refusal


def stage(work: Work) -> None:
    """Have the release unpacked in `folders.incoming`, whole."""
    manifest = manifest_of(work)
    if not has_content(work.folders.outgoing):  # else it is in place already
        check_room(work, manifest)
        unpack(work, manifest)
    work.fact("staged_version", manifest.version)


def unstage(work: Work) -> None:
    """Delete what was unpacked and not put in place."""
    wipe(unfinished(work))
    wipe(work.folders.incoming)


def apply(work: Work) -> None:
    """Have the ordered release in the app's folder and the old one in `folders.outgoing`."""
    try:
        _swap(work)
    except OSError:
        recover(work)
        raise
    _confirm_on_disk(work)
    _check_version(work)


def put_back(work: Work) -> None:
    """Have the old release in the app's folder again; the new one is set aside."""
    try:
        _swap_back(work)
    except OSError:
        _leave_a_release(work)
        raise
    _confirm_on_disk(work)
    work.fact("app_version", app_version(work))


def tidy(work: Work) -> None:
    """Delete the old release, and what was set aside. Never while there is no app."""
    recover(work)
    if not has_content(work.installation.folder):
        raise Failed(f'cannot delete the old release: there is no app in "{_live(work)}"')
    wipe(work.folders.outgoing)
    wipe(work.folders.discarded)


def recover(work: Work) -> None:
    """Bring an interrupted swap to a runnable release: the old one, as it was never changed."""
    live, outgoing = work.installation.folder, work.folders.outgoing
    if not has_content(live) and has_content(outgoing):
        _rename(work, outgoing, live)


def _swap(work: Work) -> None:
    if not has_content(work.folders.outgoing):
        _prepare(work)
        _put_old_aside(work)
    if not has_content(work.installation.folder):
        _put_new_in_place(work)


def _prepare(work: Work) -> None:
    manifest = manifest_of(work)
    if not has_content(work.installation.folder):
        raise Refused(Refusal.APP_ABSENT, f'cannot update: there is no app in "{_live(work)}"')
    if not has_content(work.folders.incoming):  # it was set aside by an undo, or never staged
        unpack(work, manifest)
    try:
        carried = carry_over(work, manifest)
        verify_release(work, manifest, carried)
    except (BadPackage, FileNotFoundError) as error:
        wipe(work.folders.incoming)  # so that the next attempt unpacks it afresh
        raise Refused(Refusal.NOT_STAGED, f"cannot use the staged release: {error}") from error
    work.platform.sync_tree(work.folders.incoming)


def _put_old_aside(work: Work) -> None:
    try:
        _rename(work, work.installation.folder, work.folders.outgoing)
    except OSError as error:
        recover(work)  # it may be aside all the same
        raise Refused(
            Refusal.FOLDER_RIGHTS, f'cannot rename "{_live(work)}": {error.strerror or error}'
        ) from error


def _put_new_in_place(work: Work) -> None:
    try:
        _rename(work, work.folders.incoming, work.installation.folder)
    except OSError as error:
        recover(work)
        old_is_back = not has_content(work.folders.outgoing)
        raise Failed(
            f'cannot put the new release in "{_live(work)}": {error.strerror or error}; '
            + ("the old one is back" if old_is_back else "it is there, but maybe not for good")
        ) from error


def _swap_back(work: Work) -> None:
    live, folders = work.installation.folder, work.folders
    if has_content(folders.outgoing):
        if has_content(live):
            wipe(folders.discarded)
            _rename(work, live, folders.discarded)
        _rename(work, folders.outgoing, live)


def _leave_a_release(work: Work) -> None:
    """After an undo that cannot be ended: the old release in place, or else the new one."""
    live, discarded = work.installation.folder, work.folders.discarded
    try:
        recover(work)
    except OSError:
        if not has_content(live) and has_content(discarded):
            _rename(work, discarded, live)


def _confirm_on_disk(work: Work) -> None:
    """Return when the renames are on the disk, those of a run that was cut short too."""
    for parent in {_live(work).parent, work.folders.incoming.parent}:
        sync_folder(parent)


def _check_version(work: Work) -> None:
    found = app_version(work)
    work.fact("app_version", found)
    if found != work.params.version:
        raise Failed(
            f'cannot confirm the new release: "{work.profile.app.version.source}" says '
            f"{found or 'nothing'}, not {work.params.version}"
        )


def _rename(work: Work, source: Path, target: Path) -> None:
    if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        target.rmdir()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work.platform.rename_folder(source, target)


def _live(work: Work) -> Path:
    return work.installation.folder
