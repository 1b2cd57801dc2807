"""A vendor's notes, Markdown, on a terminal: nothing in them steers it, and no link is hidden.

A link is shown as its words and its whole address; pictures, and what a browser would draw, are
left out.
"""

import io
import shutil

from rich.console import Console
from rich.markdown import Markdown

from coordinator.vendor_text import readable

_WIDEST = 100


def page(markdown: str) -> str:
    """Return the notes as they are to be printed: drawn on a terminal, else as they are."""
    text = readable(markdown).strip()
    if not Console().is_terminal:
        return text
    drawn = io.StringIO()
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    console = Console(file=drawn, force_terminal=True, width=width, highlight=False)
    console.print(Markdown(text, hyperlinks=False))
    return drawn.getvalue().rstrip()
