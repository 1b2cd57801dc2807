import json
import shutil
from pathlib import Path

import pytest

from agent.steps.back_up import back_up, first_pass
from agent.steps.backup_list import LIST
from agent.steps.restore import (
    forget_rehearsal,
    list_backups,
    recover_restore,
    rehearse_restore,
    restore_backup,
    verify_backup,
)
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, Severity, StepName
from agent.wire.profile_reader import read_profile
from tests.steps.backups import ASKED, asked, backed_up, do, files_of, furnish, with_profile
from tests.steps.bench import PROFILE, ROLLOUT, Bench, FastLinux, SmallWork, snapshot, write_tree
from tests.steps.power import effects_of, was_cut

_EITHER = pytest.mark.parametrize("encrypted", [False, True])
_OLDER = "01JC0000000000000000000000"


def _restore(bench: Bench, **params: object) -> SmallWork:
    return do(bench, restore_backup, StepName.RESTORE_BACKUP, **params)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def _older_backup(bench: Bench) -> None:
    """Have another backup, of when the app was empty but for its version."""
    older = bench.folders.backup.with_name(_OLDER)
    shutil.copytree(bench.folders.backup, older, symlinks=True)


@_EITHER
def test_each_backup_of_the_app_is_listed_in_a_fact(bench: Bench, encrypted: bool) -> None:
    backed_up(bench, encrypted=encrypted)
    _older_backup(bench)

    listed = do(bench, list_backups, StepName.LIST_BACKUPS).facts

    assert list(listed) == [_OLDER, ROLLOUT]
    about = json.loads(listed[ROLLOUT])
    assert about.pop("made") > 1e9
    assert about.pop("bytes") > 100
    assert about == {
        "app": "bench-app",
        "version": "1.0",
        "complete": True,
        "files": 9,
        "encrypted": encrypted,
    }


def test_a_backup_with_a_damaged_list_is_listed_as_such_and_others_apps_are_not(
    bench: Bench,
) -> None:
    backed_up(bench)
    _older_backup(bench)
    _flip(bench.folders.backup / LIST)
    bench.profile = read_profile(
        PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1).replace(
            "bench-app", "another"
        ),
        "x",
    )

    listed = do(bench, list_backups, StepName.LIST_BACKUPS).facts

    assert {name: json.loads(about) for name, about in listed.items()} == {
        ROLLOUT: {"damaged": True}
    }


def test_no_more_is_listed_than_a_report_holds(bench: Bench) -> None:
    backed_up(bench)
    for number in range(70):
        name = f"01JC{number:022}"
        shutil.copytree(bench.folders.backup, bench.folders.backup.with_name(name))

    listed = do(bench, list_backups, StepName.LIST_BACKUPS).facts

    assert len(listed) == 60
    assert list(listed)[-1] == ROLLOUT


@_EITHER
def test_a_backup_that_is_good_is_verified_and_counted(bench: Bench, encrypted: bool) -> None:
    furnish(bench)
    made = backed_up(bench, encrypted=encrypted)

    work = do(bench, verify_backup, StepName.VERIFY_BACKUP)

    assert work.facts["files"] == made.facts["backup_files"]
    assert work.facts["bytes"] == made.facts["backup_bytes"]
    assert (work.facts["backup"], work.facts["version"]) == (ROLLOUT, "1.0")
    assert work.findings == []


def test_each_damaged_file_of_a_backup_is_named(bench: Bench) -> None:
    backed_up(bench)
    for name in ("bin/app", "data/old.db"):
        _flip(bench.folders.backup / "tree" / name)

    work = do(bench, verify_backup, StepName.VERIFY_BACKUP)

    assert [finding.severity for finding in work.findings] == [Severity.BLOCKS] * 2
    assert "bin/app" in work.findings[0].message
    assert "data/old.db" in work.findings[1].message


def test_a_half_made_backup_can_be_verified_by_name_only_and_never_restored(bench: Bench) -> None:
    first_pass(bench.work(StepName.STAGE))

    work = do(bench, verify_backup, StepName.VERIFY_BACKUP, backup=ROLLOUT)
    assert work.found == {"backup-incomplete"}
    for params in ({}, {"backup": ROLLOUT}):
        with pytest.raises(Refused) as refused:
            _restore(bench, **params)
        assert refused.value.refusal is Refusal.NO_BACKUP


@_EITHER
def test_a_rehearsal_restores_aside_compares_and_leaves_nothing(
    bench: Bench, encrypted: bool
) -> None:
    furnish(bench)
    backed_up(bench, encrypted=encrypted)
    before = snapshot(bench.root / "office")

    work = do(bench, rehearse_restore, StepName.REHEARSE_RESTORE)

    assert snapshot(bench.root / "office") == before
    assert not any((bench.root / "state" / "staging" / ASKED).iterdir())
    assert float(work.facts["took_seconds"]) >= 0
    assert int(work.facts["files"]) == 12


