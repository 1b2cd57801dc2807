"""What stays in the app's folder while the release around it is swapped, and host data kept."""

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up
from agent.steps.backup_list import TREE
from agent.steps.stage import stage, unstage
from agent.steps.survey import survey
from agent.steps.table import Failed, Handler, Installation, Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import Data, DataScope
from tests.steps.bench import ROLLOUT, Bench, FastLinux, SmallWork, snapshot
from tests.steps.power import effects_of, was_cut

_STEP = StepName.APPLY_RELEASE
_SIZE = 40_000_000


def staying(root: Path, *names: str) -> Bench:
    """A bench whose profile lets these stay; `backup` is a folder of some size."""
    bench = Bench(root)
    names = names or ("backup", "other-service", "not-here")
    _say(bench, stay=names)
    (bench.app / "backup/deep").mkdir(parents=True)
    (bench.app / "backup/deep/huge.bak").write_bytes(b"huge")
    os.truncate(bench.app / "backup/deep/huge.bak", _SIZE)
    (bench.app / "other-service").write_bytes(b"of another component")
    return bench


def _say(bench: Bench, *, stay: tuple[str, ...] = (), data: Data | None = None) -> None:
    bench.profile = replace(
        bench.profile,
        apply=replace(bench.profile.apply, stay=stay),
        data=data or bench.profile.data,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return staying(tmp_path)


def _applied(bench: Bench) -> Bench:
    stage(bench.work(StepName.STAGE))
    apply_release(bench.work(_STEP))
    return bench


def _identities(bench: Bench) -> list[tuple[int, int]]:
    staying = (
        bench.app / name for name in ("", "backup", "backup/deep/huge.bak", "other-service")
    )
    return [(path.stat().st_ino, path.stat().st_ctime_ns) for path in staying if path != bench.app]


def test_the_release_is_swapped_around_what_stays(bench: Bench) -> None:
    before, identities = snapshot(bench.app), _identities(bench)

    _applied(bench)

    after = snapshot(bench.app)
    assert (bench.app / "version.txt").read_text().startswith("app=1.1")
    assert _identities(bench) == identities  # neither copied nor even renamed
    assert after["prefs/user.ini"] == before["prefs/user.ini"]
    assert "data/old.db" not in after
    assert not (bench.folders.outgoing / "backup").exists()
    assert not bench.folders.incoming.exists()


def test_it_is_taken_back_byte_for_byte_around_what_stays(bench: Bench) -> None:
    before, identities = snapshot(bench.app), _identities(bench)
    _applied(bench)
    (bench.app / "other-service").write_bytes(b"it went on meanwhile")

    put_old_back(bench.work(_STEP))
    put_old_back(bench.work(_STEP))

    after = snapshot(bench.app)
    assert (bench.app / "other-service").read_bytes() == b"it went on meanwhile"
    assert {n: v for n, v in after.items() if n != "other-service"} == {
        n: v for n, v in before.items() if n != "other-service"
    }
    assert _identities(bench)[0] == identities[0]
    assert not list(bench.app.parent.glob("app_old*"))


def test_after_a_roll_back_it_can_be_done_again_and_tidied(bench: Bench) -> None:
    _applied(bench)
    put_old_back(bench.work(_STEP))

    _applied(bench)
    after = snapshot(bench.app)
    delete_old(bench.work(_STEP))
    delete_old(bench.work(_STEP))

    assert snapshot(bench.app) == after
    assert not bench.folders.outgoing.exists()
    assert not bench.folders.discarded.exists()


def test_what_stays_is_neither_backed_up_nor_counted(bench: Bench) -> None:
    work = bench.work(StepName.SURVEY)

    survey(work)
    stage(bench.work(StepName.STAGE))
    back_up(bench.work(StepName.BACK_UP))

    assert int(work.facts["need_bytes"]) < _SIZE
    assert not (bench.folders.backup / TREE / "backup").exists()
    assert (bench.folders.backup / TREE / "data/old.db").exists()


def test_what_stays_is_not_carried_over_though_a_pattern_means_it(bench: Bench) -> None:
    bench.profile = replace(
        bench.profile, apply=replace(bench.profile.apply, keep=("backup/**", "**/old.db"))
    )

    _applied(bench)

    assert not (bench.folders.outgoing / "backup").exists()
    assert (bench.app / "data/old.db").read_bytes() == b"not kept"


@pytest.mark.parametrize("path", ["backup/readme.txt", "BACKUP/readme.txt", "other-service"])
def test_a_package_that_ships_what_stays_is_refused_before_anything_is_fetched(
    bench: Bench, path: str
) -> None:
    bench.ship(bench.release | {path: b"shipped"})

    with pytest.raises(Refused, match="stays as it is") as refused:
        stage(bench.work(StepName.STAGE))

    assert refused.value.refusal is Refusal.PACKAGE_MISMATCH
    assert bench.packages.fetched == 0


def test_shared_data_in_the_apps_folder_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    _say(bench, data=Data(DataScope.SHARED, ("data",), "server"))
    inode = (bench.app / "data/old.db").stat().st_ino

    _applied(bench)
    assert (bench.app / "data/old.db").stat().st_ino == inode

    put_old_back(bench.work(_STEP))
    assert (bench.app / "data/old.db").stat().st_ino == inode


def test_shared_data_that_the_host_places_in_the_apps_folder_stay_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    _say(bench, data=Data(DataScope.SHARED, ("/srv/elsewhere",), "server"))
    work = bench.work(_STEP)
    work.installation = Installation(bench.app, bench.values, (bench.app / "data/base",))
    inode = (bench.app / "data").stat().st_ino

    apply_release(work)

    assert (bench.app / "data").stat().st_ino == inode


def test_where_nothing_stays_it_is_two_renames(bench: Bench) -> None:
    for name in ("backup", "other-service"):
        _delete(bench.app / name)
    stage(bench.work(StepName.STAGE))
    bench.platform = platform = _Counting()

    apply_release(bench.work(_STEP))

    assert platform.renamed == ["app", "incoming"]


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


class _Counting(FastLinux):
    def __init__(self) -> None:
        super().__init__()
        self.renamed: list[str] = []

    def rename(self, source: Spot, target: Spot) -> None:
        self.renamed.append(Path(str(source)).name)
        super().rename(source, target)


class _Busy(FastLinux):
    """Another component writes `name` in the app's folder when `moved` is renamed."""

    def __init__(self, app: Path, moved: str, name: str) -> None:
        super().__init__()
        self._app, self._moved, self._name = app, moved, name

    def rename(self, source: Spot, target: Spot) -> None:
        super().rename(source, target)
        if Path(str(source)).name == self._moved:
            self._moved = ""
            (self._app / self._name).write_bytes(b"by another component")


@pytest.mark.parametrize("moved", [f"app_old.{ROLLOUT}.part", "version.txt"])
def test_what_another_component_writes_during_the_swap_is_kept_beside_the_old_release(
    bench: Bench, moved: str
) -> None:
    before = snapshot(bench.app)
    stage(bench.work(StepName.STAGE))
    bench.platform = _Busy(bench.app, moved, "version.txt")

    with pytest.raises(Failed, match="the old one is back"):
        apply_release(bench.work(_STEP))

    after = snapshot(bench.app)
    assert {name: after[name] for name in before} == before


def test_a_socket_in_the_folder_moves_with_the_rest(bench: Bench) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(bench.app / "control"))
    _applied(bench)

    assert (bench.folders.outgoing / "control").is_socket()
    put_old_back(bench.work(_STEP))
    assert (bench.app / "control").is_socket()


