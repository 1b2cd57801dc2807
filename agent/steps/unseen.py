"""Sessions where people cannot be told, or whose windows cannot be seen: found ahead of a rollout.

The walk goes on without: what is not seen is taken to be open and in use, and is given its time.
"""

from dataclasses import dataclass

from agent.steps.table import Seat, Work
from agent.wire.contract import Finding, Severity
from agent.wire.notices import Blind


@dataclass(frozen=True, slots=True)
class _Told:
    code: str
    severity: Severity
    message: str  # of {users}
    fix: str


_TOLD = {
    Blind.NO_TKINTER: _Told(
        "no-tkinter",
        Severity.WARNING,
        "no notice can be shown to {users}: this host has no tkinter",
        "install python3-tk (Debian, Ubuntu), python3-tkinter (Fedora) or tk (Arch)",
    ),
    Blind.NO_DISPLAY: _Told(
        "no-display",
        Severity.WARNING,
        "no notice can be shown to {users}: their own programs are not let onto that screen",
        "look at XAUTHORITY in that session, or log out and in again",
    ),
    Blind.NOT_RUNNING: _Told(
        "desktop-program-absent",
        Severity.WARNING,
        "no notice can be shown to {users}: the program for it does not run in their session",
        "see that every user may run the agent's Python (not below /root), then read agent.log",
    ),
    Blind.UNSEEN: _Told(
        "windows-unseen",
        Severity.NOTE,
        "the desktop of {users} shows its windows to nobody (Wayland): each program of theirs "
        "counts as one with a window, and a question about unsaved work is not seen",
        "have them choose an X11 session when they log in, or leave them a longer grace period",
    ),
}


def find_unseen(work: Work) -> None:
    """Add a finding for each reason for which sessions are not seen."""
    seats = work.people.seats()
    for blind, told in _TOLD.items():
        if users := _users([seat for seat in seats if seat.blind is blind]):
            message = told.message.format(users=users)[:500]
            work.find(Finding(told.code, told.severity, message, told.fix))


def _users(seats: list[Seat]) -> str:
    names = sorted({seat.user for seat in seats})
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
