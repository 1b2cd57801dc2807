"""The signed list of what a package holds; nothing that is not on it ever reaches the disk."""

import json
from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Text, Whole
from agent.wire.codec import decode, encode
from agent.wire.contract import Count, Name, Sha256, Version
from agent.wire.terms import NO_TERMS, Terms

MOST_FILES = 100_000
MOST_BYTES = 64 * 2**20
"""The longest manifest that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a package: where it goes, below the app's folder, and what it holds."""

    path: Annotated[str, Text(400)]  # POSIX, relative; judged by `agent.extract`
    mode: Annotated[int, Whole(0, 0o777)]
    size: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class Manifest:
    """One package: for which app, version, role and system, and its whole content."""

    app: Name
    version: Version
    role: Name
    system: Name
    content_sha256: Sha256
    content_size: Count
    files: Annotated[tuple[FileEntry, ...], Entries(MOST_FILES)]
    terms: Terms = NO_TERMS

    @property
    def unpacked_size(self) -> int:
        """How many bytes the files take once unpacked."""
        return sum(entry.size for entry in self.files)


def read_manifest(raw: bytes) -> Manifest:
    """Return the manifest in `raw`. Raises `BadMessage` (a `ValueError`) when it is none."""
    return decode(Manifest, json.loads(raw))


def write_manifest(manifest: Manifest) -> bytes:
    """Return the bytes that are signed: the same manifest always gives the same bytes."""
    return json.dumps(encode(manifest), sort_keys=True, separators=(",", ":")).encode()