class _NoEntriesIn(FastLinux):
    """A disk that takes no rename out of the staged release but the first ones."""

    left = 2

    def rename(self, source: Spot, target: Spot) -> None:
        if source.folder.name == "incoming" and source.path:
            self.left -= 1
            if self.left < 0:
                raise OSError(5, "Input/output error", str(source))
        super().rename(source, target)


def test_entries_that_cannot_come_in_leave_the_old_release(bench: Bench) -> None:
    before = snapshot(bench.app)
    stage(bench.work(StepName.STAGE))
    bench.platform = _NoEntriesIn()

    with pytest.raises(Failed, match="the old one is back"):
        apply_release(bench.work(_STEP))

    assert snapshot(bench.app) == before


class _NoWayBack(FastLinux):
    def rename(self, source: Spot, target: Spot) -> None:
        if source.folder.name.startswith("app_old"):
            raise OSError(30, "Read-only file system", str(source))
        super().rename(source, target)


def test_an_undo_that_cannot_bring_the_old_one_back_leaves_the_new_one_whole(
    bench: Bench,
) -> None:
    before = snapshot(bench.app)
    new = snapshot(_applied(bench).app)
    bench.platform = _NoWayBack()

    with pytest.raises(OSError, match="Read-only"):
        put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == new
    bench.platform = FastLinux()
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_a_half_done_swap_is_not_unstaged_away(bench: Bench) -> None:
    stage(bench.work(StepName.STAGE))
    bench.folders.outgoing.mkdir()
    (bench.app / "version.txt").rename(bench.folders.outgoing / "version.txt")

    with pytest.raises(Failed, match="half done"):
        unstage(bench.work(StepName.STAGE))


