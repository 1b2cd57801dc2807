"""The desktops of a Linux host, and our program in each of them.

logind says who is there and can answer, the environments of processes say where the screen is.
A screen that logind knows nothing of (a container, a VNC server) is a desktop as well.
"""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from agent.platforms import enter
from agent.platforms.desktop import Desktop, DesktopProgram
from agent.platforms.linux_logind import Login, logins
from agent.platforms.linux_names import name_of
from agent.platforms.linux_screens import Screen, Screens, session_on

PROGRAM = ("-m", "agent.session")
_PATH = "/usr/local/bin:/usr/bin:/bin"
_REAP_SECONDS = 2.0
_SEND_BYTES = 16 * 1024


class LinuxDesktops:
    """The `DesktopControl` of Linux. An agent that is not root has its own user's only."""

    def __init__(
        self,
        only: Collection[str] | None = None,
        program: Sequence[str] = PROGRAM,
        python: str = sys.executable,
    ) -> None:
        """Care for the screens of these names only, None = all; run `python` with `program`."""
        self._screens = Screens(only)
        self._python = python
        self._program = tuple(program)
        self._only = only
        self._has_logind = False

    def desktops(self) -> Sequence[Desktop]:
        """Return every session with a screen. Raises `OSError` when logind falls silent."""
        told = logins()
        if told is None and self._has_logind:
            raise OSError("logind does not say who is logged in")
        self._has_logind = told is not None
        return joined([login for login in told or [] if self._cares(login)], self._screens.found())

    def _cares(self, login: Login) -> bool:
        is_ours = os.geteuid() in {0, login.uid}
        return is_ours and (self._only is None or login.display in self._only)

    def start(self, desktop: Desktop) -> DesktopProgram:
        """Start our program there. Raises `OSError`."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return _Started(self._spawn(desktop, theirs.fileno()), ours)
            except OSError as error:
                ours.close()
                raise OSError(f"cannot start a program for {desktop.user}: {error}") from error

    def _spawn(self, desktop: Desktop, handle: int) -> subprocess.Popen[bytes]:
        order = {
            "user": _identity(desktop.user),
            "environment": _environment(desktop),
            "arguments": [*self._program, str(handle)],
        }
        return subprocess.Popen(  # as ourselves: a user can halt, and so hold up, their own
            [self._python, "-I", enter.__file__, json.dumps(order)],
            cwd="/",
            env={"PATH": _PATH},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(handle,),
            start_new_session=True,
            umask=0o077,
        )

    def owned(self, user: str, pids: Collection[int]) -> frozenset[int]:
        """Return those of `pids` that are processes of `user`; no name service is waited for."""
        owners = {pid: _owner(pid) for pid in pids}
        return frozenset(
            p for p, uid in owners.items() if uid is not None and name_of(uid) == user
        )


class _Started:
    """One program of ours; it leads a process group of its own."""

    def __init__(self, child: subprocess.Popen[bytes], link: socket.socket) -> None:
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self.link = link
        self._child = child

    def end(self) -> None:
        self.link.close()
        with suppress(ProcessLookupError, PermissionError):  # not reaped yet: its id is its own
            os.killpg(self._child.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_REAP_SECONDS)


def joined(logins: Sequence[Login], screens: Sequence[Screen]) -> list[Desktop]:
    """Return one desktop for each login with a screen, and for each screen without a login."""
    found: dict[str, Desktop] = {}
    for screen in screens:
        login = _login_of(screen, logins)
        if login is None:
            session, active = session_on(name_of(screen.uid), screen.name), True
        else:
            session, active = login.id, login.active
        if session not in found or (login and login.display == screen.name):
            found[session] = Desktop(session, name_of(screen.uid), active, screen.environment)
    for login in logins:
        if login.has_screen and login.id not in found:
            found[login.id] = Desktop(login.id, name_of(login.uid), login.active)
    return list(found.values())


def _login_of(screen: Screen, logins: Sequence[Login]) -> Login | None:
    of_user = [login for login in logins if login.uid == screen.uid]
    rules: tuple[Callable[[Login], bool], ...] = (
        lambda login: login.display == screen.name,
        lambda login: login.id == screen.scope,
        lambda login: login.has_screen and not login.display,
    )
    return next((login for rule in rules for login in of_user if rule(login)), None)


def _owner(pid: int) -> int | None:
    """Return who runs it; what may not be dumped seems to be the administrator's."""
    try:
        if owner := os.stat(f"/proc/{pid}").st_uid:  # noqa: PTH116
            return owner
        status = Path(f"/proc/{pid}/status").read_bytes()
        return int(status.partition(b"\nUid:")[2].split(None, 1)[0])
    except (OSError, ValueError, IndexError):
        return None


def _uid(user: str) -> int | None:
    entry = _entry(user)
    return entry.pw_uid if entry else int(user) if user.isdecimal() else None


def _entry(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def _identity(user: str) -> tuple[int, int, list[int]] | None:
    """Return who the program runs as; None when that is who we are, and cannot be else."""
    entry, uid = _entry(user), _uid(user)
    if uid is None:
        raise OSError("no such user is known here")
    if uid == os.geteuid():
        return None
    if entry is None:
        return uid, pwd.getpwnam("nobody").pw_gid, []
    return uid, entry.pw_gid, os.getgrouplist(user, entry.pw_gid)


def _environment(desktop: Desktop) -> dict[str, str]:
    entry = _entry(desktop.user)
    person = {
        "USER": desktop.user,
        "LOGNAME": desktop.user,
        "HOME": entry.pw_dir if entry else "/",
    }
    ours = {"PATH": _PATH, "ROUNDSMAN_SESSION": desktop.session}
    return dict(desktop.environment) | person | ours
