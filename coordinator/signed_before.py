"""What the holder of a key has signed at this PC before: it need not be shown whole again.

It is kept in the operator's own folder, one file a key. What the coordinator says is signed
already is not asked: it may be in a thief's hands, who would hide a new entry among the old.
"""

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path

from agent.wire.atomic import PRIVATE, write_whole
from coordinator.signing import Vouched


def signed_before(folder: Path, key: Path) -> frozenset[tuple[str, str]]:
    """Return the name and SHA-256 of what was signed here with a key; what is kept or nothing."""
    try:
        lines = _file(folder, key).read_text("utf-8").splitlines()
    except (OSError, UnicodeError):
        return frozenset()
    pairs = (line.partition(" ") for line in lines)
    return frozenset((name, sha256) for sha256, _, name in pairs)


def keep_signed(folder: Path, key: Path, vouched: Iterable[Vouched]) -> None:
    """Keep what was signed with a key; where it cannot be kept, all is shown whole again."""
    said = "".join(f"{item.sha256} {item.name}\n" for item in vouched)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(_file(folder, key), said.encode(), PRIVATE)


def _file(folder: Path, key: Path) -> Path:
    return folder / f"signed-{hashlib.sha256(key.read_bytes()).hexdigest()[:16]}.txt"
