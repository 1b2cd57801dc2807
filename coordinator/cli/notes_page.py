"""A vendor's notes, Markdown, on a terminal: nothing in them steers it, and no link is hidden.

A link is shown as its words and its whole address, a picture as its words; what a browser would
draw is left out. What the text spells out ("&lrm;") is looked at once more after it was drawn.
"""

import io
import shutil
from collections.abc import Iterable
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import ImageItem, Markdown, MarkdownElement
from rich.segment import Segment, Segments
from rich.text import Text

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
    segments = console.render(_Notes(text, hyperlinks=False))
    console.print(Segments(_safe(segments)), end="")
    return drawn.getvalue().rstrip()


class _Picture(ImageItem):
    """What stands for a picture."""

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        yield Text(f"(picture: {self.text.plain or self.destination}) ", end="")


class _Notes(Markdown):
    """Markdown in which pictures are named in words."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {"image": _Picture}


def _safe(segments: Iterable[Segment]) -> list[Segment]:
    return [Segment(visible(one.text), one.style) for one in segments if not one.control]
