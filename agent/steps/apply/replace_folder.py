"""Puts the new release where the old one was, by renames; the old folder is the way back.

Only the disk is believed, not an error: a rename may be done and yet be told as failed, when
only its way to the disk failed. How far a swap got is read from it by `agent.steps.apply.swap`.
"""

from agent.extract import wipe
from agent.package_paths import BadPackage
from agent.steps.apply import staging
from agent.steps.apply.newer_data import keep_newer_data
from agent.steps.apply.outcome import confirm_version
from agent.steps.apply.parts import stays
from agent.steps.apply.staging import check_room, manifest_of, unpack
from agent.steps.apply.swap import Swap
from agent.steps.carry_over import carry_over, verify_release
from agent.steps.modules import clear_left, without_left
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import app_version
from agent.wire.contract import Refusal
from agent.wire.manifest import Manifest


def stage(work: Work) -> None:
    """Have the release unpacked in `folders.incoming`, whole."""
    manifest = manifest_of(work)
    _check_stays(work, manifest)
    if not _swap(work).is_begun:  # else it is in place already
        check_room(work, manifest)
        unpack(work, manifest)
    work.fact("staged_version", manifest.version)


def unstage(work: Work) -> None:
    """Delete what was unpacked and not put in place."""
    swap = _swap(work)
    if swap.is_begun and not swap.is_done:
        raise Failed(f'cannot delete the staged release: the swap of "{swap.live}" is half done')
    staging.unstage(work)


def apply(work: Work) -> None:
    """Have the ordered release in the app's folder and the old one in `folders.outgoing`."""
    swap = _swap(work)
    try:
        swap.settle()
        if not swap.is_done:
            _prepare(work, swap)
            _take_out(swap)
            _bring_in(swap)
    except OSError:
        swap.settle()
        raise
    swap.confirm()
    confirm_version(work)


def put_back(work: Work) -> None:
    """Have the old release in the app's folder again; the new one is set aside."""
    swap = _swap(work)
    try:
        swap.back()
    except OSError:
        _leave_a_release(swap)
        raise
    keep_newer_data(work, swap)
    swap.confirm()
    work.fact("app_version", app_version(work))


def tidy(work: Work) -> None:
    """Delete the old release, and what was set aside. Never while there is no app."""
    swap = _swap(work)
    swap.settle()
    if not swap.has_app():
        raise Failed(f'cannot delete the old release: there is no app in "{swap.live}"')
    work.platform.remove(swap.kept)
    work.platform.remove(swap.discarded)


def recover(work: Work) -> None:
    """Bring an interrupted swap to a runnable release: the old one, as it was never changed."""
    _swap(work).settle()


def _swap(work: Work) -> Swap:
    return Swap(work, work.folders.incoming)


def _check_stays(work: Work, manifest: Manifest) -> None:
    staying = {name.casefold(): name for name in stays(work.profile)}
    for entry in manifest.files:
        name = staying.get(entry.path.partition("/")[0].casefold())
        if name is not None:
            raise Refused(
                Refusal.PACKAGE_MISMATCH,
                f'cannot use this package: it has "{entry.path}", and the profile says that '
                f'"{name}" stays as it is in the app\'s folder',
            )


def _prepare(work: Work, swap: Swap) -> None:
    manifest = manifest_of(work)
    _check_stays(work, manifest)
    if not swap.has_app():
        raise Refused(Refusal.APP_ABSENT, f'cannot update: there is no app in "{swap.live}"')
    if not swap.has_content(swap.incoming):  # it was set aside by an undo, or never staged
        unpack(work, manifest)
    here = without_left(work, manifest)
    try:
        clear_left(work, manifest)
        carried = carry_over(work, here)
        verify_release(work, here, carried)
    except (BadPackage, FileNotFoundError) as error:
        wipe(work.folders.incoming)  # so that the next attempt unpacks it afresh
        raise Refused(Refusal.NOT_STAGED, f"cannot use the staged release: {error}") from error
    work.platform.sync_volume(work.folders.incoming)  # unpacked files are there, not so rights


def _take_out(swap: Swap) -> None:
    try:
        swap.take_out()
    except OSError as error:
        swap.settle()  # it may be aside all the same
        raise Refused(
            Refusal.FOLDER_RIGHTS, f'cannot rename "{swap.live}": {error.strerror or error}'
        ) from error


def _bring_in(swap: Swap) -> None:
    try:
        swap.bring_in()
    except OSError as error:
        swap.settle()
        raise Failed(
            f'cannot put the new release in "{swap.live}": {error.strerror or error}; '
            + ("it is there, but maybe not for good" if swap.is_begun else "the old one is back")
        ) from error


def _leave_a_release(swap: Swap) -> None:
    """After an undo that cannot be ended: the old release in place, or else the new one."""
    try:
        swap.settle()
    except OSError:
        swap.keep_new()
