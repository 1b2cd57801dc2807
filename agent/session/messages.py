"""What the service and the program in a user's desktop say to each other.

One JSON object a line, at most `MOST_BYTES`, over one socket pair that the service made; there
is no listener and no secret (decision 11). What the desktop says may delay, never prove.
Standard library only.
"""

from dataclasses import dataclass
from typing import Annotated

from agent.steps.table import Word
from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.notices import Notice

MOST_BYTES = 64 * 1024
BEAT_SECONDS = 2.0
"""How often the desktop says what it sees, though nothing changed."""
SILENT_SECONDS = 10.0
"""A desktop program that says nothing for so long is ended and started anew."""

_Pid = Annotated[int, Whole(1, 2**31)]
_Pids = Annotated[tuple[_Pid, ...], Entries(200)]


@dataclass(frozen=True, slots=True)
class Show:
    """To the desktop: show this notice, instead of the one of its kind that is shown."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Hush:
    """To the desktop: take every notice away."""


@dataclass(frozen=True, slots=True)
class Follow:
    """To the desktop: tell of these processes which have a window, and which ask a question."""

    pids: _Pids = ()


@dataclass(frozen=True, slots=True)
class CloseWindows:
    """To the desktop: close the windows of these processes as their user would."""

    pids: _Pids = ()


@dataclass(frozen=True, slots=True)
class CodeJudged:
    """To the desktop: what became of the code that was typed there."""

    opened: bool
    why: Annotated[str, Text(500)] = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """From the desktop: what is on the screen, of the processes it was told to follow."""

    windows: _Pids = ()
    asking: _Pids = ()
    sees: bool = True  # False: this desktop does not let its windows be seen
    idle_seconds: Annotated[float, Number(0, 366 * 86400)] = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """From the desktop: what the person answered to the notice."""

    word: Word


@dataclass(frozen=True, slots=True)
class CodeTyped:
    """From the desktop: the one-time code, typed by the person."""

    code: Annotated[str, Text(100)]


TO_DESKTOP: dict[str, type] = {
    "show": Show,
    "hush": Hush,
    "follow": Follow,
    "close-windows": CloseWindows,
    "code-judged": CodeJudged,
}
FROM_DESKTOP: dict[str, type] = {"seen": Seen, "said": Said, "code": CodeTyped}
