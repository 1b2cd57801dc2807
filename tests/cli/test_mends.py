"""Every command that a message tells people to type is one that there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from coordinator.cli.main import COMMANDS, program

ROOT = Path(__file__).parents[2]
TYPED = re.compile(r"(?<![:\w-])roundsman ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+(?:-[a-z]+)*))?")


def _texts(file: Path) -> Iterator[str]:
    """Yield the texts of a module, those glued together from parts as one, values left out."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values
            )


def _named() -> set[tuple[str, str]]:
    """Return each pair of words that follows "roundsman" somewhere in the product."""
    files = [f for folder in ("agent", "coordinator") for f in (ROOT / folder).rglob("*.py")]
    return {
        (match[1], match[2] or "")
        for file in files
        for text in _texts(file)
        for match in TYPED.finditer(text)
    }


@pytest.mark.parametrize("words", sorted(_named()), ids=" ".join)
def test_what_people_are_told_to_type_is_there(words: tuple[str, str]) -> None:
    name, sub = words
    assert name in {row.name for row in COMMANDS}
    found = typer.main.get_command(program([name]))
    command = found.commands[name]  # type: ignore[attr-defined]
    if hasattr(command, "commands") and sub:
        assert sub in command.commands
