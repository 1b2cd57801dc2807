"""Runs a program to its end on Linux, and ends all that it has started with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.platforms import tend
from agent.platforms.base import Ended, Going

_LOOK_SECONDS = 0.2
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
    "DEBIAN_FRONTEND": "noninteractive",  # no package may ask a question: nobody would answer
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a program may run, and what is asked meanwhile."""

    seconds: float
    going: Going


class LinuxPrograms:
    """The `ProgramControl` of Linux."""

    end_seconds = 15.0
    """So long all that a program has started may take to end."""

    def run(self, argv: Sequence[str], cwd: Path, seconds: float, going: Going) -> Ended:
        """Run a program as the agent itself. Raises `OSError`, and what `going` raises."""
        return self._run(argv, cwd, "", Limit(seconds, going))

    def run_as_nobody(self, argv: Sequence[str], cwd: Path, seconds: float) -> Ended:
        """Run a program as a user without rights. Raises `OSError`."""
        return self._run(argv, cwd, "nobody", Limit(seconds, lambda: None))

    def _run(self, argv: Sequence[str], cwd: Path, user: str, limit: Limit) -> Ended:
        order = {"argv": list(argv), "cwd": str(cwd), "user": user, "environment": _ENVIRONMENT}
        tender = subprocess.Popen(
            [sys.executable, "-I", tend.__file__, json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with tender:
            late = False
            try:
                late = _is_late(tender, time.monotonic() + limit.seconds, limit.going)
            finally:  # closes its input, which ends all of it
                told, complaint = _last_words(tender, argv[0], self.end_seconds)
        if tender.returncode != 0:
            raise OSError(f'cannot run "{argv[0]}": {complaint.strip()}')
        answer = json.loads(told)
        return Ended(None if late else answer["code"], answer["output"])


def _last_words(tender: subprocess.Popen[str], what: str, seconds: float) -> tuple[str, str]:
    """Close its input and return what it prints. Raises `OSError` when it does not end."""
    try:
        return tender.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(tender)  # it waits for a program that does not begin: its file cannot be read
        raise OSError(f'cannot run "{what}": it does not begin, nor end') from None


def _kill(tender: subprocess.Popen[str]) -> None:
    """End a tender, and first what it has started: nobody would end that any more."""
    with suppress(OSError):
        for pid in Path(f"/proc/{tender.pid}/task/{tender.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    tender.kill()


def _is_late(tender: subprocess.Popen[str], end: float, going: Going) -> bool:
    """Return when the program has ended, False, or when its time is up, True."""
    while True:
        try:
            tender.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            going()
        else:
            return False
        if time.monotonic() >= end:
            return True
