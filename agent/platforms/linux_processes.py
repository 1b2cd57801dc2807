"""Processes and sessions of a Linux host.

The process table is read five times a second while a cordon is on, so what a look costs
matters: a process is read in full when it is new or shows another executable, and otherwise
checked now and then (the same pid may be another process, or have turned into another program),
at each look while it is young: an interpreter may not have been given its script yet.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent.platforms import detach
from agent.platforms.base import CloseRung, Process, Session
from agent.platforms.linux_names import name_of
from agent.platforms.linux_proc import SESSION, TICK, Stat, cmdline_of, process_of, stat_of
from agent.platforms.linux_sessions import LinuxSessions

_CHECK_SECONDS = 0.8
_YOUNG_SECONDS = 2.0
_SIGNALS = {CloseRung.TERMINATE: signal.SIGTERM, CloseRung.KILL: signal.SIGKILL}
_SETTLE_SECONDS = 1.0
_SPARE_SECONDS = 5.0
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(slots=True)
class _Known:
    link: str
    stat: Stat
    has_arguments: bool
    check_at: float
    process: Process

    def is_whole(self) -> bool:
        """True when it has its arguments, and nobody has told another name of its user since."""
        user = self.process.user
        return self.has_arguments and not (user.isdecimal() and name_of(int(user)) != user)


class LinuxProcesses:
    """The `ProcessControl` of Linux, through psutil and /proc."""

    start_seconds = 10.0
    """So long a program may take to begin: the user it is started for can hold it up."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._sessions = LinuxSessions()

    def processes(self) -> Sequence[Process]:
        """Return every process with an executable; kernel threads have none."""
        now = time.monotonic()
        found = {pid: known for pid in psutil.pids() if (known := self._look(pid, now))}
        self._known = found
        return [known.process for known in found.values()]

    def _look(self, pid: int, now: float) -> _Known | None:
        try:
            link = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 - called a thousand times a second
            known = self._known.get(pid)
            if known is not None and known.link == link and known.is_whole():
                if now < known.check_at:
                    return known
                stat = stat_of(pid)
                if (known.stat.ticks, known.stat.program) == (stat.ticks, stat.program):
                    known.check_at = _next_check(stat, now)
                    return known
            return self._read(pid, link, now)
        except OSError:
            return None  # it has ended, or belongs to somebody we may not look at

    def _read(self, pid: int, link: str, now: float) -> _Known:
        stat, cmdline = stat_of(pid), cmdline_of(pid)
        process = process_of(pid, stat, link, cmdline)
        return _Known(link, stat, bool(cmdline), _next_check(stat, now), process)

    def is_alive(self, process: Process) -> bool:
        """True while this very process runs; one that has ended and is not reaped does not."""
        try:
            with suppress(PermissionError):
                os.readlink(f"/proc/{process.pid}/exe")  # noqa: PTH115 - gone once it is ending
            stat = stat_of(process.pid)
        except OSError:
            return False
        return _is(process, stat) and stat.state != b"Z"

    def close(self, process: Process, rung: CloseRung) -> None:
        """Try one rung; on Linux the gentle ones need the desktop's help and do nothing here."""
        if rung not in _SIGNALS:
            return
        with suppress(ProcessLookupError, FileNotFoundError):
            handle = os.pidfd_open(process.pid)  # from here on no other process can take its pid
            try:
                if _is(process, stat_of(process.pid)):
                    signal.pidfd_send_signal(handle, _SIGNALS[rung])
            finally:
                os.close(handle)

    def start_program(
        self, argv: Sequence[str], cwd: Path, user: str, session: str = ""
    ) -> Process:
        """Start a program that outlives the agent, in that session. Raises `OSError`."""
        if session and (session, user) not in {(s.id, s.user) for s in self.sessions()}:
            raise OSError(f'cannot start "{argv[0]}": session {session} of {user} has ended')
        environment = self._environment(user, session)
        order = {"argv": list(argv), "cwd": str(cwd), "user": user, "environment": environment}
        pid = self._detached(order | {"seconds": self.start_seconds})
        known = self._settled(pid)
        return known.process if known else Process(pid, 0.0, user, "", argv[0], tuple(argv))

    def _detached(self, order: Mapping[str, Any]) -> int:
        what, limit = order["argv"][0], self.start_seconds + _SPARE_SECONDS
        try:
            started = subprocess.run(
                [sys.executable, "-I", detach.__file__, json.dumps(order)],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            raise OSError(f'cannot start "{what}": not done within {limit:g} s') from None
        if started.returncode != 0:
            raise OSError(f'cannot start "{what}": {started.stderr.strip()}')
        return int(started.stdout)

    def _settled(self, pid: int) -> _Known | None:
        """Return the process once it shows its arguments: at its very start it has none yet."""
        end = time.monotonic() + _SETTLE_SECONDS
        while (known := self._look(pid, time.monotonic())) and not known.has_arguments:
            if time.monotonic() > end:
                break
            time.sleep(_SETTLE_SECONDS / 100)
        return known

    def _environment(self, user: str, session: str) -> dict[str, str]:
        if not user:
            return dict(os.environ)
        home = os.path.expanduser(f"~{user}")  # noqa: PTH111 - Path raises when there is none
        base = {"USER": user, "LOGNAME": user, "HOME": home, "PATH": _PATH}
        inside = {SESSION: session} if session else {}
        return base | self._sessions.environment(user, session) | inside

    def sessions(self) -> Sequence[Session]:
        """Return who is logged in. Raises `OSError` when that cannot be told now."""
        return self._sessions.sessions()


def _is(process: Process, stat: Stat) -> bool:
    return abs(stat.ticks / TICK - process.started) < 0.5 / TICK


def _next_check(stat: Stat, now: float) -> float:
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - stat.ticks / TICK
    return now if age < _YOUNG_SECONDS else now + _CHECK_SECONDS
