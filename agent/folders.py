"""Where the agent keeps what belongs to one rollout, and how those names are made.

Kept folders are named after the rollout, so that an older `_old` is never taken for this one's.
What is swapped with the app lies on the app's own volume: in the state folder when that is on
it, else in a `.roundsman` folder beside the app. Users may write beside the app: what they can
have put there, or could put there in place of the agent's, is refused rather than used.
"""

import errno
import os
import stat
from pathlib import Path

from agent.platforms.base import FileControl, Item, Spot
from agent.steps.table import Folders, Refused
from agent.wire.contract import Refusal

BESIDE = ".roundsman"
"""The agent's own folder beside an app that is on another disk than the agent's state."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def folders_for(state: Path, rollout: str, app: Path, files: FileControl) -> Folders:
    """Return the folders of one rollout; those above them exist when this returns.

    `app` is the app's own folder; it may be away for a moment, in the middle of a swap.
    Raises `Refused` FOLDER_RIGHTS.
    """
    apart = not files.same_volume(state, app.parent)
    swap = app.parent / BESIDE if apart else state
    staging, download, backups = swap / "staging", state / "downloads", state / "backups"
    owner = state.stat().st_uid
    if apart and files.look_at(Spot(staging / rollout)) is None:
        check_above(app.parent, files, owner)
    autosaves = state / "autosaves"
    own = (staging, staging / rollout, staging / "ready", download, backups, autosaves)
    for folder in (*([swap] if apart else []), *own):
        make_private(folder, files, owner)
    outgoing = app.parent / f"{app.name}_old.{rollout}"
    _check_kept(outgoing, app, files, owner)
    return Folders(
        download=download,
        incoming=staging / rollout / "incoming",
        outgoing=outgoing,
        discarded=staging / rollout / "discarded",
        backup=backups / rollout,
        autosaves=autosaves / rollout,
        ready=staging / "ready",
    )


def check_state(state: Path) -> None:
    """Raise `PermissionError` when users could put files of theirs in the agent's state folder."""
    found = state.stat()
    if found.st_mode & _OTHERS_WRITE or found.st_uid not in {0, os.geteuid()}:
        why = "others may write there, and so give the agent orders; have it owned and written"
        raise PermissionError(errno.EPERM, f"{why} by root alone", str(state))


def make_private(folder: Path, files: FileControl, owner: int) -> None:
    """Have a folder that only its owner, the agent's user, can look into.

    Raises `Refused` FOLDER_RIGHTS when something else is there, or users could write in it.
    """
    try:
        files.make_folder(Spot(folder))
    except (NotADirectoryError, FileExistsError) as error:
        raise _planted(folder) from error
    found = files.look_at(Spot(folder))
    if found is None or not is_own(folder, files, owner):
        raise _planted(folder)
    if found.mode & _OTHERS:
        folder.chmod(0o700)


def is_own(folder: Path, files: FileControl, owner: int) -> bool:
    """True when a folder is the agent's, and nobody else can have put anything there."""
    found = files.look_at(Spot(folder))
    if found is None or not found.is_folder or found.owner != owner:
        return False
    return not (folder.name == BESIDE and found.mode & _OTHERS_WRITE)


def _planted(folder: Path) -> Refused:
    return Refused(
        Refusal.FOLDER_RIGHTS,
        f'cannot use "{folder}": it is a link, a file, another user\'s or open to others; '
        "remove it, so that the agent makes it anew",
    )


def check_above(parent: Path, files: FileControl, owner: int) -> None:
    """Refuse to stage in a folder where users could put their own in place of the agent's."""
    found = files.look_at(Spot(parent))
    if found is None or _is_safe(found, owner):
        return
    raise Refused(
        Refusal.FOLDER_RIGHTS,
        f'cannot keep a release in "{parent}": users may rename what is in it; put the sticky '
        f'bit on it (chmod +t "{parent}"), or have the agent\'s state folder on the same disk',
    )


def _is_safe(found: Item, owner: int) -> bool:
    open_to_others = found.mode & _OTHERS_WRITE and not found.mode & stat.S_ISVTX
    return found.owner in {0, owner} and not open_to_others


def _check_kept(outgoing: Path, app: Path, files: FileControl, owner: int) -> None:
    """Refuse what is in the place of the old release and cannot be it."""
    for kept in (outgoing, outgoing.with_name(f"{outgoing.name}.part")):
        found, live = files.look_at(Spot(kept)), files.look_at(Spot(app))
        if found is None:
            continue
        owners = {0, owner, live.owner if live else found.owner}
        if not found.is_folder or found.owner not in owners:
            raise Refused(
                Refusal.FOLDER_RIGHTS,
                f'cannot use "{kept}": it is a link, a file or another user\'s folder, where '
                "the old release is kept; move it away",
            )
