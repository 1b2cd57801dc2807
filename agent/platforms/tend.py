"""Runs one program to its end and ends all it has started with it; run as a program itself.

    python -I tend.py '{"argv": [...], "cwd": "...", "user": "", "environment": {...}}'

Whatever the program starts and leaves behind becomes a child of this process (it is a
"subreaper", prctl(2)), so nothing escapes by forking twice. It ends all of it when the program
has ended, and as well when its standard input closes: the agent asks so for an end, and an agent
that was killed has asked for it too. What is run as another user has limits, and gains no rights.
Prints `{"code": ..., "output": ...}`, the end of what the program printed. Linux only.
"""

import ctypes
import json
import os
import pwd
import resource
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_OUTPUT = 8 * 1024
"""Bytes; as JSON six times that at most, which a pipe holds: nobody reads it before the end."""
_SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVILEGES = 36, 38
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_CPU: 60,  # seconds
    resource.RLIMIT_DATA: 2 * 2**30,  # bytes
    resource.RLIMIT_FSIZE: 2**20,  # bytes of any file it writes
    resource.RLIMIT_NPROC: 256,  # processes of that user
}
"""Of a program that is run as another user."""
_CHUNK = 64 * 1024


def _identity(user: str) -> dict[str, Any]:
    if not user:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _limit() -> None:
    _control(_SET_NO_NEW_PRIVILEGES)
    for what, most in _LIMITS.items():
        _, hard = resource.getrlimit(what)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def _started(order: dict[str, Any], output: int) -> subprocess.Popen[bytes]:
    identity = _identity(order["user"])
    if identity:
        _limit()
    return subprocess.Popen(
        order["argv"],
        cwd=order["cwd"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=0o022,
        **identity,
    )


class _Tail:
    """Reads what comes through a pipe, and keeps the end of it."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.is_open = True
        self._kept = b""

    def read(self) -> None:
        chunk = os.read(self.pipe, _CHUNK)
        self.is_open = bool(chunk)
        self._kept = (self._kept + chunk)[-MOST_OUTPUT:]

    def whole(self) -> str:
        """Return it once nobody can write any more."""
        while self.is_open:
            self.read()
        return self._kept.decode("utf-8", "replace")


def _wait(program: subprocess.Popen[bytes], tail: _Tail) -> None:
    """Return when the program has ended, or nobody wants it any more."""
    handle = os.pidfd_open(program.pid)
    try:
        while True:
            pipes = [tail.pipe] if tail.is_open else []
            ready, _, _ = select.select([handle, sys.stdin, *pipes], [], [])
            if handle in ready or sys.stdin in ready:
                return
            tail.read()
    finally:
        os.close(handle)


def _children() -> list[int]:
    me, found = str(os.getpid()), []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                stat = (folder / "stat").read_text("utf-8", "replace")
                if stat.rpartition(")")[2].split()[1] == me:
                    found.append(int(folder.name))
    return found


def _end_all() -> None:
    """End every process below this one, those too whose parents have gone."""
    while left := _children():
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _control(option: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, 1, 0, 0, 0) != 0:
        sys.exit("this system cannot keep a program's children together, and without rights")


def main() -> None:
    """Run the program; exit 1 with a sentence on stderr when it cannot be started."""
    _control(_SET_CHILD_SUBREAPER)
    order = json.loads(sys.argv[1])
    reading, writing = os.pipe()
    tail = _Tail(reading)
    try:
        program = _started(order, writing)
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        sys.exit(str(error))
    os.close(writing)
    _wait(program, tail)
    code = program.poll()
    _end_all()
    sys.stdout.write(json.dumps({"code": code, "output": tail.whole()}))


if __name__ == "__main__":
    main()