class _World:
    """A bench with what stays, that can be put back to how it was as often as wanted."""

    def __init__(self, root: Path, prepare: Callable[[Bench], None]) -> None:
        self.bench = staying(root / "world")
        os.truncate(self.bench.app / "backup/deep/huge.bak", 4)
        self.old = snapshot(self.bench.app)
        prepare(self.bench)
        self._saved = root / "saved"
        shutil.copytree(self.bench.root, self._saved, symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.bench.root)
        shutil.copytree(self._saved, self.bench.root, symlinks=True)

    def run(self, handler: Handler) -> Callable[[], None]:
        return lambda: handler(self.work())

    def work(self) -> SmallWork:
        return self.bench.work(_STEP)


def _stage(bench: Bench) -> None:
    stage(bench.work(StepName.STAGE))


def _apply(bench: Bench) -> None:
    _applied(bench)


def _untimed(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """Leave out the times of what may have been unpacked a second time."""
    return {name: about[:3] + about[4:] for name, about in found.items()}


@pytest.mark.parametrize("then", [apply_release, put_old_back])
def test_the_swap_around_what_stays_is_whole_wherever_the_power_is_cut(
    tmp_path: Path, then: Handler
) -> None:
    world = _World(tmp_path, _stage)
    effects = effects_of(world.run(apply_release))
    new = snapshot(world.bench.app)
    assert effects > 30

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(apply_release), cut_at)
        recover(world.work())
        assert snapshot(world.bench.app) in (world.old, new)
        then(world.work())
        assert _untimed(snapshot(world.bench.app)) == _untimed(
            new if then is apply_release else world.old
        )


def test_without_a_recovery_it_is_taken_back_or_done_wherever_the_power_was_cut(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, _stage)
    effects = effects_of(world.run(apply_release))
    new = snapshot(world.bench.app)

    for cut_at in range(1, effects + 1):
        for then in (put_old_back, apply_release):
            world.restore()
            assert was_cut(world.run(apply_release), cut_at)
            then(world.work())
            expected = new if then is apply_release else world.old
            assert _untimed(snapshot(world.bench.app)) == _untimed(expected)


def test_the_way_back_around_what_stays_is_whole_wherever_the_power_is_cut(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, _apply)
    new = snapshot(world.bench.app)
    effects = effects_of(world.run(put_old_back))
    assert effects >= 15

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(put_old_back), cut_at)
        recover(world.work())
        assert snapshot(world.bench.app) in (world.old, new)
        put_old_back(world.work())
        assert snapshot(world.bench.app) == world.old
        apply_release(world.work())
        assert _untimed(snapshot(world.bench.app)) == _untimed(new)


