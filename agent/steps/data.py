"""Backs up the data that a group shares, on the host that holds it, and brings it back.

Brought back it is rebuilt in a folder of the agent's own and comes into place by two renames:
the data to `<folder>.<rollout>`, the rebuilt one to where it was. The newer is never deleted.
The disk alone says how far that got: `ready` is whole or absent, and `aside` is there from the
moment of the first rename.
"""

from contextlib import suppress
from pathlib import Path

from agent.platforms.base import Spot
from agent.steps.backup_set import BackupSet, Pass, differences, make, rebuild
from agent.steps.data_folders import (
    PLACE,
    DataFolder,
    bytes_in,
    check,
    find_folders,
    is_shared,
    known_folders,
    make_scratch,
    remember_folders,
)
from agent.steps.drain import refuse_while_open
from agent.steps.keep_backups import drop_own, keep_newest
from agent.steps.service_manager import refuse_while_running
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import app_version
from agent.wire.contract import Refusal


def survey_data(work: Work) -> None:
    """Tell, as facts, how large the shared data here is and why it could not be kept."""
    if not is_shared(work):
        return
    try:
        if folders := find_folders(work):
            work.fact("data_bytes", str(bytes_in(work, folders)))
            work.fact("data_folders", ", ".join(str(folder.live) for folder in folders))
            check(work, folders, with_update=True)
    except Refused as refused:
        work.fact("data_problem", str(refused))


def back_up_data(work: Work) -> None:
    """Have a backup of the shared data that was read back and found the same.

    Raises `Refused` DATA_ABSENT, APP_STILL_OPEN, SERVICE_MANAGER_STILL_RUNNING, DISK_FULL or
    FOLDER_RIGHTS, and `Failed` when the data will not hold still.
    """
    _refuse_while_used(work)
    folders = known_folders(work) or find_folders(work)
    if not folders:
        raise Refused(Refusal.DATA_ABSENT, _absent(work))
    check(work, folders)
    remember_folders(work, folders)
    heads = [make(work, _backup_of(work, folder), Pass.SECOND) for folder in folders]
    work.fact("data_folders", ", ".join(str(folder.live) for folder in folders))
    work.fact("data_bytes", str(sum(head.bytes for head in heads)))
    work.fact("data_files", str(sum(head.files for head in heads)))


def restore_data(work: Work) -> None:
    """Undo: have the data as it was backed up, and the newer beside it, named in the report."""
    _refuse_while_used(work)
    folders = known_folders(work)
    for folder in folders:
        _restore(work, folder)
        if found := differences(work, folder.store, folder.live):
            raise Failed(f'cannot confirm the data in "{folder.live}": {found[0]}')
    newer = [folder.aside for folder in folders if _is_there(work, folder.aside)]
    work.fact("data_restored", ", ".join(str(folder.live) for folder in folders))
    if newer:
        work.fact("newer_data", ", ".join(map(str, newer)))


def keep_last_data(work: Work) -> None:
    """Tidy: delete what was rebuilt for a restore, and the backups that are no longer kept.

    What a restore has set aside stays: it is for a person to look at.
    """
    for folder in known_folders(work):
        for spot in (folder.making, folder.ready):
            work.platform.remove(spot)
        with suppress(OSError):
            folder.scratch.rmdir()
    backups = work.folders.backup.parent
    thin_out = drop_own if work.params.drill else keep_newest
    for number in sorted({path.name for path in backups.glob(f"*/{PLACE}/*")}):
        thin_out(work, f"{PLACE}/{number}")
    for place in backups.glob(f"*/{PLACE}"):
        for empty in (place, place.parent):
            with suppress(OSError):
                empty.rmdir()


def recover_data(work: Work) -> None:
    """Have the data where it was when a restore was cut short between its renames: the newer."""
    for folder in known_folders(work):
        if _is_there(work, folder.aside) and not _is_there(work, folder.live):
            work.platform.rename(Spot(folder.aside), Spot(folder.live))


def _backup_of(work: Work, folder: DataFolder) -> BackupSet:
    return BackupSet(
        live=folder.live,
        store=folder.store,
        app=work.profile.name,
        version=app_version(work),
        encrypt=work.profile.backup.encrypt,
    )


def _refuse_while_used(work: Work) -> None:
    refuse_while_open(work)
    refuse_while_running(work)


def _restore(work: Work, folder: DataFolder) -> None:
    if _is_there(work, folder.aside) and _is_there(work, folder.live):
        return  # it was restored
    if _is_there(work, folder.live) and not differences(work, folder.store, folder.live):
        return  # nothing has changed it
    _have_ready(work, folder)
    try:
        if _is_there(work, folder.live):
            work.platform.rename(Spot(folder.live), Spot(folder.aside))
        work.platform.rename(folder.ready, Spot(folder.live))
    except OSError:
        recover_data(work)
        raise


def _have_ready(work: Work, folder: DataFolder) -> None:
    if work.platform.look_at(folder.ready) is None:
        make_scratch(work, folder)
        rebuild(work, folder.store, folder.making)
        work.platform.rename(folder.making, folder.ready)


def _is_there(work: Work, path: Path) -> bool:
    return work.platform.look_at(Spot(path)) is not None


def _absent(work: Work) -> str:
    named = [*map(str, work.installation.data)] or [*work.profile.data.folders]
    return (
        f"cannot back up the data the group shares: none of {', '.join(named)} is on this host; "
        f"name its folders in agent.toml: data = [...] under [apps.{work.profile.name}]"
    )
