"""Renames that are done and yet told as failed: only their way to the disk has failed."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.apply_release import apply_release, put_old_back, recover
from agent.steps.back_up import back_up
from agent.steps.stage import stage
from agent.wire.contract import StepName
from tests.steps.bench import Bench, FastLinux, snapshot
from tests.steps.test_installer import installing
from tests.steps.test_stay import staying

_STEP = StepName.APPLY_RELEASE


class _FailingDisk(FastLinux):
    """Every rename is done; the `first`th, and `many` from it on, are told as failed."""

    def __init__(self, first: int, many: int) -> None:
        super().__init__()
        self.failing = range(first, first + many)
        self.renames = 0

    def rename(self, source: Spot, target: Spot) -> None:
        super().rename(source, target)
        self.renames += 1
        if self.renames in self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(source))


class _World:
    """A host with the new release in place, put back to that as often as wanted."""

    def __init__(self, root: Path, furnish: Callable[[Path], Bench]) -> None:
        self.bench = furnish(root / "world")
        self.old = snapshot(self.bench.app)
        stage(self.bench.work(StepName.STAGE))
        back_up(self.bench.work(StepName.BACK_UP))
        apply_release(self.bench.work(_STEP))
        self.new = snapshot(self.bench.app)
        self._saved = root / "saved"
        shutil.copytree(self.bench.root, self._saved, symlinks=True)

    def go_back_on(self, disk: _FailingDisk) -> bool:
        """Restore all and go back; return whether an error was met."""
        shutil.rmtree(self.bench.root)
        shutil.copytree(self._saved, self.bench.root, symlinks=True)
        self.bench.platform = disk
        try:
            put_old_back(self.bench.work(_STEP))
        except OSError:
            return True
        finally:
            self.bench.platform = FastLinux()
        return False

    def renames(self) -> range:
        """Return the number of each rename of the way back."""
        disk = _FailingDisk(0, 0)
        assert not self.go_back_on(disk)
        return range(1, disk.renames + 1)


_KINDS = pytest.mark.parametrize("furnish", [installing, staying])


@_KINDS
def test_after_one_error_a_release_is_in_place_at_once_and_the_old_one_when_asked_again(
    furnish: Callable[[Path], Bench], tmp_path: Path
) -> None:
    world = _World(tmp_path, furnish)
    for number in world.renames():
        if world.go_back_on(_FailingDisk(number, 1)):
            assert snapshot(world.bench.app) in (world.old, world.new), number
        put_old_back(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old, number


@_KINDS
@pytest.mark.parametrize("many", [1, 2, 1000])
def test_after_errors_that_last_a_new_start_brings_a_whole_release_and_asking_again_the_old_one(
    furnish: Callable[[Path], Bench], many: int, tmp_path: Path
) -> None:
    world = _World(tmp_path, furnish)
    for number in world.renames():
        world.go_back_on(_FailingDisk(number, many))
        recover(world.bench.work(_STEP))
        assert snapshot(world.bench.app) in (world.old, world.new), number
        put_old_back(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old, number


def test_a_way_back_from_the_backup_that_met_an_error_is_gone_to_its_end_by_a_new_start(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, installing)
    *_, last = world.renames()
    met = [n for n in range(2, last + 1) if world.go_back_on(_FailingDisk(n, 1))]
    for number in met:
        world.go_back_on(_FailingDisk(number, 1))
        recover(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old, number
