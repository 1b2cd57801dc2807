"""Brings the old release back from its verified backup, for kinds that keep no old folder.

The app's folder is rebuilt beside, every file read back, and swapped in by renames; what was
there goes to `folders.outgoing` and from there to `folders.discarded`. Cut short anywhere, it
goes on where it was: the disk says how far it got.
"""

from contextlib import suppress
from pathlib import Path

from agent.platforms.base import Spot
from agent.steps.apply.newer_data import keep_newer_data
from agent.steps.apply.parts import of_before
from agent.steps.apply.standing import Standing, note, standing
from agent.steps.apply.swap import Swap
from agent.steps.backup_set import differences, rebuild
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import app_version


def is_as_backed_up(work: Work) -> bool:
    """True when the app's folder is, byte for byte, what was backed up before the change.

    Raises `Refused` NO_BACKUP or BACKUP_DAMAGED.
    """
    choose = of_before(work.profile)
    return not differences(work, work.folders.backup, work.installation.folder, choose)


def put_back(work: Work) -> None:
    """Have the old release in the app's folder, if this rollout has begun to change it."""
    swap = Swap(work, _rebuilt(work))
    if standing(work) is not Standing.NOT_BEGUN or swap.is_begun:
        _go_back(work, swap)
    work.fact("app_version", app_version(work))


def recover(work: Work) -> None:
    """Bring the old release back when a change, or a way back, was cut short."""
    if is_unsure(work):
        put_back(work)


def is_unsure(work: Work) -> bool:
    """True when what is in the app's folder is neither the old nor the new release for sure."""
    return standing(work) is Standing.CHANGING or Swap(work, _rebuilt(work)).is_begun


def tidy(work: Work) -> None:
    """Delete what was set aside; the backups have a tidying of their own."""
    recover(work)
    note(work, Standing.NOT_BEGUN)
    for folder in (_rebuilt(work), _unfinished(work), work.folders.discarded):
        work.platform.remove(Spot(folder))


def _go_back(work: Work, swap: Swap) -> None:
    try:
        _swap_in(work, swap)
    except Refused as no:
        raise Failed(f"cannot bring the old release back: {no}") from no
    keep_newer_data(work, swap)
    swap.confirm()
    note(work, Standing.NOT_BEGUN)


def _swap_in(work: Work, swap: Swap) -> None:
    if not swap.is_begun:
        if is_as_backed_up(work):
            return
        _rebuild(work)
    elif not swap.has_app() and not swap.has_content(swap.incoming):
        _rebuild(work)
    note(work, Standing.CHANGING)  # from here on it is the old release that is wanted
    try:
        _exchange(work, swap)
    except OSError:
        with suppress(OSError):  # some release is better than none until this is tried again
            swap.back()
        raise
    swap.discard_kept()


def _exchange(work: Work, swap: Swap) -> None:
    swap.take_out()
    if swap.has_content(swap.live) and swap.has_content(swap.incoming):
        work.platform.give_rights(swap.incoming, swap.live)
    swap.bring_in()


def _rebuild(work: Work) -> None:
    beside, whole = Spot(_unfinished(work)), Spot(_rebuilt(work))
    rebuild(work, work.folders.backup, beside)
    work.platform.remove(whole)
    work.platform.rename(beside, whole)


def _rebuilt(work: Work) -> Path:
    return work.folders.incoming.with_name("rebuilt")


def _unfinished(work: Work) -> Path:
    return work.folders.incoming.with_name("rebuilt.part")
