"""Shared data on real files: backed up, brought back, and whole wherever the power is cut."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from agent.platforms.base import Spot
from agent.steps.data import (
    back_up_data,
    keep_last_data,
    recover_data,
    restore_data,
    survey_data,
)
from agent.steps.table import Failed, Installation, Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import Data, DataScope
from tests.steps.bench import ROLLOUT, Bench, FastLinux, SmallWork, snapshot, write_tree
from tests.steps.power import effects_of, was_cut

_STEP = StepName.BACK_UP_DATA
Snapshot = dict[str, tuple[object, ...]]


class Office:
    """A host that holds shared data: one folder beside the app, or as many as wanted."""

    def __init__(self, root: Path, *folders: str, encrypt: bool = False) -> None:
        self.root = root / "world"
        self.bench = Bench(self.root)
        self.live = self.root / "srv" / "data"
        named = folders or (str(self.live),)
        self.bench.profile = replace(
            self.bench.profile,
            data=Data(DataScope.SHARED, tuple(named), "server"),
            backup=replace(self.bench.profile.backup, encrypt=encrypt),
        )
        seed(self.live)

    @property
    def aside(self) -> Path:
        return self.live.with_name(f"data.{ROLLOUT}")

    def work(self) -> SmallWork:
        return self.bench.work(_STEP)

    def back_up(self) -> SmallWork:
        work = self.work()
        back_up_data(work)
        return work

    def restore(self) -> SmallWork:
        work = self.work()
        restore_data(work)
        return work


def seed(folder: Path) -> None:
    write_tree(folder, {"office.db": b"customers" * 1000, "a/b/letter.txt": b"dear", "empty": b""})
    (folder / "link").symlink_to("a/b/letter.txt")
    (folder / "office.db").chmod(0o640)
    os.utime(folder / "office.db", ns=(1, 1_234_567_891_234_567_891))
    os.setxattr(folder / "office.db", "user.owner", b"marie")


def migrate(folder: Path) -> None:
    """What a new release does to data: writes, adds, deletes."""
    (folder / "office.db").write_bytes(b"customers, schema 2")
    (folder / "schema-2").write_bytes(b"new")
    (folder / "a/b/letter.txt").unlink()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


# -- there and back --------------------------------------------------------------------------


@pytest.mark.parametrize("encrypt", [False, True])
def test_what_was_backed_up_comes_back_byte_for_byte_and_the_newer_is_kept(
    tmp_path: Path, encrypt: bool
) -> None:
    office = Office(tmp_path, encrypt=encrypt)
    old = snapshot(office.live)
    facts = office.back_up().facts
    assert (facts["data_files"], facts["data_bytes"]) == ("3", "9004")
    assert snapshot(office.live) == old
    migrate(office.live)
    new = snapshot(office.live)
    facts = office.restore().facts
    assert snapshot(office.live) == old
    assert snapshot(office.aside) == new
    assert facts["newer_data"] == str(office.aside)


def test_done_twice_and_undone_twice_it_is_the_same(office: Office) -> None:
    old = snapshot(office.live)
    office.back_up()
    office.back_up()
    migrate(office.live)
    new = snapshot(office.live)
    office.restore()
    assert office.restore().facts["newer_data"] == str(office.aside)
    assert (snapshot(office.live), snapshot(office.aside)) == (old, new)


def test_data_that_nobody_has_changed_is_left_where_it_is(office: Office) -> None:
    office.back_up()
    inode = office.live.stat().st_ino
    assert "newer_data" not in office.restore().facts
    assert office.live.stat().st_ino == inode


def test_data_that_is_gone_comes_back(office: Office) -> None:
    old = snapshot(office.live)
    office.back_up()
    shutil.rmtree(office.live)
    office.restore()
    assert snapshot(office.live) == old


def test_several_folders_and_those_in_the_apps_folder_come_back(tmp_path: Path) -> None:
    office = Office(tmp_path, "shared", str(tmp_path / "world/srv/data"), "/nowhere/at/all")
    inside = office.bench.app / "shared"
    seed(inside)
    old = snapshot(inside), snapshot(office.live)
    office.back_up()
    migrate(inside)
    migrate(office.live)
    newer = office.restore().facts["newer_data"].split(", ")
    assert (snapshot(inside), snapshot(office.live)) == old
    assert newer == [str(office.bench.app.with_name(f"app.shared.{ROLLOUT}")), str(office.aside)]


def test_the_hosts_own_configuration_says_where_its_data_is(tmp_path: Path) -> None:
    office = Office(tmp_path, "/srv/of-the-profile")
    work = office.work()
    work.installation = Installation(office.bench.app, {}, (office.live,))
    back_up_data(work)
    assert work.facts["data_folders"] == str(office.live)


def test_it_finds_the_folders_again_though_the_configuration_has_changed(office: Office) -> None:
    office.back_up()
    migrate(office.live)
    work = office.work()
    work.installation = Installation(office.bench.app, {}, (office.root / "elsewhere",))
    restore_data(work)
    assert not (office.live / "schema-2").exists()


# -- refusals --------------------------------------------------------------------------------


def test_without_data_it_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    office = Office(tmp_path, "/srv/none")
    with pytest.raises(Refused, match=r"none of /srv/none is on this host; .*agent\.toml") as no:
        office.back_up()
    assert no.value.refusal is Refusal.DATA_ABSENT


@pytest.mark.parametrize(
    ("program", "refusal"),
    [
        ("bin/app", Refusal.APP_STILL_OPEN),
        ("bin/updater", Refusal.APP_STILL_OPEN),
        ("bin/manager", Refusal.SERVICE_MANAGER_STILL_RUNNING),
    ],
)
def test_neither_way_while_anything_of_the_app_runs_here(
    office: Office, program: str, refusal: Refusal
) -> None:
    office.back_up()
    migrate(office.live)
    try:
        office.bench.open_app(program, office.bench.values["port"])
        for way in (office.back_up, office.restore):
            with pytest.raises(Refused) as no:
                way()
            assert no.value.refusal is refusal
    finally:
        office.bench.close()


def test_a_users_link_in_the_place_of_the_data_is_never_followed(tmp_path: Path) -> None:
    office = Office(tmp_path, "shared")
    (office.bench.app / "shared").symlink_to(office.live)
    os.lchown(office.bench.app / "shared", 12345, 12345)
    with pytest.raises(Refused, match="a link that belongs to user 12345") as no:
        office.back_up()
    assert no.value.refusal is Refusal.FOLDER_RIGHTS


class _FullDisk(FastLinux):
    def free_bytes(self, folder: Path) -> int:
        return 10_000


class _Mounted(FastLinux):
    def mounts(self, folder: Path) -> list[str]:
        return [f"{folder}/disk"]


class _Apart(FastLinux):
    """A disk of its own for the data."""

    def same_volume(self, one: Path, other: Path) -> bool:
        return ("srv" in one.parts) == ("srv" in other.parts)


def test_a_disk_that_cannot_hold_backup_and_way_back_is_refused(office: Office) -> None:
    office.bench.platform = _FullDisk()
    with pytest.raises(Refused, match=r"need 0\.0 MB, 0\.0 MB are free") as no:
        office.back_up()
    assert no.value.refusal is Refusal.DISK_FULL


def test_data_on_a_disk_of_its_own_is_refused_since_it_cannot_be_renamed(office: Office) -> None:
    office.bench.platform = _Mounted()
    with pytest.raises(Refused, match='/disk" is a disk of its own, so it cannot be renamed'):
        office.back_up()


def test_data_on_another_disk_than_the_agents_folder_is_rebuilt_there(office: Office) -> None:
    office.bench.platform = _Apart()
    old = snapshot(office.live)
    office.back_up()
    migrate(office.live)
    office.restore()
    assert snapshot(office.live) == old
    assert (office.live.parent / ".roundsman").stat().st_mode & 0o777 == 0o700


def test_users_may_not_put_their_own_in_place_of_what_is_rebuilt(office: Office) -> None:
    office.bench.platform = _Apart()
    office.live.parent.chmod(0o777)
    with pytest.raises(Refused, match="users may rename what is in it"):
        office.back_up()


def test_a_backup_that_is_damaged_is_found_before_the_data_is_touched(office: Office) -> None:
    office.back_up()
    migrate(office.live)
    new = snapshot(office.live)
    copy = next(office.bench.folders.backup.rglob("office.db"))
    copy.write_bytes(b"customerz" * 1000)
    os.utime(copy, ns=(1, 1_234_567_891_234_567_891))
    with pytest.raises(Refused) as no:
        office.restore()
    assert no.value.refusal is Refusal.BACKUP_DAMAGED
    assert snapshot(office.live) == new
    assert not office.aside.exists()


def test_a_rename_that_is_refused_leaves_the_newer_data_in_place(office: Office) -> None:
    office.back_up()
    migrate(office.live)
    new = snapshot(office.live)

    class Held(FastLinux):
        def rename(self, source: Spot, target: Spot) -> None:
            if str(target) == str(office.live) and "ready" in str(source):
                raise PermissionError(13, "held")
            super().rename(source, target)

    office.bench.platform = Held()
    with pytest.raises(PermissionError):
        office.restore()
    assert snapshot(office.live) == new
    office.bench.platform = FastLinux()
    office.restore()
    assert snapshot(office.aside) == new


# -- tidied ----------------------------------------------------------------------------------


def test_tidied_the_newest_backups_stay_and_what_was_set_aside_too(office: Office) -> None:
    for number in range(4):
        backup = office.bench.folders.backup.with_name(ROLLOUT[:-1] + str(number))
        office.bench.folders = replace(office.bench.folders, backup=backup)
        office.bench.memos[_STEP] = type(office.bench.owed)()
        office.back_up()
    migrate(office.live)
    office.restore()
    keep_last_data(office.work())
    left = sorted(p.name[-1] for p in office.bench.folders.backup.parent.iterdir())
    assert left == ["2", "3"]
    assert not list(office.root.rglob("ready-*"))
    assert office.aside.is_dir() or list(office.live.parent.glob("data.*"))
    keep_last_data(office.work())


def test_the_backup_of_a_drill_is_tidied_away_and_the_others_stay(office: Office) -> None:
    for number in range(4):
        backup = office.bench.folders.backup.with_name(ROLLOUT[:-1] + str(number))
        office.bench.folders = replace(office.bench.folders, backup=backup)
        office.bench.memos[_STEP] = type(office.bench.owed)()
        office.back_up()
    for _ in range(2):
        keep_last_data(office.bench.work(_STEP, drill=True))
    left = sorted(p.name[-1] for p in office.bench.folders.backup.parent.iterdir())
    assert left == ["0", "1", "2"]


# -- looked at -------------------------------------------------------------------------------


def test_the_survey_says_how_large_it_is(office: Office) -> None:
    work = office.bench.work(StepName.SURVEY)
    survey_data(work)
    assert work.facts == {"data_bytes": "9004", "data_folders": str(office.live)}


def test_the_survey_says_why_it_could_not_be_kept(office: Office) -> None:
    office.bench.platform = _Mounted()
    work = office.bench.work(StepName.SURVEY)
    survey_data(work)
    assert "is a disk of its own" in work.facts["data_problem"]


def test_where_no_data_is_shared_the_survey_says_nothing_of_it(office: Office) -> None:
    office.bench.profile = replace(office.bench.profile, data=Data())
    work = office.bench.work(StepName.SURVEY)
    survey_data(work)
    assert work.facts == {}


# -- the power is cut ------------------------------------------------------------------------


class _Saved:
    """An office that can be put back to how it was as often as wanted."""

    def __init__(self, office: Office, root: Path) -> None:
        self.office, self._copy = office, root / "saved"
        shutil.copytree(office.root, self._copy, symlinks=True)
        self._memo = dict(office.bench.memos[_STEP].kept)  # type: ignore[attr-defined]

    def again(self) -> None:
        shutil.rmtree(self.office.root)
        shutil.copytree(self._copy, self.office.root, symlinks=True)
        memo = self.office.bench.memos[_STEP].kept  # type: ignore[attr-defined]
        memo.clear()
        memo.update(self._memo)


def test_wherever_the_power_is_cut_in_the_backup_the_data_is_untouched_and_it_goes_on(
    office: Office, tmp_path: Path
) -> None:
    old, saved = snapshot(office.live), _Saved(office, tmp_path)
    effects = effects_of(office.back_up)
    assert effects > 10
    for cut_at in range(1, effects + 1):
        saved.again()
        assert was_cut(office.back_up, cut_at)
        recover_data(office.work())
        assert snapshot(office.live) == old
        office.back_up()
        migrate(office.live)
        office.restore()
        assert snapshot(office.live) == old


def test_wherever_the_power_is_cut_in_the_restore_the_data_is_there_old_or_new(
    office: Office, tmp_path: Path
) -> None:
    old = snapshot(office.live)
    office.back_up()
    migrate(office.live)
    new, saved = snapshot(office.live), _Saved(office, tmp_path)
    effects = effects_of(office.restore)
    assert effects > 10
    for cut_at in range(1, effects + 1):
        saved.again()
        assert was_cut(office.restore, cut_at)
        _check_recovered(office, old, new, tmp_path)


def _check_recovered(office: Office, old: Snapshot, new: Snapshot, tmp_path: Path) -> None:
    recover_data(office.work())
    assert snapshot(office.live) in (old, new)
    office.restore()
    assert (snapshot(office.live), snapshot(office.aside)) == (old, new)


def test_recovery_may_be_cut_short_too(office: Office, tmp_path: Path) -> None:
    office.back_up()
    migrate(office.live)
    new = snapshot(office.live)
    office.live.rename(office.aside)
    saved = _Saved(office, tmp_path)
    effects = effects_of(lambda: recover_data(office.work()))
    for cut_at in range(1, effects + 1):
        saved.again()
        assert was_cut(lambda: recover_data(office.work()), cut_at)
        recover_data(office.work())
        assert snapshot(office.live) == new


def test_a_file_that_changes_while_it_is_backed_up_is_noticed(office: Office) -> None:
    class Busy(FastLinux):
        def open_file(self, spot: Spot) -> BinaryIO:
            if spot.path.endswith("letter.txt") and spot.folder == office.live:
                with Path(str(spot)).open("ab") as file:
                    file.write(b".")
            return super().open_file(spot)

    office.bench.platform = Busy()
    with pytest.raises(Failed, match="letter"):
        office.back_up()
