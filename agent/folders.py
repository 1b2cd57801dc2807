"""Where the agent keeps what belongs to one rollout, and how those names are made.

Kept folders are named after the rollout, so that an older `_old` is never taken for this one's.
What is swapped with the app lies on the app's own volume: in the state folder when that is on
it, else in a `.roundsman` folder beside the app. Users may write beside the app, so a folder
there that is a link, not ours or open to others is refused rather than used.
"""

import stat
from contextlib import suppress
from pathlib import Path

from agent.platforms.base import FileControl
from agent.steps.table import Folders, Refused
from agent.wire.contract import Refusal

_BESIDE = ".roundsman"


def folders_for(state: Path, rollout: str, app: Path, files: FileControl) -> Folders:
    """Return the folders of one rollout; those above them exist when this returns.

    `app` is the app's own folder; it may be away for a moment, in the middle of a swap.
    Raises `Refused` FOLDER_RIGHTS.
    """
    apart = not files.same_volume(state, app.parent)
    swap = app.parent / _BESIDE if apart else state
    staging, download, backups = swap / "staging", state / "downloads", state / "backups"
    owner = state.stat().st_uid
    for folder in (*([swap] if apart else []), staging, staging / rollout, download, backups):
        _make(folder, owner)
    return Folders(
        download=download,
        incoming=staging / rollout / "incoming",
        outgoing=app.parent / f"{app.name}_old.{rollout}",
        discarded=staging / rollout / "discarded",
        backup=backups / rollout,
    )


def _make(folder: Path, owner: int) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    open_to_others = folder.name == _BESIDE and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or open_to_others:
        raise Refused(
            Refusal.FOLDER_RIGHTS,
            f'cannot use "{folder}": it is a link, a file, another user\'s or open to others; '
            "remove it, so that the agent makes it anew",
        )
