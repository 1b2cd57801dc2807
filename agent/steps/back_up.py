"""Copies the app aside, in two passes, and reads every copy back before the app is touched.

What is copied, and where to, is one `BackupSet`; here it is the app's folder. Undone, the step
proves that the app is again what was backed up, byte for byte.
"""

from collections.abc import Callable
from pathlib import Path

from agent.platforms.base import Item
from agent.steps.apply.parts import backed_up, of_before
from agent.steps.backup_list import BadList, Headline, read_headline
from agent.steps.backup_set import BackupSet, Pass, differences, make
from agent.steps.keep_backups import drop_own, keep_newest
from agent.steps.table import Failed, Work
from agent.steps.versions import app_version

_NAMED = 5


def app_backup(work: Work) -> BackupSet:
    """Return what is backed up of the app, and where to."""
    return BackupSet(
        live=work.installation.folder,
        store=work.folders.backup,
        app=work.profile.name,
        version=app_version(work),
        choose=chosen(work),
        whole=not work.profile.backup.include,
        encrypt=work.profile.backup.encrypt,
    )


def chosen(work: Work) -> Callable[[list[Item]], list[Item]]:
    """Return what picks what is backed up, by the profile, of all that is in the app's folder."""
    profile = work.profile

    def choose(items: list[Item]) -> list[Item]:
        return backed_up(profile, items)

    return choose


def first_pass(work: Work) -> None:
    """Copy what is there now; called while staging."""
    make(work, app_backup(work), Pass.FIRST)


def back_up(work: Work) -> None:
    """Have a backup of the closed app that was read back and found the same."""
    head = make(work, app_backup(work), Pass.SECOND)
    work.fact("backup_bytes", str(head.bytes))
    work.fact("backup_files", str(head.files))


def prove_as_it_was(work: Work) -> None:
    """Undo: prove that the app is again what was backed up. Raises `Failed` when it is not.

    What a roll-back kept aside of newer data does not count, nor does what no update moves.
    """
    head = _completed(work.folders.backup)
    if head is None:
        work.fact("proof", "no backup was completed: nothing to compare with")
        return
    choose = of_before(work.profile)
    found = differences(work, work.folders.backup, work.installation.folder, choose)
    if found:
        raise Failed(
            f"cannot confirm that the old release is back: {'; '.join(found[:_NAMED])}"
            + (f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
        )
    work.fact("proof", f"as it was: {head.files} files, {head.bytes} bytes")
    work.fact("proved_files", str(head.files))


def _completed(backup: Path) -> Headline | None:
    try:
        head = read_headline(backup)
    except BadList as error:
        raise Failed(f"cannot compare the app with its backup: {error}") from None
    return head if head is not None and head.complete else None


def keep_last(work: Work) -> None:
    """Tidy: delete the backups of this app that are no longer kept; a drill's is the only one."""
    if work.params.drill:
        drop_own(work)
    else:
        keep_newest(work)
