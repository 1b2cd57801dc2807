"""The one judge of the race: every contender must leave every host in the same state.

What is there is read inside each host by `inside.py`; it is compared with what was there before
and with the release's own zip.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lan.app import NEW
from tests.lan.box import Host

_INSIDE = Path(__file__).with_name("inside.py")
_BACKUPS = ("/var/backups/lob", "/var/lib/roundsman/backups")
_SECONDS = 120
_UNITS = ["lobapp", "lobclient@alice", "lobclient@bob"]

Found = Mapping[str, Any]


def look(hosts: Sequence[Host]) -> dict[str, Found]:
    """Return what is there on each host."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip([h.name for h in hosts], pool.map(_look, hosts), strict=True))


def _look(host: Host) -> Found:
    command = ("python3", "-I", "-", *_BACKUPS)
    said = host.run(*command, text=_INSIDE.read_text("utf-8"), seconds=_SECONDS).stdout
    found: Found = json.loads(said)
    return found


def judge(before: Found, after: Found, release: Path) -> Iterator[str]:
    """Yield what is not as it must be on one host after an update to the release."""
    parts = _parts(before, _content_of(release))
    yield from _different("file", parts, after["content"])
    yield from _different("right", before["owned"], after["owned"])
    if lost := set(before["content"].values()) - set(after["backed_up"]):
        yield f"{len(lost)} files of the old release are in no backup"
    if before["beside"] != after["beside"]:
        yield f"beside the app: {after['beside']}, not {before['beside']}"
    if after["running"] != _UNITS:
        yield f"running: {after['running']}"
    if after["answer"] != NEW:
        yield f"the service says {after['answer'] or 'nothing'}"


def _parts(before: Found, release: Mapping[str, str]) -> dict[str, str]:
    """Return what must be in the app's folder: the release, and what belongs to the host."""
    return {**release, **{path: before["content"][path] for path in before["owned"]}}


def _content_of(release: Path) -> dict[str, str]:
    with zipfile.ZipFile(release) as package:
        return {
            name: hashlib.sha256(package.read(name)).hexdigest() for name in package.namelist()
        }


def _different(what: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for path in sorted(wanted.keys() | found.keys()):
        if wanted.get(path) != found.get(path):
            yield f"{what} {path}: {found.get(path)}, not {wanted.get(path)}"
