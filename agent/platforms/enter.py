"""Becomes our program in a user's desktop; run as that user, as a program itself.

    python -I enter.py ARGUMENT...

From here on nothing gains rights (prctl(2), no_new_privs), and the kernel ends this program when
the agent that started it dies. Linux only.
"""

import ctypes
import os
import resource
import signal
import sys

_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_MOST_FILES = 256


def main() -> None:
    """Give up what is not needed, and become Python with these arguments."""
    control = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in (
        (_SET_NO_NEW_PRIVILEGES, 1),
        (_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL)),
    ):
        if control(option, value, 0, 0, 0) != 0:
            sys.exit(os.strerror(ctypes.get_errno()))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    os.execv(sys.executable, [sys.executable, "-I", *sys.argv[1:]])


if __name__ == "__main__":
    main()
