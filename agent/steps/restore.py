"""What an operator asks of a host's backups: which there are, are they good, bring one back.

Asked for outside of a rollout. A restore is rebuilt beside the app and swapped in by renames, as
a release is; what was in the app's folder is kept as `<app>_old.<id>` and named. Cut short at any
call, the disk tells how far it got: the app is what it was, or what was restored.
"""

import json
from dataclasses import asdict
from pathlib import Path

from agent.extract import wipe
from agent.platforms.base import Spot
from agent.steps.apply.swap import Swap
from agent.steps.backup_check import complete_store
from agent.steps.backup_list import BadList, Headline, backups_in, read_headline
from agent.steps.backup_set import differences, rebuild, verify
from agent.steps.drain import refuse_while_open
from agent.steps.room import Room
from agent.steps.service_manager import refuse_while_running
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import app_version
from agent.wire.contract import Finding, Refusal, Severity

_MOST_LISTED = 60
_SPARE = 1.1
_ABSENT = "app-was-absent"


def list_backups(work: Work) -> None:
    """Tell of each backup of this app in a fact of its own, by its name; the newest last."""
    for backup in _ours(work)[-_MOST_LISTED:]:
        work.fact(backup.name, json.dumps(_about(backup)))


def verify_backup(work: Work) -> None:
    """Read all of one backup against its list; what is damaged is a finding."""
    backup = _chosen(work)
    checked = verify(work, backup)
    _tell(work, backup)
    work.fact("files", str(checked.files))
    work.fact("bytes", str(checked.bytes))
    work.fact("damaged", str(len(checked.findings)))
    for finding in checked.findings:
        work.find(finding)
    head = _headline(backup)
    if head is not None and not head.complete:
        work.find(
            Finding(
                "backup-incomplete",
                Severity.WARNING,
                f"the backup {backup.name} was never completed: it cannot be restored",
            )
        )


def rehearse_restore(work: Work) -> None:
    """Rebuild one backup in a folder of the agent's own, compare the two, and delete it again."""
    backup, scratch, begun = _chosen(work), _scratch(work), work.platform.clock()
    head = complete_store(work, backup).listed.head
    _check_room(work, head)
    try:
        rebuild(work, backup, Spot(scratch))
        different = differences(work, backup, scratch)
    finally:
        forget_rehearsal(work)
    if different:
        raise Failed(f"cannot restore the backup {backup.name} as it was: {different[0]}")
    _tell(work, backup)
    work.fact("files", str(head.files))
    work.fact("bytes", str(head.bytes))
    work.fact("took_seconds", f"{work.platform.clock() - begun:.1f}")


def forget_rehearsal(work: Work) -> None:
    """Delete what a rehearsal has rebuilt."""
    wipe(_scratch(work))


def restore_backup(work: Work) -> None:
    """Have a backup in the app's folder, and what was there beside it.

    Raises `Refused` while the app or its service manager runs, and of no use or damaged backup.
    """
    refuse_while_open(work)
    refuse_while_running(work)
    backup, swap = _chosen(work), Swap(work, work.folders.incoming)
    head = complete_store(work, backup).listed.head
    _refuse_unfit(work, backup, head)
    try:
        swap.settle()
        if not _is_restored(work, swap):
            _check_room(work, head)
            rebuild(work, backup, swap.incoming)
            _swap_in(work, swap)
    except OSError:
        recover_restore(work)
        raise
    swap.confirm()
    _tell(work, backup)
    if swap.has_content(swap.kept):
        work.fact("kept_folder", str(swap.kept))
    work.fact("app_version", app_version(work))


def recover_restore(work: Work) -> None:
    """After a crash: the app as it was, unless it was wholly restored already."""
    swap = Swap(work, work.folders.incoming)
    swap.settle()
    if work.memo.get(_ABSENT):  # there is nothing to go back to, and what comes in is whole
        swap.bring_in()
    work.platform.remove(swap.incoming)
    work.platform.remove(swap.discarded)


def _is_restored(work: Work, swap: Swap) -> bool:
    if work.memo.get(_ABSENT):
        return swap.has_app() and not swap.has_content(swap.incoming)
    return swap.is_done


def _swap_in(work: Work, swap: Swap) -> None:
    if swap.has_app():
        swap.take_out()
    else:
        work.installation.folder.parent.mkdir(parents=True, exist_ok=True)
        work.memo.put(_ABSENT, "yes")
    swap.bring_in()


def _refuse_unfit(work: Work, backup: Path, head: Headline) -> None:
    if not head.whole:
        raise Refused(
            Refusal.NO_BACKUP,
            f"cannot restore the backup {backup.name}: it holds only what the profile named in "
            "backup.include, which is no app that runs",
        )
    if head.folder and head.folder != str(work.installation.folder):
        raise Refused(
            Refusal.APP_ABSENT,
            f'cannot restore the backup {backup.name}: it is of "{head.folder}", and the app of '
            f'this host is "{work.installation.folder}"; name its folder in agent.toml under '
            f"[apps.{work.profile.name}]",
        )


def _chosen(work: Work) -> Path:
    """Return the named backup, else the newest that was completed. Raises `Refused`."""
    wanted, ours = work.params.backup, _ours(work)
    if not wanted:
        ours = [backup for backup in ours if (head := _headline(backup)) and head.complete]
    found = [backup for backup in ours if wanted in {"", backup.name}]
    if not found:
        what = f"no backup {wanted}" if wanted else "no complete backup"
        raise Refused(
            Refusal.NO_BACKUP, f"there is {what} of {work.profile.title or work.profile.name} here"
        )
    return found[-1]


def _ours(work: Work) -> list[Path]:
    """Return the backups of this app, and those whose list is damaged, oldest first."""
    found = []
    for backup in backups_in(work.folders.backup.parent):
        try:
            head = read_headline(backup)
        except BadList:
            found.append(backup)
        else:
            if head is not None and head.app == work.profile.name:
                found.append(backup)
    return found


def _headline(backup: Path) -> Headline | None:
    try:
        return read_headline(backup)
    except BadList:
        return None


def _about(backup: Path) -> dict[str, object]:
    head = _headline(backup)
    if head is None:
        return {"damaged": True}
    told = asdict(head)
    return {key: told[key] for key in ("app", "version", "made", "complete", "files", "bytes")} | {
        "encrypted": head.encrypted
    }


def _tell(work: Work, backup: Path) -> None:
    head = _headline(backup)
    work.fact("backup", backup.name)
    work.fact("version", head.version if head else "")


def _scratch(work: Work) -> Path:
    return work.folders.incoming.with_name("rehearsal")


def _check_room(work: Work, head: Headline) -> None:
    folder = work.folders.incoming.parent
    room = Room(folder, int(head.bytes * _SPARE), work.platform.free_bytes(folder))
    if not room.is_enough:
        raise Refused(Refusal.DISK_FULL, room.shortage())
