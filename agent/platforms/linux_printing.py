"""Print jobs of a Linux host, as CUPS tells of them."""

import os
import subprocess
from collections.abc import Sequence

from agent.platforms.base import PrintJob

_SECONDS = 3.0
_MOST = 1000


def print_jobs() -> Sequence[PrintJob]:
    """Return the jobs that are not done; () without CUPS, or when it does not answer in time."""
    try:
        answer = subprocess.run(
            ["lpstat", "-o"],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if answer.returncode != 0:
        return ()
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    return tuple(job for line in lines[:_MOST] if (job := _job(line)))


def _job(line: str) -> PrintJob | None:
    """Read "Laser-42  marie  1024  Sat 21 Nov 2026 12:00:00"; None when it is not like that."""
    words = line.split()
    if len(words) < 3 or not words[2].isdigit():
        return None
    return PrintJob(user=words[1], name=words[0])
