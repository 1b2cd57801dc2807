"""Who is logged in at this Linux host, as logind tells: locked, active, with a screen or not."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_SECONDS = 2.0
_ASKED = ("Id", "User", "Class", "Type", "Display", "Active", "State", "LockedHint")
_WITH_SCREEN = {"x11", "wayland", "mir"}


@dataclass(frozen=True, slots=True)
class Login:
    """One session of a person."""

    id: str
    uid: int
    display: str  # "" for Wayland, and where logind was not told
    has_screen: bool
    active: bool  # somebody can answer there


def logins() -> list[Login] | None:
    """Return the sessions of people, closing ones left out; None where there is no logind."""
    ids = _listed()
    if not ids:
        return None if ids is None else []
    shown = _shown(*ids)
    if shown is None:  # it tells nothing of the others once one of them has ended
        shown = _shown_one_by_one(ids)
    return None if shown is None else read_logins(shown)


def _listed() -> list[str] | None:
    listed = _loginctl("list-sessions", "--no-legend")
    if listed is None:
        return None
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def _shown(*ids: str) -> str | None:
    return _loginctl("show-session", *ids, *(word for name in _ASKED for word in ("-p", name)))


def _shown_one_by_one(ids: Sequence[str]) -> str | None:
    """Return what is shown of those that have not ended; None when logind is silent."""
    told = {session: _shown(session) for session in ids}
    there = _listed()
    silent = {session for session, shown in told.items() if shown is None}
    if there is None or silent & set(there):
        return None
    return "\n".join(shown for shown in told.values() if shown is not None)


def read_logins(shown: str) -> list[Login]:
    """Return the logins in what `loginctl show-session` printed."""
    blocks = [
        dict(line.partition("=")[::2] for line in block.splitlines())
        for block in shown.split("\n\n")
    ]
    return [_login(about) for about in blocks if _is_a_person(about)]


def _is_a_person(about: dict[str, str]) -> bool:
    is_user = about.get("Class", "").startswith("user")
    return is_user and about.get("State") != "closing" and about.get("User", "").isdigit()


def _login(about: dict[str, str]) -> Login:
    return Login(
        id=about.get("Id", ""),
        uid=int(about["User"]),
        display=about.get("Display", ""),
        has_screen=about.get("Type") in _WITH_SCREEN,
        active=about.get("Active") == "yes" and about.get("LockedHint") != "yes",
    )


def _loginctl(*words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["loginctl", *words], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return answer.stdout if answer.returncode == 0 else None
