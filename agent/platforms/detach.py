"""Starts one program that outlives whoever asked, and writes its pid; run as a program.

    python -I detach.py '{"argv": [...], "cwd": "...", "user": "", "environment": {...}}'

It ends at once, so that the program belongs to init: no zombie, and no child of the agent.
For Linux and macOS.
"""

import json
import os
import pwd
import subprocess
import sys
from typing import Any


def _identity(user: str) -> dict[str, Any]:
    if not user:
        return {}
    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.geteuid():
        return {}  # who is no administrator may not even ask to be himself
    groups = os.getgrouplist(user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


def main() -> None:
    """Start the program; exit 1 with a sentence on stderr when that cannot be."""
    order = json.loads(sys.argv[1])
    try:
        program = subprocess.Popen(
            order["argv"],
            cwd=order["cwd"],
            env=order["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            umask=0o022,
            **_identity(order["user"]),
        )
    except (OSError, KeyError) as error:
        sys.exit(str(error))
    sys.stdout.write(str(program.pid))
    sys.stdout.flush()
    os._exit(0)  # Popen would warn that its child still runs, which is the point


if __name__ == "__main__":
    main()
