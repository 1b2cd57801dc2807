"""Reads one process of Linux from /proc.

The guard reads every new process, and somebody may start a hundred of them a second: so nothing
is read twice, and by the calls that cost least.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass

import psutil

from agent.platforms.base import OF_A_DESKTOP, Process
from agent.platforms.linux_names import name_of
from agent.platforms.linux_screens import session_on

TICK = os.sysconf("SC_CLK_TCK")
SESSION = "XDG_SESSION_ID"
_SCOPE = re.compile(rb"session-([^./]+)\.scope")
_SLICE = re.compile(rb"user-(\d+)\.slice")
_OPENED = b"/app.slice/app-"
_UID = re.compile(rb"^Uid:\t(\d+)", re.MULTILINE)
_DELETED = " (deleted)"
_MOST_BYTES = 32 * 1024  # of arguments and environment, which may be made as long as one likes
_MOST_ARGUMENTS = 64


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says, by the numbers of proc(5)."""

    state: bytes  # 3
    parent: int  # 4
    terminal: int  # 7
    ticks: int  # 22: when it began
    program: bytes  # its name and, 48, where its arguments lie: another one when it has turned


def stat_of(pid: int) -> Stat:
    """Return the state of a process. Raises `OSError` when there is none."""
    text = content_of(f"/proc/{pid}/stat")
    end = text.rindex(b")")
    fields = text[end + 2 :].split()
    return Stat(
        fields[0], int(fields[1]), int(fields[4]), int(fields[19]), text[:end] + fields[45]
    )


def cmdline_of(pid: int) -> bytes:
    """Return the arguments of a process as the kernel has them. Raises `OSError`."""
    return content_of(f"/proc/{pid}/cmdline")


def process_of(pid: int, stat: Stat, link: str, cmdline: bytes) -> Process:
    """Return a process, whole; `link` is its executable. Raises `OSError`."""
    found = _UID.search(content_of(f"/proc/{pid}/status"))
    user = name_of(int(found[1])) if found else ""
    return Process(
        pid=pid,
        started=stat.ticks / TICK,
        user=user,
        session=_session_of(pid, stat, user),
        exe=_whole(link),
        argv=_arguments(cmdline),
        cwd=_cwd(pid),
        parent=stat.parent,
    )


def content_of(path: str) -> bytes:
    """Return what a file holds, of a very long one the beginning. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while chunk := os.read(handle, _MOST_BYTES - len(content)):
            content += chunk
        return content
    finally:
        os.close(handle)


def _whole(link: str) -> str:
    """Return the path without the kernel's note that its file was deleted or replaced."""
    is_gone = link.endswith(_DELETED) and not os.path.lexists(link)
    return link.removesuffix(_DELETED) if is_gone else link


def _arguments(cmdline: bytes) -> tuple[str, ...]:
    if len(cmdline) >= _MOST_BYTES and b"\0" in cmdline:  # the end is of an argument cut short
        cmdline = cmdline[: cmdline.rindex(b"\0") + 1]
    text = os.fsdecode(cmdline)
    words = _split(text[:-1], "\0") if text.endswith("\0") else (text,)
    if len(words) > 1 or not text:
        return words if text else ()
    return _split(words[0], " ")  # all in one: it has written something else there


def _split(text: str, by: str) -> tuple[str, ...]:
    return tuple(text.split(by, _MOST_ARGUMENTS)[:_MOST_ARGUMENTS])


def _cwd(pid: int) -> str:
    with suppress(OSError):
        return _whole(os.readlink(f"/proc/{pid}/cwd"))  # noqa: PTH115 - as cheap as can be
    return ""


def _session_of(pid: int, stat: Stat, user: str) -> str:
    """Return the session's id; what a user's own manager runs has one that says so, "" = none.

    What the environment names is the program's own word: good for showing, and for no right.
    """
    group = content_of(f"/proc/{pid}/cgroup")
    if scope := _SCOPE.search(group):
        return os.fsdecode(scope[1])
    environment = _environment(pid)
    if named := _named(environment, SESSION):
        return named[:64]
    if managed := managed_session(group):
        return managed
    if screen := _named(environment, "DISPLAY"):
        return session_on(user, screen)[:64]
    return _terminal(pid) if stat.terminal else ""


def managed_session(group: bytes) -> str:
    """Return the session of what a user's own manager runs, by its control group; "" = none.

    Menus and auto-start run apps there, under names that begin so; timers run theirs there too.
    """
    found = _SLICE.search(group)
    if found is None:
        return ""
    return f"user-{os.fsdecode(found[1])}{OF_A_DESKTOP if _OPENED in group else ''}"


def _environment(pid: int) -> bytes:
    """Return what it was started with; nothing where we may not look."""
    with suppress(OSError):
        return b"\0" + content_of(f"/proc/{pid}/environ")
    return b""


def _named(environment: bytes, name: str) -> str:
    _, found, rest = environment.rpartition(f"\0{name}=".encode())
    return os.fsdecode(rest.partition(b"\0")[0]) if found else ""


def _terminal(pid: int) -> str:
    with suppress(psutil.Error):
        return (psutil.Process(pid).terminal() or "").removeprefix("/dev/")
    return ""