def test_a_rehearsal_of_a_damaged_backup_says_what_is_damaged(bench: Bench) -> None:
    backed_up(bench)
    _flip(bench.folders.backup / "tree/bin/app")

    with pytest.raises(Refused, match="bin/app") as refused:
        do(bench, rehearse_restore, StepName.REHEARSE_RESTORE)

    assert refused.value.refusal is Refusal.BACKUP_DAMAGED
    assert not any((bench.root / "state" / "staging" / ASKED).iterdir())


def test_what_a_crash_left_of_a_rehearsal_is_deleted_at_the_agents_start(bench: Bench) -> None:
    backed_up(bench)
    work = asked(bench, StepName.REHEARSE_RESTORE)

    assert was_cut(lambda: rehearse_restore(work), 5)
    forget_rehearsal(work)

    assert not any((bench.root / "state" / "staging" / ASKED).iterdir())


class _Full(FastLinux):
    def free_bytes(self, folder: Path) -> int:
        return 10


@pytest.mark.parametrize(
    ("handler", "step"),
    [
        (rehearse_restore, StepName.REHEARSE_RESTORE),
        (restore_backup, StepName.RESTORE_BACKUP),
    ],
)
def test_without_room_nothing_is_begun(bench: Bench, handler: object, step: StepName) -> None:
    backed_up(bench)
    bench.platform = _Full()
    assert callable(handler)

    with pytest.raises(Refused) as refused:
        handler(asked(bench, step))

    assert refused.value.refusal is Refusal.DISK_FULL


@_EITHER
def test_a_restore_brings_the_app_back_and_keeps_what_was_there(
    bench: Bench, encrypted: bool
) -> None:
    furnish(bench)
    backed_up(bench, encrypted=encrypted)
    old = snapshot(bench.app)
    write_tree(bench.app, bench.release)
    new = snapshot(bench.app)

    for _ in range(2):
        work = _restore(bench)
        kept = bench.app.with_name(f"app_old.{ASKED}")
        assert snapshot(bench.app) == old
        assert snapshot(kept) == new
        assert work.facts["kept_folder"] == str(kept)
        assert work.facts["app_version"] == "1.0"


@_EITHER
def test_on_a_host_without_the_app_the_restored_tree_is_identical(
    bench: Bench, encrypted: bool
) -> None:
    furnish(bench)
    backed_up(bench, encrypted=encrypted)
    old, rights = snapshot(bench.app), bench.app.stat()
    shutil.rmtree(bench.app.parent)

    for _ in range(2):
        work = _restore(bench)
        assert snapshot(bench.app) == old
        now = bench.app.stat()
        assert (now.st_mode, now.st_uid, now.st_gid, now.st_mtime_ns) == (
            rights.st_mode,
            rights.st_uid,
            rights.st_gid,
            rights.st_mtime_ns,
        )
        assert "kept_folder" not in work.facts
        assert [path.name for path in bench.app.parent.iterdir()] == ["app"]


def test_an_older_backup_is_restored_by_its_name(bench: Bench) -> None:
    backed_up(bench)
    _older_backup(bench)
    old = snapshot(bench.app)
    write_tree(bench.app, bench.release)

    work = _restore(bench, backup=_OLDER)

    assert snapshot(bench.app) == old
    assert work.facts["backup"] == _OLDER


def test_a_backup_that_is_not_there_is_refused(bench: Bench) -> None:
    for params in ({}, {"backup": ROLLOUT}):
        with pytest.raises(Refused, match="backup") as refused:
            _restore(bench, **params)
        assert refused.value.refusal is Refusal.NO_BACKUP


def test_a_damaged_backup_is_not_restored_and_the_app_stays_as_it_was(bench: Bench) -> None:
    backed_up(bench)
    _flip(bench.folders.backup / "tree/bin/app")
    before = snapshot(bench.app)

    with pytest.raises(Refused) as refused:
        _restore(bench)

    assert refused.value.refusal is Refusal.BACKUP_DAMAGED
    assert snapshot(bench.app) == before
    assert [path.name for path in bench.app.parent.iterdir()] == ["app"]


@pytest.mark.parametrize("program", ["bin/app", "bin/manager"])
def test_nothing_is_restored_under_a_running_app_or_service_manager(
    bench: Bench, program: str
) -> None:
    backed_up(bench)
    (bench.app / program).write_bytes((bench.app / "bin/updater").read_bytes())  # only waits
    bench.open_app(program)

    with pytest.raises(Refused) as refused:
        _restore(bench)

    assert refused.value.refusal in {
        Refusal.APP_STILL_OPEN,
        Refusal.SERVICE_MANAGER_STILL_RUNNING,
    }


