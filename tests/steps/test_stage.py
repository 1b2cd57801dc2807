from dataclasses import replace
from pathlib import Path

import pytest

from agent.steps.apply_release import apply_release
from agent.steps.backup_list import read_list
from agent.steps.stage import stage, unstage
from agent.steps.table import Refused
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import Bench, FastLinux, SmallWork, manifest_of, snapshot


def _stage(bench: Bench, **params: object) -> SmallWork:
    work = bench.work(StepName.STAGE, **params)
    stage(work)
    return work


def _refusal(bench: Bench, **params: object) -> Refused:
    before = snapshot(bench.app)
    with pytest.raises(Refused) as refused:
        _stage(bench, **params)
    assert snapshot(bench.app) == before
    return refused.value


def test_the_release_is_unpacked_and_a_first_backup_made_while_the_app_is_open(
    bench: Bench,
) -> None:
    before = snapshot(bench.app)
    child = bench.open_app()

    work = _stage(bench)

    assert (bench.folders.incoming / "version.txt").read_bytes() == bench.release["version.txt"]
    assert work.facts["staged_version"] == "1.1"
    assert work.told[-1][0] == work.told[-1][1]
    assert read_list(bench.folders.backup) is not None
    assert snapshot(bench.app) == before
    assert child.poll() is None


def test_what_is_staged_and_whole_is_not_fetched_again(bench: Bench) -> None:
    _stage(bench)
    _stage(bench)

    assert bench.packages.fetched == 1


@pytest.mark.parametrize("harm", ["altered", "added"])
def test_what_is_staged_and_not_whole_is_staged_afresh(bench: Bench, harm: str) -> None:
    _stage(bench)
    name = "lib/code.bin" if harm == "altered" else "lib/planted.dll"
    (bench.folders.incoming / name).write_bytes(b"planted")

    _stage(bench)

    assert bench.packages.fetched == 2
    assert not (bench.folders.incoming / "lib/planted.dll").exists()


def test_once_the_release_is_in_place_nothing_is_staged_again(bench: Bench) -> None:
    _stage(bench)
    apply_release(bench.work(StepName.APPLY_RELEASE))

    _stage(bench)

    assert not bench.folders.incoming.exists()


def test_undo_deletes_what_was_staged(bench: Bench) -> None:
    _stage(bench)

    unstage(bench.work(StepName.STAGE))
    unstage(bench.work(StepName.STAGE))

    assert not bench.folders.incoming.exists()


def test_an_order_without_a_package_is_refused(bench: Bench) -> None:
    assert _refusal(bench, package=None).refusal is Refusal.BAD_ORDER


def test_another_version_than_the_ordered_one_is_refused(bench: Bench) -> None:
    assert "it is 1.1, not 2.0" in str(_refusal(bench, version="2.0"))


def test_a_package_of_another_app_is_refused(bench: Bench) -> None:
    bench.packages.the_manifest = manifest_of(bench.release, app="another")

    assert _refusal(bench).refusal is Refusal.PACKAGE_MISMATCH


def test_a_package_for_another_system_is_refused(bench: Bench) -> None:
    bench.packages.the_manifest = replace(bench.packages.the_manifest, system="windows")

    assert "it is for windows, this host is linux" in str(_refusal(bench))


def test_a_manifest_with_a_path_that_leaves_the_folder_is_refused_unfetched(
    bench: Bench,
) -> None:
    bench.packages.the_manifest = manifest_of({"../evil": b""})

    assert _refusal(bench).refusal is Refusal.PACKAGE_MISMATCH
    assert bench.packages.fetched == 0


def test_a_content_that_is_not_the_manifests_is_refused_and_wiped(bench: Bench) -> None:
    bench.packages.the_manifest = manifest_of(bench.release | {"lib/code.bin": b"1.2" * 50})

    assert _refusal(bench).refusal is Refusal.PACKAGE_MISMATCH
    assert not bench.folders.incoming.exists()


class _FullDisk(FastLinux):
    def free_bytes(self, folder: Path) -> int:
        return 1000


def test_too_little_room_is_refused_before_anything_is_fetched(bench: Bench) -> None:
    bench.platform = _FullDisk()

    refused = _refusal(bench)

    assert refused.refusal is Refusal.DISK_FULL
    assert "it needs" in str(refused)
    assert bench.packages.fetched == 0
