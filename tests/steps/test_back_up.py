import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.back_up import back_up, first_pass, keep_last
from agent.steps.backup_list import (
    LIST,
    TREE,
    BackupList,
    BadList,
    Headline,
    read_list,
    write_list,
)
from agent.steps.table import Cancelled, Failed
from agent.wire.contract import StepName
from agent.wire.profile_reader import read_profile
from tests.steps.bench import (
    PROFILE,
    ROLLOUT,
    Bench,
    FastLinux,
    SmallWork,
    snapshot,
    write_tree,
)
from tests.steps.power import was_cut


class _Counting(FastLinux):
    """Notes what is copied, and may do something after a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.copied: list[str] = []
        self.spoil: dict[str, bytes] = {}
        self.append: set[str] = set()

    def copy(self, source: Spot, target: Spot, *, durable: bool = True) -> None:
        super().copy(source, target, durable=durable)
        live, copy = Path(str(source)), Path(str(target))
        self.copied.append(live.name)
        if live.name in self.spoil:
            copy.write_bytes(self.spoil[live.name])
        if live.name in self.append:
            live.write_bytes(live.read_bytes() + b"!")


@pytest.fixture
def counting(bench: Bench) -> _Counting:
    platform = _Counting()
    bench.platform = platform
    return platform


def _back_up(bench: Bench) -> SmallWork:
    work = bench.work(StepName.BACK_UP)
    back_up(work)
    return work


def test_a_backup_is_the_app_byte_for_byte_with_times_and_rights(bench: Bench) -> None:
    (bench.app / "prefs/link").symlink_to("user.ini")
    (bench.app / "empty").mkdir(mode=0o750)

    work = _back_up(bench)

    assert snapshot(bench.folders.backup / TREE) == snapshot(bench.app)
    assert int(work.facts["backup_files"]) == 9
    assert work.told[-1][0] == work.told[-1][1] > 0


def test_the_list_says_path_size_mode_time_and_hash(bench: Bench) -> None:
    _back_up(bench)

    listed = read_list(bench.folders.backup)

    assert listed is not None
    assert (listed.head.app, listed.head.version) == ("bench-app", "1.0")
    mine = listed.files["prefs/user.ini"]
    assert mine.item.size == 4
    assert mine.item.mtime_ns == 1_234_567_891_234_567_891
    assert mine.sha256 == hashlib.sha256(b"mine").hexdigest()


def test_the_second_pass_copies_only_what_has_changed(bench: Bench, counting: _Counting) -> None:
    first_pass(bench.work(StepName.STAGE))
    counting.copied.clear()
    (bench.app / "data/old.db").write_bytes(b"CHANGED!")
    (bench.app / "data/new.db").write_bytes(b"")
    (bench.app / "lib/code.bin").unlink()

    _back_up(bench)

    assert sorted(counting.copied) == ["new.db", "old.db"]
    assert snapshot(bench.folders.backup / TREE) == snapshot(bench.app)


def test_a_change_that_keeps_size_and_time_is_seen_by_its_ctime(
    bench: Bench, counting: _Counting
) -> None:
    first_pass(bench.work(StepName.STAGE))
    database = bench.app / "data/old.db"
    about = database.stat()
    database.write_bytes(b"NOT KEPT")
    os.utime(database, ns=(about.st_atime_ns, about.st_mtime_ns))

    _back_up(bench)

    assert (bench.folders.backup / TREE / "data/old.db").read_bytes() == b"NOT KEPT"


def test_a_file_replaced_by_a_folder_and_the_other_way_round_is_no_surprise(bench: Bench) -> None:
    first_pass(bench.work(StepName.STAGE))
    (bench.app / "data/old.db").unlink()
    write_tree(bench.app, {"data/old.db/inside": b"x"})
    (bench.app / "certs/server.pem").unlink()
    (bench.app / "certs").rmdir()
    (bench.app / "certs").write_bytes(b"a file now")

    _back_up(bench)

    assert snapshot(bench.folders.backup / TREE) == snapshot(bench.app)


def test_a_copy_that_reads_back_otherwise_is_found_before_the_app_is_touched(
    bench: Bench, counting: _Counting
) -> None:
    counting.spoil = {"old.db": b"not kept?"}

    with pytest.raises(Failed, match=r"data/old\.db"):
        _back_up(bench)

    assert counting.copied.count("old.db") == 3


def test_a_copy_that_was_spoiled_since_is_made_again(bench: Bench) -> None:
    _back_up(bench)
    (bench.folders.backup / TREE / "data/old.db").write_bytes(b"spoiled")

    _back_up(bench)

    assert snapshot(bench.folders.backup / TREE) == snapshot(bench.app)


def test_the_first_pass_forgives_a_file_that_never_holds_still(
    bench: Bench, counting: _Counting
) -> None:
    counting.append = {"old.db"}
    first_pass(bench.work(StepName.STAGE))

    with pytest.raises(Failed, match="it changes or differs while it is copied"):
        _back_up(bench)

    counting.append = set()
    _back_up(bench)
    assert snapshot(bench.folders.backup / TREE) == snapshot(bench.app)


class _Ended(SmallWork):
    def progress(self, done: int, total: int) -> None:
        raise Cancelled("enough")


def test_what_was_copied_before_it_was_ended_is_not_copied_again(
    bench: Bench, counting: _Counting
) -> None:
    work = bench.work(StepName.BACK_UP)
    work.__class__ = _Ended
    for _ in range(3):
        with pytest.raises(Cancelled):
            back_up(work)

    assert len(counting.copied) <= 1


def test_only_what_the_profile_names_is_backed_up(bench: Bench) -> None:
    text = PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1)
    text += '\n[backup]\ninclude = ["data/**", "prefs/user.ini"]\n'
    bench.profile = read_profile(text, "x")

    _back_up(bench)
    _back_up(bench)

    found = list(snapshot(bench.folders.backup / TREE))
    assert found == ["data", "data/old.db", "prefs", "prefs/user.ini"]


def _old_backup(bench: Bench, number: int, app: str = "bench-app", **about: bool) -> Path:
    folder = bench.folders.backup.with_name(f"01JC{number:022}")
    write_tree(folder, {"tree/file": b"x"})
    write_list(folder, BackupList(Headline(app, "0.9", complete=about.get("complete", True))))
    return folder


def test_tidy_keeps_the_last_two_backups_of_this_app_and_leaves_all_else(bench: Bench) -> None:
    oldest, older = _old_backup(bench, 1), _old_backup(bench, 2)
    others = _old_backup(bench, 3, "another-app")
    newer = bench.folders.backup.with_name("01JE0000000000000000000000")
    _old_backup(bench, 4).rename(newer)
    stranger = bench.folders.backup.with_name("not-ours")
    write_tree(stranger, {"x": b""})
    _back_up(bench)

    for _ in range(2):
        keep_last(bench.work(StepName.BACK_UP))

    assert not oldest.exists()
    assert all(p.exists() for p in (older, others, newer, stranger, bench.folders.backup))


def test_the_backup_of_a_drill_goes_at_its_end_and_takes_the_place_of_no_other(
    bench: Bench,
) -> None:
    kept = [_old_backup(bench, number) for number in (1, 2, 3)]
    half = _old_backup(bench, 4, complete=False)
    _back_up(bench)

    for _ in range(2):
        keep_last(bench.work(StepName.BACK_UP, drill=True))

    assert all(folder.exists() for folder in (*kept, half))
    assert not bench.folders.backup.exists()


def test_tidy_keeps_as_many_as_the_profile_says(bench: Bench) -> None:
    text = PROFILE.format(folder=bench.app, kill="false", timeout=1, soak=1)
    bench.profile = read_profile(text + "\n[backup]\nkeep_last = 1\n", "x")
    older = _old_backup(bench, 1)
    _back_up(bench)

    keep_last(bench.work(StepName.BACK_UP))

    assert not older.exists()
    assert bench.folders.backup.exists()


def test_what_a_crash_or_an_abandoned_rollout_left_half_made_goes_at_a_later_tidy(
    bench: Bench,
) -> None:
    half, others = (
        _old_backup(bench, 1, complete=False),
        _old_backup(bench, 2, "another-app", complete=False),
    )
    without_list = bench.folders.backup.with_name(f"01JC{3:022}")
    write_tree(without_list, {"tree/x": b"", ".backup.json.beef": b""})
    _back_up(bench)

    keep_last(bench.work(StepName.BACK_UP))

    assert not half.exists()
    assert not without_list.exists()
    assert others.exists()


def test_the_newest_complete_backup_stays_when_this_rollout_made_none(bench: Bench) -> None:
    kept = [_old_backup(bench, number) for number in (1, 2, 3)]
    first_pass(bench.work(StepName.STAGE))

    keep_last(bench.work(StepName.BACK_UP))

    assert all(folder.exists() for folder in kept)
    assert not bench.folders.backup.exists()


def test_a_backup_whose_old_release_is_still_there_is_a_way_back_and_stays(bench: Bench) -> None:
    kept = [_old_backup(bench, number) for number in (1, 2, 3)]
    write_tree(bench.app.with_name(f"app_old.{kept[0].name}"), {"x": b""})
    _back_up(bench)

    keep_last(bench.work(StepName.BACK_UP))

    assert [folder.exists() for folder in kept] == [True, False, True]


def test_a_damaged_list_is_not_taken_for_a_half_made_backup(bench: Bench) -> None:
    damaged = _old_backup(bench, 1)
    (damaged / LIST).write_bytes((damaged / LIST).read_bytes().replace(b"0.9", b"0.8"))
    _back_up(bench)

    keep_last(bench.work(StepName.BACK_UP))

    assert damaged.exists()


def test_empty_folders_of_older_steps_are_deleted(bench: Bench) -> None:
    staging = bench.root / "state/staging"
    for name in ("01JC0000000000000000000000", "01JE0000000000000000000000", ROLLOUT, "other"):
        (staging / name).mkdir()
    write_tree(staging / "01JC0000000000000000000001", {"incoming/x": b""})
    bench.folders = replace(bench.folders, incoming=staging / ROLLOUT / "incoming")
    _back_up(bench)

    keep_last(bench.work(StepName.BACK_UP))

    assert not (staging / "01JC0000000000000000000000").exists()
    assert len(list(staging.iterdir())) == 4


def test_data_backed_up_in_the_same_rollout_is_not_deleted_with_the_app_s(bench: Bench) -> None:
    old = [_old_backup(bench, number) for number in (1, 2, 3)]
    write_tree(old[0] / "data", {"tree/x": b""})
    _back_up(bench)

    keep_last(bench.work(StepName.BACK_UP))

    assert [path.name for path in old[0].iterdir()] == ["data"]
    assert not old[1].exists()


def test_tidy_deletes_all_of_an_old_backup_wherever_the_power_was_cut(bench: Bench) -> None:
    def tidy() -> None:
        keep_last(bench.work(StepName.BACK_UP))

    _back_up(bench)
    older = _old_backup(bench, 2)
    for cut_at in range(1, 100):
        _old_backup(bench, 1)
        cut = was_cut(tidy, cut_at)
        tidy()
        found = {path.name for path in bench.folders.backup.parent.iterdir()}
        assert found == {older.name, ROLLOUT}
        if not cut:
            break
    assert cut_at > 4


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'{"head": 1}', b'{"head": {}, "list": []}', b'{"list": [1]}', b"\xff"],
)
def test_a_list_that_cannot_be_read_says_so(tmp_path: Path, raw: bytes) -> None:
    digest = hashlib.sha256(raw).hexdigest().encode()
    for content in (raw, digest + b"\n" + raw):
        (tmp_path / LIST).write_bytes(content)
        with pytest.raises(BadList):
            read_list(tmp_path)


def test_a_backup_that_was_never_begun_has_no_list(tmp_path: Path) -> None:
    assert read_list(tmp_path) is None
