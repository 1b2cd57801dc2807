"""`block = true` while the agent and `roundsman-agent uncordon` are at it at once, for real."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from agent.cordon_block import Block
from agent.journal import Journal, JournalError
from agent.lock import turn
from agent.programs import Programs
from tests.agent.fakes import FakePlatform
from tests.agent.test_block import MODES, Guarded
from tests.until import until

_OTHER = """
import sys
from contextlib import closing
from pathlib import Path
from agent.cordon_block import Block
from agent.journal import Journal
from agent.platforms.this import this_platform

class Slow:
    def __init__(self, files):
        self.look_at, self._set_mode = files.look_at, files.set_mode

    def set_mode(self, *what):
        self._set_mode(*what)
        print("given back", flush=True)
        sys.stdin.readline()

with closing(Journal.open(Path(sys.argv[1]))) as journal:
    with Block(journal, Slow(this_platform())).aside():
        pass
"""


@contextmanager
def _giving_back(journal: Path) -> Iterator[None]:
    """Have another program in the middle of giving back inside, and finished afterwards."""
    words = [sys.executable, "-c", _OTHER, str(journal)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "given back\n"
        yield
        other.communicate("\n" * len(MODES))
    assert other.returncode == 0


def test_no_file_is_left_unstartable_by_two_programs_at_once(tmp_path: Path) -> None:
    host = Guarded(tmp_path)
    programs = Programs(str(tmp_path / "app"), tuple(f"bin/{name}" for name in MODES))
    with closing(Journal.open(tmp_path / "j")) as journal:
        block = Block(journal, FakePlatform())
        block.keep(programs)
        guard = threading.Thread(target=block.keep, args=(programs,))
        with _giving_back(tmp_path / "j"):
            guard.start()
            with suppress(AssertionError):
                until(lambda: host.is_blocked, seconds=0.5)
            assert not host.is_blocked
        guard.join()
        assert host.is_blocked
        block.keep(None)
    assert host.modes() == MODES


def test_a_program_that_never_ends_its_turn_is_named(tmp_path: Path) -> None:
    with (
        turn(tmp_path / "block.lock"),
        pytest.raises(TimeoutError, match=r"block\.lock"),
        turn(tmp_path / "block.lock", patience=0.0),
    ):
        pass


def test_where_there_can_be_no_lock_nothing_is_taken(tmp_path: Path) -> None:
    host = Guarded(tmp_path)
    (tmp_path / "block.lock").mkdir()
    programs = Programs(str(tmp_path / "app"), ("bin/app",))
    with (
        closing(Journal.open(tmp_path / "j")) as journal,
        pytest.raises(JournalError, match=r"block\.lock"),
    ):
        Block(journal, FakePlatform()).keep(programs)
    assert host.modes() == MODES
