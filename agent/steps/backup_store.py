"""A backup on the disk, opened: its list, its copies, and the key when it is encrypted."""

import base64
from dataclasses import dataclass, replace
from pathlib import Path

from agent.extract import wipe
from agent.sealed import NotOpened, host_key, known_host_key, new_key, open_sealed, seal
from agent.steps.backup_copies import SEALED, Copies, PlainCopies, SealedCopies
from agent.steps.backup_list import (
    LIST,
    TREE,
    BackupList,
    BadList,
    Headline,
    drop_unfinished,
    read_headline,
    read_list,
    write_list,
)
from agent.steps.table import Work

KEY_FILE = "backup.key"
_SEAL = "data key"


@dataclass(frozen=True, slots=True)
class Store:
    """One backup."""

    listed: BackupList
    copies: Copies
    key: bytes | None  # the data key, None when it is not encrypted


def key_file(work: Work) -> Path:
    """Return where this host's key for backups is: in the agent's state folder."""
    return work.folders.backup.parent.parent / KEY_FILE


def open_store(work: Work, backup: Path) -> Store | None:
    """Return a backup, None when there is none. Raises `BadList`, also without its key."""
    head = read_headline(backup)
    if head is None:
        return None
    key = _data_key(work, head)
    listed = read_list(backup, key)
    return None if listed is None else Store(listed, _copies(work, backup, key), key)


def new_store(work: Work, backup: Path, head: Headline, *, encrypt: bool) -> Store:
    """Return an empty backup in place of whatever is there; its list is on the disk."""
    delete_store(backup)
    backup.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = new_key() if encrypt else None
    if key is not None:
        sealed = seal(host_key(key_file(work)), _SEAL, key)
        head = replace(head, key=base64.b64encode(sealed).decode())
    listed = BackupList(head)
    write_list(backup, listed, key)
    return Store(listed, _copies(work, backup, key), key)


def delete_store(backup: Path) -> None:
    """Delete a backup, its list last: without it the rest would never be found again.

    What else lies in its folder (a backup of shared data has a place of its own there) stays.
    """
    for content in (backup / TREE, backup / SEALED):
        wipe(content)
    drop_unfinished(backup)
    (backup / LIST).unlink(missing_ok=True)
    if backup.is_dir() and not any(backup.iterdir()):
        backup.rmdir()


def _data_key(work: Work, head: Headline) -> bytes | None:
    if not head.encrypted:
        return None
    try:
        return open_sealed(known_host_key(key_file(work)), _SEAL, base64.b64decode(head.key))
    except NotOpened as error:
        raise BadList(
            f'cannot open its key with "{key_file(work)}": {error}; without the key it was made '
            "with, a backup is lost"
        ) from None


def _copies(work: Work, backup: Path, key: bytes | None) -> Copies:
    if key is None:
        return PlainCopies(work.platform, backup)
    return SealedCopies(work.platform, backup, key)
