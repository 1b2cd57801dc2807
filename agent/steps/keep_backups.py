"""Which backups are kept: the newest of each app, and every one that is still a way back."""

import re
from contextlib import suppress
from pathlib import Path

from agent.steps.backup_list import BadList, Headline, backups_in, read_headline
from agent.steps.backup_store import delete_store
from agent.steps.table import Work

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ROLLOUT = re.compile(rf"[{_LETTERS}]{{26}}")


def keep_newest(work: Work, within: str = "") -> None:
    """Delete the backups of this app that its profile no longer keeps, and half-made ones.

    `within` is the place of the backup in its rollout's folder. Only rollouts that are over are
    looked at: this one, which is being tidied, and older ones. While this one has no backup that
    was completed, no other that was is deleted, nor is ever one whose old release still is there.
    """
    mine = work.folders.backup.name
    complete = []
    for folder in _rollouts(work, mine):
        backup = folder / within
        head = _headline(backup)
        if head is None or (head.app == work.profile.name and not head.complete):
            _delete(backup, folder)
        elif head.app == work.profile.name:
            complete.append(folder)
    if mine in {folder.name for folder in complete}:
        for folder in complete[: -work.profile.backup.keep_last]:
            if not _is_way_back(work, folder.name):
                _delete(folder / within, folder)
    _drop_empty(work.folders.incoming.parent)


def drop_own(work: Work, within: str = "") -> None:
    """Delete the backup that this rollout has made: a drill's takes the place of no other."""
    folder = work.folders.backup
    if _ROLLOUT.fullmatch(folder.name):
        _delete(folder / within, folder)


def _rollouts(work: Work, newest: str) -> list[Path]:
    found = backups_in(work.folders.backup.parent)
    return [path for path in found if _ROLLOUT.fullmatch(path.name) and path.name <= newest]


def _headline(backup: Path) -> Headline | None:
    """Return whose backup it is, None when it was not begun; a damaged one is nobody's."""
    try:
        return read_headline(backup)
    except BadList:
        return Headline("", "")


def _is_way_back(work: Work, rollout: str) -> bool:
    app = work.installation.folder
    return app.with_name(f"{app.name}_old.{rollout}").exists()


def _delete(backup: Path, folder: Path) -> None:
    delete_store(backup)
    with suppress(OSError):  # there is something else in it
        folder.rmdir()


def _drop_empty(staging: Path) -> None:
    """Delete the empty folders that older steps have left beside those of this rollout."""
    if _ROLLOUT.fullmatch(staging.name):
        for folder in staging.parent.iterdir():
            if _ROLLOUT.fullmatch(folder.name) and folder.name < staging.name:
                with suppress(OSError):
                    folder.rmdir()
