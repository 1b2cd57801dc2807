"""The agent is killed at every point of blocking and giving back: no file is left behind."""

import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.cordon_block import Block
from agent.journal import Journal
from agent.platforms.base import Item, Spot
from agent.programs import Programs
from agent.wire.contract import CordonMode
from tests.agent.fakes import FakePlatform
from tests.agent.rig import CutFile, PowerCut
from tests.agent.test_block import MODES, Guarded
from tests.agent.test_cordon import LIFT, SEALED

NAMES = tuple(f"bin/{name}" for name in MODES)
MOST_EFFECTS = 30


class CutPlatform(FakePlatform):
    """A host whose disk and journal are cut off together."""

    def __init__(self, file: CutFile) -> None:
        super().__init__()
        self._file = file

    def set_mode(self, spot: Spot, seen: Item, mode: int) -> None:
        self._file.effect(lambda: super(CutPlatform, self).set_mode(spot, seen, mode))


def story(folder: Path, cut_at: int, after: bool) -> int:
    """Block, put aside for a step, block again, end; return how many effects there were."""
    file = CutFile(folder / "j", cut_at, after)
    with closing(Journal(file)) as journal, suppress(PowerCut):
        block, programs = Block(journal, CutPlatform(file)), Programs(str(folder / "app"), NAMES)
        block.keep(programs)
        with block.aside():
            pass
        (folder / "app/bin/app").chmod(0o700)
        block.keep(programs)
        block.keep(None)
    return file.writes


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", range(1, MOST_EFFECTS + 1))
def test_wherever_the_power_is_cut_every_file_has_its_mode_after_the_next_start(
    tmp_path: Path, cut_at: int, after: bool
) -> None:
    host = Guarded(tmp_path)
    story(tmp_path, cut_at, after)
    kept = [mode for mode in host.modes().values() if mode]
    assert set(kept) <= {*MODES.values(), 0o700}
    with closing(Journal.open(tmp_path / "j")) as journal:
        Block(journal, FakePlatform()).keep(None)
    chosen = {0o755, 0o700}  # the second since the middle of the story
    assert host.modes() in [MODES | {"app": mode} for mode in chosen]


def test_the_cuts_cover_the_whole_story(tmp_path: Path) -> None:
    Guarded(tmp_path)
    assert story(tmp_path, MOST_EFFECTS + 1, after=False) <= MOST_EFFECTS


CHILD = """
import os, signal, sys
from pathlib import Path
from agent.platforms.base import Item, Spot
from tests.agent.fakes import FakePlatform
from tests.agent.test_block import Guarded
from tests.agent.test_cordon import LIFT, SEALED

folder, nth, after = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "after"

class Killed(FakePlatform):
    calls = 0

    def set_mode(self, spot: Spot, seen: Item, mode: int) -> None:
        self.calls += 1
        if self.calls == nth and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        super().set_mode(spot, seen, mode)
        if self.calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)

host = Guarded(folder)
host.platform = Killed()
with host.agent() as cordon:
    cordon.apply(SEALED)
    with cordon.startable():
        pass
    cordon.lift(LIFT)
"""


@pytest.mark.parametrize("after", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 4, 6])
def test_a_killed_agent_blocks_again_what_is_sealed_and_leaves_nothing_blocked_in_the_end(
    tmp_path: Path, nth: int, after: str
) -> None:
    argv = [sys.executable, "-c", CHILD, str(tmp_path), str(nth), after]
    assert subprocess.run(argv, check=False).returncode == -9
    host = Guarded(tmp_path, fresh=False)
    with host.agent() as cordon:
        assert cordon.look().mode is CordonMode.SEALED
        assert host.is_blocked
        cordon.lift(LIFT)
    assert host.modes() == MODES
    assert _lists_nothing(host)


def _lists_nothing(host: Guarded) -> bool:
    with closing(Journal.open(host.config.state / "j")) as journal:
        return not journal.memo("~blocked").get("files")


def test_it_is_the_journal_that_knows_not_the_agent_that_was_killed(tmp_path: Path) -> None:
    host = Guarded(tmp_path)
    with host.agent() as cordon:
        cordon.apply(SEALED)
        assert host.is_blocked
        with host.agent(guard=False) as another:
            assert another.open_by_administrator()
        assert host.modes() == MODES
        cordon.look()
    assert host.modes() == MODES
