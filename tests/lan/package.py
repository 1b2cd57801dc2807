"""The agent's package as `make deb` builds it."""

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.lan.settings import PROJECT

_BUILD = PROJECT / "build"


def package() -> Path:
    """Return the newest package, built now when there is none; `make test-lan` builds it anew."""
    _BUILD.mkdir(exist_ok=True)
    with (_BUILD / "deb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _built():
            command = [str(PROJECT / "deploy/deb.sh"), sys.executable]
            subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)
    return _built()[-1]


def _built() -> list[Path]:
    return sorted(_BUILD.glob("roundsman-agent_*.deb"), key=lambda file: file.stat().st_mtime)
