"""The sessions of a Linux host, and what a program needs to show itself in one of them.

logind tells them; a host without it has its login records. A screen that neither knows of (a
container, a VNC server) is a session as well, and has the name that its desktop has.
"""

from collections.abc import Sequence

import psutil

from agent.platforms.base import Session
from agent.platforms.desktop import Desktop
from agent.platforms.linux_desktops import joined
from agent.platforms.linux_logind import Login, logins
from agent.platforms.linux_names import name_of
from agent.platforms.linux_screens import Screens


class LinuxSessions:
    """Sessions and their screens; keep it, so that what was read once is not read again."""

    def __init__(self) -> None:
        self._screens = Screens()
        self._has_logind = False

    def sessions(self) -> Sequence[Session]:
        """Return who is logged in. Raises `OSError` when logind falls silent."""
        return self._look()[0]

    def environment(self, user: str, session: str) -> dict[str, str]:
        """Return what a program of the user needs there; "" = in any, the active one first."""
        _, desktops = self._look()
        own = [d for d in desktops if d.user == user and session in {"", d.session}]
        own.sort(key=lambda desktop: not desktop.active)
        return dict(own[0].environment) if own else {}

    def _look(self) -> tuple[list[Session], list[Desktop]]:
        told = self._logins()
        desktops = joined(told or [], self._screens.found())
        listed = [Session(login.id, name_of(login.uid), login.active) for login in told or []]
        known = {session.id for session in listed}
        listed += [
            Session(d.session, d.user, d.active) for d in desktops if d.session not in known
        ]
        return listed if told is not None else listed + _recorded(desktops), desktops

    def _logins(self) -> list[Login] | None:
        """Ask logind; nobody is taken for logged out because it is slow to answer."""
        told = logins()
        if told is None and self._has_logind:
            told = logins()
            if told is None:
                raise OSError("logind does not say who is logged in")
        self._has_logind = told is not None
        return told


def _recorded(desktops: Sequence[Desktop]) -> list[Session]:
    screens = {desktop.environment.get("DISPLAY") for desktop in desktops}
    return [
        Session(login.terminal or login.name, login.name, True)
        for login in psutil.users()
        if login.terminal not in screens
    ]
