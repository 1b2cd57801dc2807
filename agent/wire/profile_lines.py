"""Finds the line of a section or key in a TOML text, so that an error can name it."""

import re

_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)(?:\s*\.\s*([A-Za-z0-9_-]+))?[^\]]*\]")
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*(?:\.[^=]*)?=""")
_AT_LINE = re.compile(r"at line (\d+)")


class Lines:
    """Where each section and key of one text stands."""

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str, str], int] = {}
        self._section = ""
        for number, line in enumerate(text.splitlines(), 1):
            self._take(line, number)

    def _take(self, line: str, number: int) -> None:
        if header := _HEADER.match(line):
            self._section = header[1]
            self._found.setdefault((header[1], header[2] or ""), number)
        elif key := _KEY.match(line):
            where = (self._section, key[1]) if self._section else (key[1], "")
            self._found.setdefault(where, number)

    def find(self, section: str, key: str) -> int:
        """Return the line of the key, else of its section, else 1."""
        return self._found.get((section, key)) or self._found.get((section, ""), 1)


def line_of_toml_error(message: str) -> int:
    """Return the line a `TOMLDecodeError` speaks of, 1 when it names none."""
    found = _AT_LINE.search(message)
    return int(found[1]) if found else 1
