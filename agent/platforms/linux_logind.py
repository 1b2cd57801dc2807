"""Who is logged in at this Linux host, as logind tells: locked, active, with a screen or not."""

import subprocess
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
    listed = _loginctl("list-sessions", "--no-legend")
    if listed is None:
        return None
    ids = [line.split()[0] for line in listed.splitlines() if line.strip()]
    if not ids:
        return []
    asked = [word for name in _ASKED for word in ("-p", name)]
    shown = _loginctl("show-session", *ids, *asked)
    return None if shown is None else read_logins(shown)


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
