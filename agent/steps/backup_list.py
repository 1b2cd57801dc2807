"""The list kept with a backup: what was there, whose, when, and with which content.

One file, written whole or not at all: the hash of all that follows on its first line, so that no
damage to the list goes unseen, then JSON. Of an encrypted backup the paths, the links and their
hashes are sealed too; what people ask for (app, version, time, sizes) is not.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from agent.platforms.base import Item
from agent.sealed import NotOpened, open_sealed, seal
from agent.wire.atomic import write_whole

LIST = "backup.json"
TREE = "tree"
_SEAL = "list"


class BadList(ValueError):  # noqa: N818 - reads better where it is raised
    """The list of a backup is damaged, or cannot be opened."""


@dataclass(frozen=True, slots=True)
class Copied:
    """One thing that was copied, as it was at its source, and its content's hash."""

    item: Item  # path "" = the folder itself
    sha256: str  # of a file's content or a link's target; "" for a folder
    at: str = ""  # its copy's name in the backup, "" = none (a link of an encrypted one)
    target: str = ""  # where a link points


@dataclass(frozen=True, slots=True)
class Headline:
    """What is known of a backup without opening it."""

    app: str
    version: str
    folder: str = ""  # where it was
    made: float = 0.0  # seconds since 1970
    complete: bool = False  # all of it was read back and found the same, the app being closed
    whole: bool = True  # of the whole folder, not only of what the profile names
    files: int = 0
    bytes: int = 0
    key: str = ""  # the data key, sealed with this host's and as base64; "" = not encrypted

    @property
    def encrypted(self) -> bool:
        """True when its content is encrypted."""
        return bool(self.key)


@dataclass(frozen=True, slots=True)
class BackupList:
    """What a backup holds, by path."""

    head: Headline
    files: Mapping[str, Copied] = field(default_factory=dict)

    def counted(self) -> "BackupList":
        """Return the list with its headline's figures right."""
        plain = [copied.item.size for copied in self.files.values() if copied.item.is_file]
        return replace(self, head=replace(self.head, files=len(plain), bytes=sum(plain)))


_COPIED = [one.name for one in fields(Copied)]
_ITEM = [one.name for one in fields(Item)]


def read_headline(backup: Path) -> Headline | None:
    """Return a backup's headline, None when there is no list. Raises `BadList`."""
    raw = _read(backup)
    return None if raw is None else _headline(raw)


def read_list(backup: Path, key: bytes | None = None) -> BackupList | None:
    """Return the list of a backup, None when there is none; `key` is its data key.

    Raises `BadList` when it is damaged, or encrypted with another key.
    """
    raw = _read(backup)
    if raw is None:
        return None
    try:
        listed = raw["list"] if key is None else _opened(raw["list"], key)
        copied = [Copied(Item(**one.pop("item")), **one) for one in listed]
    except (NotOpened, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadList(f"its list cannot be opened: {error}") from None
    return BackupList(_headline(raw), {one.item.path: one for one in copied})


def write_list(backup: Path, listed: BackupList, key: bytes | None = None) -> None:
    """Keep the list with its backup; on the disk when it returns."""
    content: Any = [_row(copied) for copied in listed.files.values()]
    if key is not None:
        sealed = seal(key, _SEAL, json.dumps(content).encode())
        content = base64.b64encode(sealed).decode()
    body = json.dumps({"head": asdict(listed.head), "list": content}).encode()
    write_whole(backup / LIST, _digest(body) + b"\n" + body)


def _row(copied: Copied) -> dict[str, Any]:
    """Return the same as `asdict`, which takes ten times as long."""
    row = {name: getattr(copied, name) for name in _COPIED}
    return row | {"item": {name: getattr(copied.item, name) for name in _ITEM}}


def drop_unfinished(backup: Path) -> None:
    """Delete lists that were being written when the power was cut; for who writes it alone."""
    for unfinished in backup.glob(f".{LIST}.*"):
        unfinished.unlink()


def backups_in(folder: Path) -> Iterable[Path]:
    """Return the folders of backups, oldest first: they are named after their rollouts."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _opened(sealed: str, key: bytes) -> Any:
    return json.loads(open_sealed(key, _SEAL, base64.b64decode(sealed)))


def _read(backup: Path) -> dict[str, Any] | None:
    try:
        digest, _, body = (backup / LIST).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if digest != _digest(body):
        raise BadList("its list is damaged")
    try:
        raw = json.loads(body)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise BadList("its list is none")
    return raw


def _headline(raw: dict[str, Any]) -> Headline:
    try:
        return Headline(**raw["head"])
    except (KeyError, TypeError) as error:
        raise BadList(f"its list is of another kind: {error}") from None


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
