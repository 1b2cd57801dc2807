"""What is printed fits the terminal it is printed on."""

import os
import pty
import subprocess
import sys

import pytest

from coordinator.cli.output import table

_SHOWN = """
from coordinator.cli.output import table
print(table(["host", "", "why"], [["PC-01", 1, "it does not answer " * 9]], ""))
"""


def _drawn(program: str, columns: int) -> list[str]:
    """Return the lines that a program prints at a terminal so wide."""
    ours, theirs = pty.openpty()
    sized = os.environ | {"COLUMNS": str(columns)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=theirs, env=sized) as process:
        process.wait(30)
    drawn = os.read(ours, 65536).decode().splitlines()
    for end in (ours, theirs):
        os.close(end)
    return drawn


@pytest.mark.parametrize(("columns", "lines"), [(60, 6), (100, 4), (20, 3), (400, 3)])
def test_at_a_terminal_the_last_column_is_broken_where_there_is_room(
    columns: int, lines: int
) -> None:
    drawn = _drawn(_SHOWN, columns)
    assert len(drawn) == lines
    assert columns == 20 or max(map(len, drawn)) <= columns


def test_for_a_program_no_line_is_broken() -> None:
    assert (
        len(table(["host", "why"], [["PC-01", "it does not answer " * 9]], "").splitlines()) == 3
    )


_TWO_LONG = """
from coordinator.cli.output import table
row = ["blocks", "it has no room " * 6, "make some " * 9]
print(table(["severity", "finding", "fix"], [row], ""))
"""


def test_at_a_terminal_two_long_columns_are_broken_together() -> None:
    assert max(map(len, _drawn(_TWO_LONG, 100))) <= 100


def test_where_nothing_can_fit_no_column_is_broken() -> None:
    assert len(_drawn(_TWO_LONG, 30)) == 3
