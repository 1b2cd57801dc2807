"""What a step or the guard may ask of the operating system. One implementation a system.

A host has any number of sessions; a process of the app belongs to one of them or to none (a
service). What lives in a session is started and asked to close through it; services have their
own verbs, so that a system where the agent may not touch windows (Windows, session 0) fits too.
"""

import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol


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
class PrintJob:
    """One print job that is not done yet."""

    user: str
    name: str


OF_A_DESKTOP = "-app"  # ends the session of what a person opened on a desktop not known which


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `pid` and `started` together name it, since systems use pids again."""

    pid: int
    started: float  # on the platform's clock, which nobody sets: what came first is told by it
    user: str
    session: str
    exe: str
    argv: tuple[str, ...]
    cwd: str = ""  # a script may be named relative to it
    parent: int = 0  # pid; 0 when it cannot be known


@dataclass(frozen=True, slots=True)
class Spot:
    """A path below a folder. No link in it is ever followed, nor one put there meanwhile.

    Users may have every right in an app's folder (row O13): between a check and the use of what
    was checked they can put a link in place of a file, or of any folder above it.
    """

    folder: Path  # absolute, and free of links itself
    path: str = ""  # POSIX, relative; "" = the folder itself

    def below(self, name: str) -> "Spot":
        """Return the spot `name` in this folder."""
        return Spot(self.folder, f"{self.path}/{name}" if self.path else name)

    def __str__(self) -> str:
        return str(self.folder / self.path)


@dataclass(frozen=True, slots=True)
class Item:
    """One file, link or folder below a folder, as it was when looked at."""

    path: str  # POSIX, relative to the folder
    mode: int  # with the kind, as `stat` gives it
    size: int  # bytes
    inode: int
    mtime_ns: int
    ctime_ns: int
    owner: int = 0
    group: int = 0

    @property
    def is_file(self) -> bool:
        """True for a plain file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """True for a symlink, whatever it points to."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_folder(self) -> bool:
        """True for a folder that is not a link."""
        return stat.S_ISDIR(self.mode)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has something of a folder open: as a file, as its program or as its own folder."""

    program: str
    user: str
    pid: int
    path: str  # one of what it holds, absolute

    def __str__(self) -> str:
        return f'{self.program} of {self.user} (pid {self.pid}) holds "{self.path}"'


class ProcessControl(Protocol):
    """Processes, in whichever session they are."""

    def processes(self) -> Sequence[Process]:
        """Return every process that can be seen; those that end meanwhile are left out."""

    def is_alive(self, process: Process) -> bool:
        """True while this very process (not a later one with its pid) runs."""

    def close(self, process: Process, rung: CloseRung) -> None:
        """Try one rung on it and return at once; a process that has gone is no error."""

    def service_of(self, process: Process) -> str:
        """Return the unit of the system's services that the process is of, "" when of none."""

    def listening(self) -> Mapping[int, tuple[int, ...]]:
        """Return the TCP ports on which each process listens, by pid."""

    def start_program(
        self, argv: Sequence[str], cwd: Path, user: str, session: str = ""
    ) -> Process:
        """Start a program that outlives the agent, as `user` ("" = as the agent itself).

        It shows itself in that session, "" = in whichever the user has. Raises `OSError`, also
        when the session has ended or is another user's (their numbers are used again).
        """

    def sessions(self) -> Sequence[Session]:
        """Return the sessions of this host. Raises `OSError` when they cannot be told now."""

    def home(self, user: str) -> Path | None:
        """Return the user's own folder, as the system names it; None when it knows of none."""

    def print_jobs(self) -> Sequence[PrintJob]:
        """Return the print jobs of all users that are not done; () when nobody can tell.

        Returns within a few seconds, whatever the printers do.
        """


