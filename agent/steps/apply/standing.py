"""How far a change of the app has got that is no swap: one word in a file of the agent's own.

A program of the vendor's changes the app's folder in ways that the agent cannot see from the
outside. So that a change is under way is written on the disk before it begins, and stays there
until it has ended well or the old release is back.
"""

from enum import StrEnum
from pathlib import Path

from agent.steps.table import Work
from agent.wire.atomic import sync_folder, write_whole


class Standing(StrEnum):
    """What became of the change."""

    NOT_BEGUN = ""
    CHANGING = "changing"  # what is in the app's folder is neither old nor new for sure
    CHANGED = "changed"  # it ended well


def standing(work: Work) -> Standing:
    """Return what is written; a word that cannot be understood is a change under way."""
    try:
        word = _file(work).read_text("utf-8", "replace")
    except FileNotFoundError:
        return Standing.NOT_BEGUN
    return Standing.CHANGED if word == Standing.CHANGED else Standing.CHANGING


def note(work: Work, what: Standing) -> None:
    """Write it; on the disk when this returns."""
    if what is not Standing.NOT_BEGUN:
        write_whole(_file(work), what.encode())
    elif _file(work).exists():
        _file(work).unlink()
        sync_folder(_file(work).parent)


def _file(work: Work) -> Path:
    return work.folders.incoming.with_name("standing")
