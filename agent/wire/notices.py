"""What people at a workstation are told, in which notice; what they answer, or why they cannot.

Its words are made where they are read, in the language of that session (`agent.session`), so
nothing here is a text but what an operator typed. Standard library only.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from agent.wire.bounds import Number, Text, Whole

_Span = Annotated[float, Number(0, 7 * 86400)]
_Name = Annotated[str, Text(100)]
_Line = Annotated[str, Text(500)]


class NoticeKind(StrEnum):
    """What a notice is for."""

    AHEAD = "ahead"  # an update is coming: the day before, that morning, at the start
    CLOSE = "close"  # save your work and close the app; counts down
    CLOSED = "closed"  # the app was opened, and is kept closed meanwhile
    YOUR_TURN = "your-turn"  # update it now, from inside the app (row I8)
    CLOSE_UPDATED = "close-updated"  # it is updated: close it once more
    AVAILABLE = "available"  # it may be opened again


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where the walk is, for those who wait for it."""

    updating: _Name = ""  # the host that is being updated; "" = none, or not known
    number: Annotated[int, Whole(0, 10_000)] = 0  # its place among those to be updated
    of: Annotated[int, Whole(0, 10_000)] = 0
    back_in: _Span = 0.0  # seconds from now until the app may be opened; 0 = not known


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. Texts are shown as they are, never as markup."""

    kind: NoticeKind
    title: _Line  # of the app
    version: Annotated[str, Text(64)] = ""
    asked_by: _Name = ""
    message: _Line = ""  # what the operator has to say
    seconds_left: _Span = 0.0  # until the app is closed, or the update begins
    takes: _Span = 0.0  # about how long the app will be closed; 0 = not known
    postpones_left: Annotated[int, Whole(0, 100)] = 0  # how often "5 more minutes" may be said
    outlook: Outlook = field(default_factory=Outlook)
    installed: Annotated[str, Text(64)] = ""  # still, though they say that their turn is done
    drill: bool = False  # nothing is updated
    may_open: bool = False  # the one-time code may be typed here


class Word(StrEnum):
    """What a person answers to a notice."""

    DONE = "done"  # my work is saved: close it now
    LATER = "later"  # 5 more minutes
    OPEN = "open"  # open the app for me, now that it is available


class Blind(StrEnum):
    """Why the windows of a session are not seen, or nothing can be shown there."""

    NOT_RUNNING = "not-running"  # its program does not start, or does not stay
    NO_TKINTER = "no-tkinter"
    NO_DISPLAY = "no-display"  # it is not let onto the screen
    UNSEEN = "unseen"  # this kind of desktop shows its windows to nobody