Going = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program that was waited for ended; `code` None = its time was up, it was ended."""

    code: int | None
    output: str  # the end of what it printed, bounded


class ProgramControl(Protocol):
    """Programs that the agent runs to their end: no shell, an environment of its own."""

    def run(self, argv: Sequence[str], cwd: Path, seconds: float, going: Going) -> Ended:
        """Run a program as the agent itself; all that it has started is ended with it.

        `going` is called now and then and may raise to end it sooner. Also when the agent
        itself is killed meanwhile, nothing of it goes on.
        """

    def run_as_nobody(self, argv: Sequence[str], cwd: Path, seconds: float) -> Ended:
        """Run a program as a user with no rights on this host, and all it starts end with it."""


class ServiceControl(Protocol):
    """Services of the system's own service manager (systemd, SCM, launchd)."""

    def main_process(self, unit: str) -> Process | None:
        """Return the process that is the service, None when there is none."""

    def prepare(self, unit: str) -> None:
        """Do ahead what takes long in `stop`; the service is as it was."""

    def stop(self, unit: str) -> None:
        """Stop it, its automatic restart too, until `free`; a stopped one is no error."""

    def free(self, unit: str) -> None:
        """Let it be started by others again; it stays as it is."""

    def start(self, unit: str) -> None:
        """Free and start it, with its automatic restart as it was before `stop`."""

    def leave(self, unit: str) -> None:
        """Have nothing of the others left, unless it is stopped and not free."""


class FileControl(Protocol):
    """What differs between systems about files and folders."""

    def look_at(self, spot: Spot) -> Item | None:
        """Return what is there, a link as a link; None when nothing is."""

    def items(self, folder: Path) -> list[Item]:
        """Return all below `folder`, folders before what is in them, in order of path.

        What vanishes meanwhile, and what is neither file, link nor folder (sockets, pipes), is
        left out. Raises `OSError` when a folder cannot be read.
        """

    def names(self, spot: Spot) -> list[str]:
        """Return what a folder holds, by name, in order; nothing when there is no such folder."""

    def mounts(self, folder: Path) -> list[str]:
        """Return the disks and folders that are mounted at `folder` or below it."""

    def holders(self, folder: Path) -> list[Holder]:
        """Return which processes hold something of `folder`, one entry each; not the agent."""

    def open_file(self, spot: Spot) -> BinaryIO:
        """Open a plain file for reading. Raises `OSError`, for a link too."""

    def new_file(self, spot: Spot, mode: int) -> BinaryIO:
        """Make a plain file of this mode, opened for writing; one that is there is an error."""

    def read_link(self, spot: Spot) -> str:
        """Return where a symlink points."""

    def make_folder(self, spot: Spot) -> None:
        """Make one folder, for the agent alone; one that is there is no error, a link is."""

    def remove(self, spot: Spot) -> None:
        """Delete a file, a link, or a folder with all below; an absent one is no error.

        A folder in which something is mounted is refused whole: that is no part of it.
        """

    def rename(self, source: Spot, target: Spot) -> None:
        """Rename within one volume, durably; never onto something that is there.

        Tried again for a while when a program holds it; the error names who does.
        """

    def copy(self, source: Spot, target: Spot, *, durable: bool = True) -> None:
        """Copy content, mode, owner, times and extended attributes; durable when it returns.

        Not `durable`: the caller has the whole volume synced before anything relies on it.
        A reflink or a copy, never a hard link; a symlink is copied as a symlink, instead of any
        file that is there already. Folders are copied with `make_folder` and `give_rights`.
        """

    def give_rights(self, source: Spot, target: Spot) -> None:
        """Give `target` the owner, mode and extended attributes (ACL) of `source`.

        A target with other names (hard links) is an error: they would change with it.
        """

    def give_times(self, source: Spot, target: Spot) -> None:
        """Give `target` the access and modification times of `source`."""

    def set_mode(self, spot: Spot, seen: Item, mode: int) -> None:
        """Give the very file that was `seen` this mode; rights given are on the disk at the end.

        Another file in its place is an error (ESTALE), and so is one with other names (hard
        links) that has rights: they would be lost there too.
        """

    def sync_tree(self, folder: Path) -> None:
        """Return when every file and folder below is on the disk."""

    def sync_volume(self, folder: Path) -> None:
        """Return when all that was changed on the volume of `folder` is on the disk."""

    def free_bytes(self, folder: Path) -> int:
        """Return what is left on the volume of `folder`, for the agent."""

    def same_volume(self, one: Path, other: Path) -> bool:
        """True when a rename between the two folders is possible."""


class Platform(ProcessControl, FileControl, ProgramControl, Protocol):
    """One system, whole."""

    name: str
    services: ServiceControl

    def boot_id(self) -> str:
        """Return a text that changes at every boot, and only then."""

    def clock(self) -> float:
        """Return seconds that only go forward, and also while the host sleeps."""
