"""What the agent asks of the system about desktops: which there are, and a program in each.

A program of ours lives in each person's session, as that person; the service itself never
touches a window. It is handed one end of a link and nothing else.
"""

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Desktop:
    """One session with a screen; disconnected ones are sessions too."""

    session: str
    user: str
    active: bool  # somebody can answer there: neither locked, disconnected nor switched away
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a program needs to show itself there; empty = not known, none can be started."""


class DesktopProgram(Protocol):
    """Our program in one desktop, started."""

    link: socket.socket  # the service's end; does not block

    def end(self) -> None:
        """End it and all it has started, and close the link; once it has ended, no error."""


class DesktopControl(Protocol):
    """The desktops of this host."""

    def desktops(self) -> Sequence[Desktop]:
        """Return every session with a screen. Raises `OSError` when that cannot be told now."""

    def start(self, desktop: Desktop) -> DesktopProgram:
        """Start our program there, as its user. Raises `OSError`."""

    def owned(self, user: str, pids: Collection[int]) -> frozenset[int]:
        """Return those of `pids` that are processes of `user`."""
