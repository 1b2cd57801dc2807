"""Writes a small file whole or not at all, so that a power cut never leaves half of one."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

PRIVATE = 0o600
READABLE = 0o644
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk says, or a full share of one: making room mends it."""


def write_whole(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Put `content` at `path`, replacing what was there; on the disk when it returns.

    The content is never readable by more people than `mode` says, not even for a moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write_new(beside, content, mode)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names in `folder` are on the disk; does nothing where that is unheard of."""
    with contextlib.suppress(PermissionError):  # Windows opens no folders, and needs no such call
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
