"""What is to be signed, carried to a PC without a coordinator and back: one file.

It holds the list of targets (or a change of keys), and the content of every target on it, so that
whoever signs sees what it is; nothing in it is believed more than what the coordinator says.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agent.wire.atomic import READABLE, write_whole
from coordinator.complaint import Complaint
from coordinator.signing import Fetch

_KIND = "roundsman: to be signed"
_MOST_BYTES = 200 * 2**20


@dataclass(frozen=True, slots=True)
class Paper:
    """One thing to be signed; the roots are those of a change of keys, else there are none."""

    targets: str
    roots: tuple[str, ...] = ()
    present: str = ""  # the root that the change begins from
    contents: dict[str, str] = field(default_factory=dict)  # base64, by SHA-256

    def fetch(self, name: str, sha256: str) -> bytes:
        """Return the content of a target. Raises `Complaint`."""
        try:
            return base64.b64decode(self.contents[sha256], validate=True)
        except (KeyError, binascii.Error):
            raise Complaint(
                f"cannot sign: the file lacks the content of {name}",
                "make it anew: roundsman release unsigned --to FILE",
            ) from None


def with_contents(paper: Paper, named: Iterable[tuple[str, str]], fetch: Fetch) -> Paper:
    """Return the paper with the content of each target, by name and SHA-256."""
    contents = {sha256: base64.b64encode(fetch(name, sha256)).decode() for name, sha256 in named}
    return Paper(paper.targets, paper.roots, paper.present, contents)


def write_paper(file: Path, paper: Paper) -> None:
    """Write the file, whole or not at all. Raises `Complaint`."""
    try:
        write_whole(
            file.absolute(), json.dumps({"kind": _KIND} | asdict(paper)).encode(), READABLE
        )
    except OSError as error:
        raise Complaint(f"cannot write {file}: {error.strerror}") from None


def read_paper(file: Path) -> Paper:
    """Return what a file holds. Raises `Complaint`."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise Complaint(f"cannot read {file}: it is longer than {_MOST_BYTES} bytes")
        raw = json.loads(file.read_bytes())
        return _read(raw)
    except OSError as error:
        raise Complaint(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Complaint(
            f"cannot read {file}: it is no file to be signed",
            "make one: roundsman release unsigned --to FILE",
        ) from None


def _read(raw: dict[str, object]) -> Paper:
    targets, roots, present, contents = (
        raw[key] for key in ("targets", "roots", "present", "contents")
    )
    if raw["kind"] != _KIND or not isinstance(roots, list) or not isinstance(contents, dict):
        raise ValueError(_KIND)
    texts = [targets, present, *roots, *contents, *contents.values()]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(_KIND)
    return Paper(str(targets), tuple(map(str, roots)), str(present), contents)
