"""Runs one program to its end and ends all it has started with it; run as a program itself.

    python -I tend.py '{"argv": [...], "cwd": "...", "user": "", "environment": {...}}'

Whatever the program starts and leaves behind becomes a child of this process (it is a
"subreaper", prctl(2)), so nothing escapes by forking twice. It ends all of it when the program
has ended, and as well when its standard input closes: the agent asks so for an end, and an agent
that was killed has asked for it too. Prints `{"code": ..., "output": ...}`. Linux only.
"""

import ctypes
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

MOST_OUTPUT = 8 * 1024
"""Bytes; as JSON six times that at most, which a pipe holds: nobody reads it before the end."""
_SET_CHILD_SUBREAPER = 36


def _identity(user: str) -> dict[str, Any]:
    if not user:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _started(order: dict[str, Any], output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        order["argv"],
        cwd=order["cwd"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=0o022,
        **_identity(order["user"]),
    )


def _wait(program: subprocess.Popen[bytes]) -> None:
    """Return when the program has ended, or nobody wants it any more."""
    handle = os.pidfd_open(program.pid)
    try:
        select.select([handle, sys.stdin], [], [])
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


def _end_of(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - MOST_OUTPUT))
    return output.read().decode("utf-8", "replace")


def main() -> None:
    """Run the program; exit 1 with a sentence on stderr when it cannot be started."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("this system cannot keep a program's children together")
    order = json.loads(sys.argv[1])
    with tempfile.TemporaryFile() as output:
        try:
            program = _started(order, output)
        except (OSError, KeyError) as error:
            sys.exit(str(error))
        _wait(program)
        code = program.poll()
        _end_all()
        sys.stdout.write(json.dumps({"code": code, "output": _end_of(output)}))


if __name__ == "__main__":
    main()
