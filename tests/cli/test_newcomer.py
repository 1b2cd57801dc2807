"""What a newcomer tries: the version, a pipe instead of a terminal, a window past midnight."""

import io
import subprocess
import sys
import threading
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path

import pytest

from coordinator import __version__
from coordinator.cli.planning import _window
from coordinator.cli.progress import waited_for
from tests.cli.terminal import Terminal, typed
from tests.until import until


def test_the_program_says_which_it_is(terminal: Terminal) -> None:
    said = terminal("--version")
    assert (said.code, said.out, said.err) == (0, f"{__version__}\n", "")


def test_so_does_the_agent() -> None:
    command = [sys.executable, "-m", "agent", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == f"{__version__}\n"


# -- a secret, and no terminal ------------------------------------------------------------------


def test_without_a_terminal_it_is_said_how_a_passphrase_is_given(tmp_path: Path) -> None:
    said = typed(tmp_path, None, "init")
    assert said.returncode == 2
    assert "error: cannot ask for it: Passphrase of the signing key" in said.stderr
    assert "mend: name a file with it: --passphrase-file FILE; or set ROUNDSMAN_" in said.stderr
    assert "Traceback" not in said.stderr
    assert "Warning" not in said.stderr


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("correct horse battery\ncorrect horse battery\n", 0, "standard input"),
        ("correct horse battery\ncorrect horse buttery\n", 2, "the two lines are not the same"),
        ("correct horse battery\n", 2, "this is no terminal"),
    ],
)
def test_a_passphrase_may_be_piped_twice(text: str, code: int, told: str, tmp_path: Path) -> None:
    said = typed(tmp_path, text, "init")
    assert (said.returncode, told in said.stderr) == (code, True), said.stderr
    assert "horse" not in said.stdout + said.stderr


# -- what takes long ------------------------------------------------------------------------------


class Screen(io.StringIO):
    """A terminal's error stream, in memory."""

    def isatty(self) -> bool:
        return True


def test_at_a_terminal_what_takes_long_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Screen()) as screen, waited_for("the feeds are read"):
        until(lambda: "the feeds are read" in screen.getvalue(), 20)


def test_what_is_over_at_once_is_not_shown_nor_is_anything_to_a_program() -> None:
    with redirect_stderr(Screen()) as screen, waited_for("the feeds are read"):
        assert _is_timed()
    with redirect_stderr(io.StringIO()) as file, waited_for("the feeds are read"):
        assert not _is_timed()
    assert "feeds" not in screen.getvalue() + file.getvalue()


def _is_timed() -> bool:
    return any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


# -- past midnight --------------------------------------------------------------------------------

_NOON = datetime(2026, 3, 10, 12).astimezone().timestamp()


@pytest.mark.parametrize(
    ("hours", "told"),
    [(2.0, False), (22.0, True)],
)
def test_a_window_that_runs_past_midnight_says_so(hours: float, told: bool) -> None:
    said = _window(_NOON, _NOON + hours * 3600)
    assert said.endswith(", past midnight: until the next day") is told


def test_a_window_until_midnight_does_not() -> None:
    assert "past midnight" not in _window(_NOON, _NOON + 43_200)
