"""What a step or the guard may ask of the operating system. One implementation a system.

A host has any number of sessions, and a process of the app belongs to one of them or to none
(a service). Programs that live in a session are started and asked to close through the session;
services are another thing and have their own verbs, so that a system where the agent may not
touch windows (Windows, session 0) fits behind the same protocol.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class CloseRung(StrEnum):
    """The rungs of the close ladder, gentlest first; the one that worked is recorded."""

    BY_ITSELF = "by-itself"
    WINDOW = "window"
    QUIT_COMMAND = "quit-command"
    TERMINATE = "terminate"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Session:
    """One desktop session of one user; disconnected ones are sessions too."""

    id: str
    user: str
    active: bool


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `pid` and `started` together name it, since systems use pids again."""

    pid: int
    started: float  # seconds since 1970, as the system reports it
    user: str
    session: str
    exe: str
    argv: tuple[str, ...]
    cwd: str = ""  # a script may be named relative to it
    parent: int = 0  # pid; 0 when it cannot be known


class ProcessControl(Protocol):
    """Processes, in whichever session they are."""

    def processes(self) -> Sequence[Process]:
        """Return every process that can be seen; those that end meanwhile are left out."""

    def is_alive(self, process: Process) -> bool:
        """True while this very process (not a later one with its pid) runs."""

    def close(self, process: Process, rung: CloseRung) -> None:
        """Try one rung on it and return at once; a process that has gone is no error."""

    def start_program(self, argv: Sequence[str], cwd: Path, user: str) -> Process:
        """Start a program that outlives the agent, as `user` ("" = as the agent itself)."""

    def sessions(self) -> Sequence[Session]:
        """Return the sessions of this host."""


class ServiceControl(Protocol):
    """Services of the system's own service manager (systemd, SCM, launchd)."""

    def is_running(self, unit: str) -> bool:
        """True when the unit runs and its main process is alive."""

    def main_process(self, unit: str) -> Process | None:
        """Return the process that is the service, None when there is none."""

    def stop(self, unit: str) -> None:
        """Stop it, its automatic restart too, until `start`; a stopped one is no error."""

    def start(self, unit: str) -> None:
        """Start it, with its automatic restart as it was before `stop`."""


class FileControl(Protocol):
    """What differs between systems about files and folders."""

    def rename_folder(self, source: Path, target: Path) -> None:
        """Rename within one volume, durably; tried again for a while when a program holds it."""

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy content, mode, owner, times and extended attributes; durable when it returns.

        A reflink or a copy, never a hard link. A symlink is copied as a symlink.
        """

    def copy_rights(self, source: Path, target: Path) -> None:
        """Give `target` the owner, mode and extended attributes (ACL) of `source`."""

    def sync_tree(self, folder: Path) -> None:
        """Return when every file and folder below is on the disk."""

    def free_bytes(self, folder: Path) -> int:
        """Return what is left on the volume of `folder`, for the agent."""

    def same_volume(self, one: Path, other: Path) -> bool:
        """True when a rename between the two folders is possible."""


class Platform(ProcessControl, FileControl, Protocol):
    """One system, whole."""

    name: str
    services: ServiceControl

    def boot_id(self) -> str:
        """Return a text that changes at every boot, and only then."""

    def clock(self) -> float:
        """Return seconds that only go forward, and also while the host sleeps."""
