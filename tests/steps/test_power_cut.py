"""The power is cut at every single change to the disk; what is left is always a runnable app."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up
from agent.steps.backup_list import TREE
from agent.steps.stage import stage
from agent.steps.table import Handler
from agent.wire.contract import StepName
from tests.steps.bench import Bench, snapshot
from tests.steps.power import effects_of, was_cut

_STEP = StepName.APPLY_RELEASE
_KEPT = ("prefs", "prefs/user.ini", "prefs/default.ini", "certs/server.pem", "prefs/link")


class _World:
    """One bench that can be put back to how it was as often as wanted."""

    def __init__(self, root: Path, prepare: Callable[[Bench], None]) -> None:
        self.bench = Bench(root / "world")
        (self.bench.app / "prefs/link").symlink_to("user.ini")
        self.old = snapshot(self.bench.app)
        prepare(self.bench)
        self.now = snapshot(self.bench.app)
        self._saved = root / "saved"
        shutil.copytree(self.bench.root, self._saved, symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.bench.root)
        shutil.copytree(self._saved, self.bench.root, symlinks=True)

    def run(self, handler: Handler) -> Callable[[], None]:
        return lambda: handler(self.bench.work(_STEP))

    @property
    def version(self) -> str:
        return (self.bench.app / "version.txt").read_text().split()[0]


def _stage(bench: Bench) -> None:
    stage(bench.work(StepName.STAGE))


def _apply(bench: Bench) -> None:
    _stage(bench)
    apply_release(bench.work(_STEP))


def _interrupt(bench: Bench) -> None:
    _stage(bench)
    bench.app.rename(bench.folders.outgoing)


def _check_runnable(world: _World, new: dict[str, tuple[object, ...]]) -> None:
    found = snapshot(world.bench.app)
    assert found == (world.old if world.version == "app=1.0" else new)
    for path in _KEPT:
        assert found[path] == world.old[path]


def test_apply_leaves_a_runnable_app_wherever_the_power_is_cut(tmp_path: Path) -> None:
    world = _World(tmp_path, _stage)
    effects = effects_of(world.run(apply_release))
    new = snapshot(world.bench.app)
    assert effects > 30

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(apply_release), cut_at)
        recover(world.bench.work(_STEP))
        _check_runnable(world, new)
        apply_release(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == new
        assert snapshot(world.bench.folders.outgoing) == world.old


def test_apply_then_undo_is_the_old_release_wherever_the_power_is_cut(tmp_path: Path) -> None:
    world = _World(tmp_path, _stage)
    effects = effects_of(world.run(apply_release))

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(apply_release), cut_at)
        recover(world.bench.work(_STEP))
        put_old_back(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old


def test_undo_leaves_a_runnable_app_wherever_the_power_is_cut(tmp_path: Path) -> None:
    world = _World(tmp_path, _apply)
    effects = effects_of(world.run(put_old_back))
    assert effects >= 2

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(put_old_back), cut_at)
        recover(world.bench.work(_STEP))
        _check_runnable(world, world.now)
        put_old_back(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old


def test_recovery_may_be_cut_short_too(tmp_path: Path) -> None:
    world = _World(tmp_path, _interrupt)
    effects = effects_of(world.run(recover))
    assert effects >= 1

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(recover), cut_at)
        recover(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old


def test_tidy_never_touches_the_new_release_wherever_the_power_is_cut(tmp_path: Path) -> None:
    world = _World(tmp_path, _apply)
    effects = effects_of(world.run(delete_old))
    assert effects > 5

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(delete_old), cut_at)
        recover(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.now
        delete_old(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.now
        assert not world.bench.folders.outgoing.exists()


@pytest.mark.parametrize(
    ("handler", "step"), [(stage, StepName.STAGE), (back_up, StepName.BACK_UP)]
)
def test_staging_and_backing_up_end_the_same_wherever_the_power_is_cut(
    tmp_path: Path, handler: Handler, step: StepName
) -> None:
    world = _World(tmp_path, lambda bench: None)
    effects = effects_of(world.run(handler))

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(handler), cut_at)
        handler(world.bench.work(step))
        back_up(world.bench.work(StepName.BACK_UP))
        assert snapshot(world.bench.app) == world.old
        assert snapshot(world.bench.folders.backup / TREE) == world.old
