"""How a notice looks: its colors, its fonts, its measures. All sizes are in points.

A point is as large as the desktop says that it is, so text is as large as other programs' text.
"""

import tkinter
from dataclasses import dataclass
from tkinter import font
from typing import Literal

from agent.session.words import Press
from agent.wire.notices import NoticeKind

PAPER = "#ffffff"
FOOT = "#f2f4f7"
INK = "#1d2733"
SOFT = "#53606f"
QUOTE = "#eef3f9"
GOOD = "#1a7f4b"
BAD = "#b3261e"
_BLUE = "#1f5fa8"
_AMBER = "#b45309"

STRIPE = {
    NoticeKind.AHEAD: _BLUE,
    NoticeKind.CLOSE: _AMBER,
    NoticeKind.CLOSED: _BLUE,
    NoticeKind.YOUR_TURN: _AMBER,
    NoticeKind.CLOSE_UPDATED: _BLUE,
    NoticeKind.AVAILABLE: GOOD,
}
MAIN_PRESSES = {Press.DONE, Press.OPEN}
WIDTH = "360p"
"""Of the text; a notice is as wide as this and its margins, whatever it says."""
_LEAST_DPI, _MOST_DPI = 60.0, 400.0
_FAMILIES = ("Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans", "Liberation Sans")


@dataclass(frozen=True, slots=True)
class Fonts:
    """The fonts of one desktop."""

    heading: font.Font
    text: font.Font
    count: font.Font
    small: font.Font


def scale(root: tkinter.Misc, dots_per_inch: float) -> None:
    """Make a point as large as the desktop wants it; 0 = as the screen itself says."""
    if dots_per_inch:
        wanted = min(max(dots_per_inch, _LEAST_DPI), _MOST_DPI)
        root.tk.call("tk", "scaling", wanted / 72)


def fonts(root: tkinter.Misc) -> Fonts:
    """Return fonts that are there, best readable first; call `scale` before."""
    there = set(font.families(root))
    family = next((name for name in _FAMILIES if name in there), "Helvetica")

    def made(size: int, weight: Literal["normal", "bold"] = "normal") -> font.Font:
        return font.Font(root=root, family=family, size=size, weight=weight)

    return Fonts(made(15, "bold"), made(11), made(26, "bold"), made(10))


def button(parent: tkinter.Misc, text: str, of: Fonts, *, main: bool = False) -> tkinter.Button:
    """Return a button that the Enter key presses, too."""
    ground, ink = (_BLUE, PAPER) if main else (PAPER, INK)
    made = tkinter.Button(
        parent,
        text=text,
        font=of.text,
        background=ground,
        foreground=ink,
        activebackground="#174a85" if main else "#e3e8ee",
        activeforeground=ink,
        disabledforeground="#b9cbe2" if main else "#8a94a0",
        borderwidth=0,
        relief="flat",
        padx="12p",
        pady="4p",
        highlightthickness=2,
        highlightbackground=ground if main else "#c3cad3",
        highlightcolor="#f0a020",
        cursor="hand2",
        takefocus=True,
    )
    made.bind("<Return>", lambda _event: made.invoke())
    made.bind("<KP_Enter>", lambda _event: made.invoke())
    return made


def label(parent: tkinter.Misc, of: font.Font, ink: str, ground: str = PAPER) -> tkinter.Label:
    """Return a text that is wrapped; whatever it says is shown as it is."""
    width = round(parent.winfo_fpixels(WIDTH))
    return tkinter.Label(
        parent,
        font=of,
        foreground=ink,
        background=ground,
        justify="left",
        anchor="w",
        wraplength=width,
    )
