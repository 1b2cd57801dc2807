"""A vendor's notes, Markdown, on a terminal: nothing in them steers it, and no link is hidden.

A link is shown as its words and its whole address; pictures, and what a browser would draw, are
left out. What the text spells out ("&lrm;") is looked at once more after it was drawn.
"""

import io
import shutil
from collections.abc import Iterable

from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segment, Segments

from coordinator.vendor_text import readable, visible

_WIDEST = 100


def page(markdown: str) -> str:
    """Return the notes as they are to be printed: drawn on a terminal, else as they are."""
    text = readable(markdown).strip()
    if not Console().is_terminal:
        return text
    drawn = io.StringIO()
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    console = Console(file=drawn, force_terminal=True, width=width, highlight=False)
    segments = console.render(Markdown(text, hyperlinks=False))
    console.print(Segments(_safe(segments)), end="")
    return drawn.getvalue().rstrip()


def _safe(segments: Iterable[Segment]) -> list[Segment]:
    return [Segment(visible(one.text), one.style) for one in segments if not one.control]