@pytest.mark.parametrize("prepare", [_stage, _apply])
def test_a_recovery_around_what_stays_may_be_cut_short_too(
    tmp_path: Path, prepare: Callable[[Bench], None]
) -> None:
    def half(bench: Bench) -> None:
        prepare(bench)
        handler = apply_release if prepare is _stage else put_old_back
        whole = effects_of(lambda: handler(bench.work(_STEP)))
        for _ in range(2):  # once to know how many, once to be cut in the middle of the entries
            put_old_back(bench.work(_STEP))
            prepare(bench)
        assert was_cut(lambda: handler(bench.work(_STEP)), whole - 4)

    world = _World(tmp_path, half)
    effects = effects_of(world.run(recover))
    assert effects >= 2

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(recover), cut_at)
        recover(world.work())
        assert snapshot(world.bench.app) == world.old


def _with_data(root: Path, *, stay: tuple[str, ...] = ()) -> Bench:
    bench = staying(root, *stay) if stay else Bench(root)
    _say(bench, stay=stay, data=Data(folders=("data", "settings.db")))
    (bench.app / "settings.db").write_bytes(b"settings")
    return bench


@pytest.mark.parametrize("stay", [(), ("backup", "other-service")])
def test_what_the_new_release_wrote_is_kept_beside_the_data_that_come_back(
    tmp_path: Path, stay: tuple[str, ...]
) -> None:
    bench = _with_data(tmp_path, stay=stay)
    before = snapshot(bench.app)
    _applied(bench)
    assert (bench.app / "data/old.db").read_bytes() == b"not kept"  # carried over
    (bench.app / "data/old.db").write_bytes(b"migrated")
    (bench.app / "data/new.db").write_bytes(b"new")
    work = bench.work(_STEP)

    put_old_back(work)
    put_old_back(work)

    after = snapshot(bench.app)
    assert {name: after[name] for name in before} == before
    assert (bench.app / f"data.{ROLLOUT}/old.db").read_bytes() == b"migrated"
    assert (bench.app / f"data.{ROLLOUT}/new.db").read_bytes() == b"new"
    assert not (bench.app / f"settings.db.{ROLLOUT}").exists()  # nobody had written it
    assert work.facts["kept_newer_data"] == f"data.{ROLLOUT}"


def test_data_written_after_the_roll_back_are_not_taken_for_the_new_releases(
    tmp_path: Path,
) -> None:
    bench = _with_data(tmp_path)
    _applied(bench)
    put_old_back(bench.work(_STEP))
    (bench.app / "data/old.db").write_bytes(b"written by the old release since")

    put_old_back(bench.work(_STEP))

    assert not list(bench.app.glob("data.*"))
    assert (bench.app / "data/old.db").read_bytes() == b"written by the old release since"


def test_newer_data_are_kept_of_each_of_two_roll_backs_and_carried_over(tmp_path: Path) -> None:
    bench = _with_data(tmp_path)
    for text in (b"first", b"second"):
        _applied(bench)
        (bench.app / "data/old.db").write_bytes(text)
        put_old_back(bench.work(_STEP))

    _applied(bench)

    assert (bench.app / f"data.{ROLLOUT}/old.db").read_bytes() == b"first"
    assert (bench.app / f"data.{ROLLOUT}-2/old.db").read_bytes() == b"second"


def test_newer_data_are_kept_wherever_the_power_is_cut(tmp_path: Path) -> None:
    def prepare(bench: Bench) -> None:
        _say(bench, stay=("backup", "other-service"), data=Data(folders=("data",)))
        _applied(bench)
        (bench.app / "data/old.db").write_bytes(b"migrated")

    world = _World(tmp_path, prepare)
    effects = effects_of(world.run(put_old_back))

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(put_old_back), cut_at)
        recover(world.work())
        put_old_back(world.work())
        assert (world.bench.app / f"data.{ROLLOUT}/old.db").read_bytes() == b"migrated"
        assert (world.bench.app / "data/old.db").read_bytes() == b"not kept"
