"""Starts one program that outlives whoever asked, and writes its pid; run as a program.

    python -I detach.py '{"argv": [...], "cwd": "...", "user": "", "environment": {...},
                          "seconds": 10}'

It ends at once, so that the program belongs to init: no zombie, and no child of the agent.
From the moment the program's process has become its user's, that user may halt it, and the file
that it turns into may be one whose opening never ends: it is waited for so many seconds only.
For Linux and macOS.
"""

import json
import os
import pwd
import select
import signal
import sys
from typing import Any, NoReturn

_MOST_TOLD = 4000


def _identity(user: str) -> tuple[int, int, list[int]] | None:
    if not user:
        return None
    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.geteuid():
        return None  # who is no administrator may not even ask to be himself
    return entry.pw_uid, entry.pw_gid, os.getgrouplist(user, entry.pw_gid)


def _become(order: dict[str, Any], identity: tuple[int, int, list[int]] | None) -> NoReturn:
    """Turn into the program. Raises `OSError`."""
    os.setsid()
    os.umask(0o022)
    null = os.open(os.devnull, os.O_RDWR)
    for handle in range(3):
        os.dup2(null, handle)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and not for who comes after it
        signal.signal(ignored, signal.SIG_DFL)
    os.chdir(order["cwd"])
    if identity is not None:
        uid, gid, groups = identity
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
    os.execvpe(order["argv"][0], order["argv"], order["environment"])


def _started(order: dict[str, Any]) -> int:
    """Return the pid once it is the program. Raises `OSError`."""
    identity = _identity(order["user"])
    told, tell = os.pipe()  # closed by the system when the program has begun
    pid = os.fork()
    if pid == 0:
        try:
            _become(order, identity)
        except (OSError, ValueError) as error:
            os.write(tell, _why(error, order).encode("utf-8", "replace")[:_MOST_TOLD])
        finally:
            os._exit(1)
    os.close(tell)
    seconds = order["seconds"]
    ready, _, _ = select.select([told], [], [], seconds)
    why = os.read(told, _MOST_TOLD).decode("utf-8", "replace") if ready else _late(seconds)
    if why:
        os.kill(pid, signal.SIGKILL)  # not reaped yet: its number is its own
        raise OSError(why)
    return pid


def _why(error: OSError | ValueError, order: dict[str, Any]) -> str:
    """Return why it cannot be started, in words for who may mend it."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.filename != order["argv"][0]:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, PermissionError):
        return "its user may not run that file; look at its rights (chmod +x)"
    return error.strerror


def _late(seconds: float) -> str:
    return f"it has not begun within {seconds:g} s: it was halted, or its file cannot be read"


def main() -> None:
    """Start the program; exit 1 with a sentence on stderr when that cannot be."""
    try:
        pid = _started(json.loads(sys.argv[1]))
    except (OSError, KeyError) as error:
        sys.exit(str(error))
    sys.stdout.write(str(pid))


if __name__ == "__main__":
    main()
