"""What a package may be fetched by, beside its zip: blobs and patches, and how long each is.

It is not signed and need not be: what comes is compared with the signed manifest, so a lie in
it costs time and nothing else. Files are meant by their place on the manifest.
"""

import json
from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Whole
from agent.wire.codec import decode, encode
from agent.wire.contract import Count, Sha256
from agent.wire.manifest import MOST_FILES

MOST_PATCHED = 12 * 2**20
"""The largest file that is patched, in bytes: old and new are in an agent's memory then."""
MOST_BYTES = 32 * 2**20
"""The longest list that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class Patch:
    """What makes a file out of another that a host may have."""

    file: Annotated[int, Whole(0, MOST_FILES)]
    base: Sha256
    size: Count


@dataclass(frozen=True, slots=True)
class Parts:
    """The blobs' lengths, in the order of the manifest, and the patches there are so far."""

    blobs: Annotated[tuple[Count, ...], Entries(MOST_FILES)]
    patches: Annotated[tuple[Patch, ...], Entries(3 * MOST_FILES)] = ()


def read_parts(raw: bytes) -> Parts:
    """Return the list in `raw`. Raises `BadMessage` (a `ValueError`) when it is none."""
    return decode(Parts, json.loads(raw))


def write_parts(parts: Parts) -> bytes:
    """Return the list as it is served."""
    return json.dumps(encode(parts), separators=(",", ":")).encode()