def test_a_backup_of_parts_of_the_app_is_not_restored_as_the_app(bench: Bench) -> None:
    with_profile(bench, '\n[backup]\ninclude = ["prefs/**"]\n')
    back_up(bench.work(StepName.BACK_UP))

    with pytest.raises(Refused, match=r"backup\.include"):
        _restore(bench)


def test_a_backup_of_another_folder_is_refused_with_what_mends_it(bench: Bench) -> None:
    backed_up(bench)
    work = asked(bench, StepName.RESTORE_BACKUP)
    elsewhere = bench.root / "elsewhere"
    work.installation = type(work.installation)(elsewhere, {})

    with pytest.raises(Refused, match=r"agent\.toml"):
        restore_backup(work)


def test_what_stays_in_the_apps_folder_stays(bench: Bench) -> None:
    text = PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1)
    bench.profile = read_profile(text.replace("keep =", 'stay = ["data"]\nkeep ='), "bench.toml")
    back_up(bench.work(StepName.BACK_UP))
    old = snapshot(bench.app)
    write_tree(bench.app, bench.release | {"data/old.db": b"goes on"})

    _restore(bench)

    assert (bench.app / "data/old.db").read_bytes() == b"goes on"
    now = snapshot(bench.app)
    assert {k: v for k, v in now.items() if "data" not in k} == {
        k: v for k, v in old.items() if "data" not in k
    }


class _World:
    """A bench that is put back to how it was as often as wanted."""

    def __init__(self, root: Path, *, stays: bool, absent: bool) -> None:
        self.bench = bench = Bench(root / "world")
        text = PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1)
        more = 'stay = ["data"]\nkeep =' if stays else "keep ="
        bench.profile = read_profile(text.replace("keep =", more), "bench.toml")
        back_up(bench.work(StepName.BACK_UP))
        self.restored = snapshot(bench.app)
        write_tree(bench.app, bench.release)
        if absent:
            for path in bench.app.iterdir():
                if not (stays and path.name == "data"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.before = snapshot(bench.app)
        self._saved = root / "saved"
        shutil.copytree(bench.root, self._saved, symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.bench.root)
        shutil.copytree(self._saved, self.bench.root, symlinks=True)
        self.bench.memos[StepName.RESTORE_BACKUP] = type(
            self.bench.memos[StepName.RESTORE_BACKUP]
        )()

    def now(self) -> dict[str, tuple[object, ...]]:
        return snapshot(self.bench.app)


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("absent", [False, True])
def test_a_restore_cut_short_anywhere_leaves_the_app_that_was_or_the_one_restored(
    tmp_path: Path, stays: bool, absent: bool
) -> None:
    world = _World(tmp_path, stays=stays, absent=absent)
    bench = world.bench

    def run() -> None:
        restore_backup(asked(bench, StepName.RESTORE_BACKUP))

    def mend() -> None:
        recover_restore(asked(bench, StepName.RESTORE_BACKUP))

    effects = effects_of(run)
    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(run, cut_at)
        for mend_at in (3, 1):
            effects_of(mend, mend_at)  # the power is cut in the recovery too
        mend()
        assert world.now() in (world.before, world.restored)
        run()
        assert world.now() == world.restored


def test_an_error_of_the_disk_between_the_renames_leaves_the_app_that_was(bench: Bench) -> None:
    backed_up(bench)
    write_tree(bench.app, bench.release)
    before = snapshot(bench.app)

    class Stubborn(FastLinux):
        renames = 0

        def rename(self, source: object, target: object) -> None:
            self.renames += 1
            if self.renames == 2:
                raise OSError(5, "Input/output error", str(target))
            super().rename(source, target)  # type: ignore[arg-type]

    bench.platform = Stubborn()

    with pytest.raises(OSError, match="Input/output"):
        _restore(bench)

    assert snapshot(bench.app) == before


def test_a_rehearsal_that_cannot_bring_back_the_same_fails(bench: Bench) -> None:
    class Forgetful(FastLinux):
        def give_rights(self, source: object, target: object) -> None:
            """Does nothing."""

    (bench.app / "bin").chmod(0o751)
    backed_up(bench)
    bench.platform = Forgetful()

    with pytest.raises(Failed, match="mode or owner is not as it was"):
        do(bench, rehearse_restore, StepName.REHEARSE_RESTORE)
    assert files_of(bench.folders.backup)
