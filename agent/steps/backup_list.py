"""The list kept with a backup: what was there, when, and with which content."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.platforms.base import Item
from agent.wire.atomic import write_whole

LIST = "backup.json"
TREE = "tree"


@dataclass(frozen=True, slots=True)
class Copied:
    """One thing that was copied, as it was at its source, and its content's hash."""

    item: Item
    sha256: str  # of a file's content or a link's target; "" for a folder


@dataclass(frozen=True, slots=True)
class BackupList:
    """What a backup holds."""

    app: str
    version: str
    files: Mapping[str, Copied]


def read_list(backup: Path) -> BackupList | None:
    """Return the list of a backup, None when there is none that can be read."""
    try:
        raw: dict[str, Any] = json.loads((backup / LIST).read_bytes())
        copied = [Copied(Item(**entry["item"]), entry["sha256"]) for entry in raw["files"]]
        return BackupList(raw["app"], raw["version"], {c.item.path: c for c in copied})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_list(backup: Path, listed: BackupList) -> None:
    """Keep the list with its backup; on the disk when it returns."""
    raw = {
        "app": listed.app,
        "version": listed.version,
        "files": [asdict(copied) for copied in listed.files.values()],
    }
    write_whole(backup / LIST, json.dumps(raw, indent=0).encode())
