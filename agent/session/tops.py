"""The windows on a screen, and what follows from them: who has one, who asks a question.

Pure: `agent.session.x11` reads them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto


class Style(Enum):
    """What a window is, as far as it matters here."""

    MAIN = auto()  # an ordinary window, or one that does not say
    DIALOG = auto()
    BESIDE = auto()  # a palette, a tool bar, a splash: it comes and goes with another
    NONE = auto()  # part of the desktop itself: a panel, the background


@dataclass(frozen=True, slots=True)
class Top:
    """One top-level window that is shown, or made an icon."""

    id: int
    pid: int
    style: Style = Style.MAIN
    modal: bool = False
    owner: int = 0  # the window it stands before; 0 = none
    deletable: bool = False  # it can be asked to close


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the screen, in pixels."""

    left: int
    top: int
    width: int
    height: int


def under(x: int, y: int, places: Sequence[Place]) -> Place:
    """Return the first place that this point is in; the last one when it is in none."""
    for place in places:
        right, bottom = place.left + place.width, place.top + place.height
        if place.left <= x < right and place.top <= y < bottom:
            return place
    return places[-1]


def having_windows(tops: Iterable[Top]) -> set[int]:
    """Return the processes that have a window."""
    return {top.pid for top in tops if top.style is not Style.NONE}


def asking(tops: Collection[Top]) -> set[int]:
    """Return the processes with a question on the screen, also when another one asks it."""
    owners = {top.id: top.pid for top in tops}
    asked = [top for top in tops if is_question(top, tops)]
    return {top.pid for top in asked} | {owners[top.owner] for top in asked if top.owner in owners}


def is_question(top: Top, among: Iterable[Top]) -> bool:
    """True for a window that stands before another one and waits for an answer."""
    if top.style in {Style.BESIDE, Style.NONE}:
        return False
    if top.modal or top.owner:
        return True
    beside = (other for other in among if other.pid == top.pid and other.id != top.id)
    return top.style is Style.DIALOG and any(other.style is Style.MAIN for other in beside)


def to_close(tops: Collection[Top], pids: Collection[int]) -> list[Top]:
    """Return the windows whose cross a user would press to close these programs.

    Not those of a program that asks something: the next word is the person's, not ours.
    """
    waiting = asking(tops)
    return [
        top
        for top in tops
        if top.pid in pids and top.pid not in waiting
        if top.deletable and top.style in {Style.MAIN, Style.DIALOG}
    ]
