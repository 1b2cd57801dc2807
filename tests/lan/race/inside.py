"""Run inside a host: prints what is there, as JSON. Imports nothing of this project.

usage: inside.py BACKUPS...     the folders in which a backup may lie
"""

import hashlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

LOB = Path("/opt/lob")
_APP = LOB / "lobapp"
_OWN = ("config", "certs", "prefs", "data", "archive")
_GROWING = ".txt"  # a user's own document: both releases append to it
_UNITS = ("lobapp", "lobclient@alice", "lobclient@bob")


def digest(file: Path) -> str:
    """Return what identifies the content of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def content(folder: Path) -> dict[str, str]:
    """Return every file of the app that stays as it is, and what is in it."""
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.suffix != _GROWING]
    return {str(file.relative_to(folder)): digest(file) for file in files}


def owned(folder: Path) -> dict[str, list[object]]:
    """Return of each file that belongs to the host its mode, owner and time."""
    return {
        str(file.relative_to(folder)): _identity(file)
        for own in _OWN
        for file in sorted((folder / own).rglob("*"))
        if file.is_file() and file.suffix != _GROWING
    }


def _identity(file: Path) -> list[object]:
    facts = file.stat()
    return [oct(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_mtime_ns]


def backed_up(folders: list[str]) -> list[str]:
    """Return the content of whatever lies in these folders, by its digests."""
    files = (file for folder in folders for file in Path(folder).rglob("*") if file.is_file())
    return sorted({digest(file) for file in files})


def running() -> list[str]:
    """Return which of the app's units run."""
    asked = ["systemctl", "is-active", *_UNITS]
    said = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    return [unit for unit, state in zip(_UNITS, said, strict=True) if state == "active"]


def answer() -> str:
    """Return the version that the service says, "" when it says nothing."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:8080/status", timeout=5) as page:
            return str(json.load(page)["version"])
    except (urllib.error.URLError, ValueError, KeyError):
        return ""


def main(*backups: str) -> None:
    found = {
        "answer": answer(),
        "content": content(_APP),
        "owned": owned(_APP),
        "backed_up": backed_up(list(backups)),
        "beside": sorted(path.name for path in LOB.iterdir()),
        "running": running(),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
