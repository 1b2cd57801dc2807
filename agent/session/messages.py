"""What the service and the program in a user's desktop say to each other.

One JSON object a line, `{"show": {...}}`, at most `MOST_BYTES` long, over one socket pair that
the service made; there is no listener and no secret (decision 11). What the desktop says may
delay, never prove. The desktop program ends when its end of the pair is closed by the service.
Standard library only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.notices import Blind, Notice, Word

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
    """From the desktop: which processes have a window there, and which of them ask a question.

    All of them, whatever the app: nobody need say in time which ones matter. A desktop that
    cannot tell of all, more than the bound admits among them, says that it does not see.
    """

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


@dataclass(frozen=True, slots=True)
class Lacks:
    """From the desktop, before it ends: what it cannot do without, and misses here."""

    what: Blind


TO_DESKTOP: dict[str, type] = {
    "show": Show,
    "hush": Hush,
    "close-windows": CloseWindows,
    "code-judged": CodeJudged,
}
FROM_DESKTOP: dict[str, type] = {"seen": Seen, "said": Said, "code": CodeTyped, "lacks": Lacks}
_WORDS = {kind: word for word, kind in (TO_DESKTOP | FROM_DESKTOP).items()}


def to_line(message: object) -> bytes:
    """Return the message as the line that travels, its end included."""
    return json.dumps({_WORDS[type(message)]: encode(message)}).encode("ascii") + b"\n"


def from_line(line: bytes, kinds: Mapping[str, type]) -> object:
    """Return the message of a line, of one of `kinds`. Raises `BadMessage`."""
    try:
        read = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadMessage("a line is not JSON, or nested too deep") from None
    if not isinstance(read, dict) or len(read) != 1:
        raise BadMessage("a line is not one message")
    word, values = read.popitem()
    if word not in kinds:
        raise BadMessage("a message of an unknown kind")
    message: object = decode(kinds[word], values)
    return message
