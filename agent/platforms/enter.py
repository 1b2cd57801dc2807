"""Becomes our program in a user's desktop; run with the agent's rights, as a program itself.

    python -I enter.py '{"user": [UID, GID, [GROUP, ...]] or null, "environment": {...},
                         "arguments": [...]}'

It gives up its rights by itself: the agent waits for nobody whom the user may halt. From here on
nothing gains rights (prctl(2), no_new_privs), and the kernel ends this program when the agent
that started it dies. Linux only.
"""

import ctypes
import json
import os
import resource
import signal
import sys

_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_MOST_FILES = 256


def _control(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))


def main() -> None:
    """Give up what is not needed, and become Python with these arguments."""
    order = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    _control(_SET_NO_NEW_PRIVILEGES, 1)
    if order["user"] is not None:
        uid, gid, groups = order["user"]
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
    _control(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL))  # forgotten with each change of user
    command = [sys.executable, "-I", *order["arguments"]]
    os.execve(sys.executable, command, order["environment"])


if __name__ == "__main__":
    main()
