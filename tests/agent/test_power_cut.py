"""The power is cut at every write of a story, before and after it; then the host starts again."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.steps.table import Step, Work
from agent.wire.contract import Direction, StartOrder, StepName, StepState
from tests.agent.fakes import Orders
from tests.agent.rig import PowerCut, Rig

ORDERS = Orders()
DO = ORDERS.start()
UNDO = ORDERS.start(Direction.UNDO)
TIDY = ORDERS.start(Direction.TIDY)
MOST_WRITES = 16


@dataclass
class Swap:
    """A step that swaps the app's folder; everything it does goes through a disk."""

    folder: Path
    effect: Callable[[Callable[[], object]], object] = lambda act: act()
    ended: list[str] = field(default_factory=list)

    @property
    def app(self) -> Path:
        return self.folder / "app"

    @property
    def old(self) -> Path:
        return self.folder / "app_old"

    def step(self) -> dict[StepName, Step]:
        row = Step(StepName.APPLY_RELEASE, self.do, self.undo, self.tidy, self.recover)
        return {row.name: row}

    def do(self, work: Work) -> None:
        work.memo.put("begun", "yes")
        if not self.old.exists():
            self.effect(lambda: self.app.rename(self.old))
        if not self.app.exists():
            self.effect(self.app.mkdir)
        self.effect(lambda: (self.app / "version").write_text("1.1"))
        self.ended.append("do")

    def undo(self, work: Work) -> None:
        if self.old.exists():
            if self.app.exists():
                self.effect(lambda: (self.app / "version").unlink(missing_ok=True))
                self.effect(self.app.rmdir)
            self.effect(lambda: self.old.rename(self.app))
        self.ended.append("undo")

    def tidy(self, work: Work) -> None:
        if self.old.exists():
            self.effect(lambda: (self.old / "version").unlink(missing_ok=True))
            self.effect(self.old.rmdir)
        self.ended.append("tidy")

    def recover(self, work: Work) -> None:
        runnable = (self.app / "version").exists()
        if not runnable and (self.old / "version").exists():
            if self.app.exists():
                self.app.rmdir()
            self.old.rename(self.app)

    def state(self) -> dict[str, str]:
        return {p.parent.name: p.read_text() for p in self.folder.glob("app*/version")}


def installed(folder: Path) -> Swap:
    (folder / "app").mkdir()
    (folder / "app" / "version").write_text("1.0")
    return Swap(folder)


def tell(swap: Swap, orders: Sequence[StartOrder], cut_at: int, after: bool) -> bool:
    """Run the orders until the power is cut; True when it was."""
    rig = Rig(swap.folder, swap.step(), cut_at, after)
    swap.effect = rig.file.effect
    try:
        for order in orders:
            rig.take(order)
    except PowerCut:
        return True
    finally:
        rig.off()
    return False


STORIES = [
    pytest.param([DO], {"app": "1.1", "app_old": "1.0"}, id="do"),
    pytest.param([DO, UNDO], {"app": "1.0"}, id="undo"),
    pytest.param([DO, TIDY], {"app": "1.1"}, id="tidy"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", range(1, MOST_WRITES + 1))
@pytest.mark.parametrize(("orders", "end"), STORIES)
def test_a_story_ends_the_same_wherever_the_power_is_cut(
    tmp_path: Path, orders: Sequence[StartOrder], end: dict[str, str], cut_at: int, after: bool
) -> None:
    swap = installed(tmp_path)
    tell(swap, orders, cut_at, after)

    rig = Rig(tmp_path, swap.step())
    swap.effect = lambda act: act()
    try:
        rig.runner.recover()
        assert (swap.app / "version").exists(), "no runnable app after recovery"
        known = [rig.known(order).state for order in orders]
        assert StepState.RUNNING not in known
        done = [state is StepState.DONE for state in known]
        assert [rig.take(order).state for order in orders] == [StepState.DONE] * len(orders)
    finally:
        rig.off()
    assert swap.state() == end
    # what the journal calls done was not done again, the rest at most once more
    for order, was_done in zip(orders, done, strict=True):
        assert swap.ended.count(order.direction) <= (1 if was_done else 2)


@pytest.mark.parametrize(("orders", "end"), STORIES)
def test_the_cuts_cover_every_write(
    tmp_path: Path, orders: Sequence[StartOrder], end: dict[str, str]
) -> None:
    assert not tell(installed(tmp_path), orders, cut_at=MOST_WRITES + 1, after=False)


@pytest.mark.parametrize("second", range(1, 6))
@pytest.mark.parametrize("cut_at", range(1, 10))
def test_a_cut_in_the_recovery_is_recovered_too(tmp_path: Path, cut_at: int, second: int) -> None:
    swap = installed(tmp_path)
    tell(swap, [DO], cut_at, after=True)
    again = Rig(tmp_path, swap.step(), second)
    try:
        again.runner.recover()
    except PowerCut:
        pass
    finally:
        again.off()

    rig = Rig(tmp_path, swap.step())
    swap.effect = lambda act: act()
    try:
        rig.runner.recover()
        assert (swap.app / "version").exists()
        assert rig.take(DO).state is StepState.DONE
    finally:
        rig.off()
    assert swap.state() == {"app": "1.1", "app_old": "1.0"}


CHILD = """
import signal, sys
from pathlib import Path
from agent.steps.table import Step
from agent.wire.contract import StepName
from tests.agent.fakes import Orders
from tests.agent.rig import Rig

def do(work):
    work.memo.put("half", "done")
    print("in the middle", flush=True)
    signal.pause()

rig = Rig(Path(sys.argv[1]), {StepName.APPLY_RELEASE: Step(StepName.APPLY_RELEASE, do)})
rig.runner.start(Orders().start())
signal.pause()
"""


def test_a_killed_agent_finds_its_step_interrupted_and_goes_on_with_the_same_attempt(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "in the middle\n"
        agent.kill()
        assert agent.wait(10) == -9

    seen: list[str | None] = []
    recovered: list[str | None] = []
    row = Step(
        StepName.APPLY_RELEASE,
        lambda work: seen.append(work.memo.get("half")),
        recover=lambda work: recovered.append(work.memo.get("half")),
    )
    rig = Rig(tmp_path, {row.name: row})
    try:
        rig.runner.recover()
        assert rig.known(DO).state is StepState.INTERRUPTED
        assert (recovered, seen) == (["done"], [])
        assert rig.take(DO).state is StepState.DONE
        assert seen == ["done"]
    finally:
        rig.off()
