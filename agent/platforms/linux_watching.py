"""Which service of systemd a process belongs to, and where processes listen."""

import re
from collections.abc import Mapping
from pathlib import Path

import psutil

from agent.platforms.base import Process

_UNIT = re.compile(r"/system\.slice/(?:[^/\n]+\.slice/)*([^/\n]+\.service)(?:/|$)", re.MULTILINE)


def unit_in(cgroup: str) -> str:
    """Return the service of the system that a process is in, from its /proc/PID/cgroup."""
    found = _UNIT.search(cgroup)
    return found[1] if found else ""


class LinuxWatching:
    """The part of `ProcessControl` that only looks."""

    def service_of(self, process: Process) -> str:
        """Return the unit that the process belongs to, "" when it is none of the system's."""
        try:
            return unit_in(Path(f"/proc/{process.pid}/cgroup").read_text("utf-8"))
        except (OSError, UnicodeError):
            return ""

    def listening(self) -> Mapping[int, tuple[int, ...]]:
        """Return the TCP ports on which each process listens, by pid."""
        ports: dict[int, set[int]] = {}
        for line in psutil.net_connections("tcp"):
            if line.status == psutil.CONN_LISTEN and line.pid and line.laddr:
                ports.setdefault(line.pid, set()).add(line.laddr.port)
        return {pid: tuple(sorted(found)) for pid, found in ports.items()}
