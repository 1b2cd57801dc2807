"""Linux: psutil and /proc, systemctl, and the file calls of the kernel."""

import pwd
import time
from collections.abc import Sequence
from pathlib import Path

from agent.platforms.base import PrintJob, Process, ServiceControl
from agent.platforms.linux_files import LinuxFiles
from agent.platforms.linux_printing import print_jobs
from agent.platforms.linux_processes import LinuxProcesses
from agent.platforms.linux_programs import LinuxPrograms
from agent.platforms.linux_services import UNITS, Systemd
from agent.platforms.linux_watching import LinuxWatching

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Linux(LinuxProcesses, LinuxWatching, LinuxFiles, LinuxPrograms):
    """The `Platform` of Linux."""

    name = "linux"

    def __init__(self, units: Path = UNITS) -> None:
        """Keep the drop-ins of stopped services below `units`."""
        super().__init__()
        self.services: ServiceControl = Systemd(self._by_pid, units)

    def _by_pid(self, pid: int) -> Process | None:
        return next((p for p in self.processes() if p.pid == pid), None)

    def home(self, user: str) -> Path | None:
        """Return the folder that the user database names."""
        try:
            folder = Path(pwd.getpwnam(user).pw_dir)
        except KeyError:
            return None
        return folder if folder.is_absolute() else None

    def print_jobs(self) -> Sequence[PrintJob]:
        """Return the print jobs that are not done."""
        return print_jobs()

    def boot_id(self) -> str:
        """Return the kernel's own id of this boot."""
        return _BOOT_ID.read_text("ascii").strip()

    def clock(self) -> float:
        """Return the seconds since boot, those asleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
