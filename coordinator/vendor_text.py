"""What a vendor wrote, made fit to be shown: no text of theirs steers a terminal or a reader.

Control characters (with them every escape sequence begins) and those that turn the direction of
writing are replaced by a sign that can be seen; so what was hidden in a text is noticed.
"""

import re

_SHOWN_INSTEAD = "\N{REPLACEMENT CHARACTER}"
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_MARKS = re.compile(r"^\s*(#{1,6}\s+|[-*+>]\s+|\d{1,3}[.)]\s+)|\*{1,3}|`{1,3}")
_RULE = re.compile(r"\s*([-=*_]\s*){2,}|\s*```.*")


def readable(text: str) -> str:
    """Return a text of several lines with nothing in it but what can be seen."""
    lines = _LINE_ENDS.sub("\n", text).split("\n")
    return "\n".join(visible(line.replace("\t", "    ").rstrip()) for line in lines)


def visible(text: str) -> str:
    """Return a text in which all that cannot be seen, but for the ends of lines, is replaced."""
    spaced = _SPACES.sub(" ", text)
    return "".join(c if c.isprintable() or c == "\n" else _SHOWN_INSTEAD for c in spaced)


def on_one_line(text: str, most: int = 300) -> str:
    """Return the same on one line, cut to `most` characters."""
    line = " ".join(readable(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def headline(markdown: str, most: int = 100) -> str:
    """Return the first heading or sentence of notes in Markdown, without its marks; "" = none."""
    for line in readable(markdown).split("\n"):
        words = _MARKS.sub("", line).strip()
        if words and not _RULE.fullmatch(line):
            return on_one_line(words, most)
    return ""
