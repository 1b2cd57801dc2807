"""A release fetched ahead of any rollout, and taken over by the rollout's own staging."""

from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.apply_release import apply_release
from agent.steps.fetch import fetch
from agent.steps.stage import stage
from agent.steps.table import Refused
from agent.wire.contract import Refusal, StepName, Target
from tests.steps.bench import Bench, FastLinux, SmallWork, manifest_of, snapshot

_NEWER = Target("bench", "1" * 64)


def _fetch(bench: Bench, **params: object) -> SmallWork:
    work = bench.work(StepName.FETCH, **params)
    fetch(work)
    return work


def _ready(bench: Bench) -> list[str]:
    folder = bench.folders.ready
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def _refusal(bench: Bench, **params: object) -> Refused:
    before = snapshot(bench.app)
    with pytest.raises(Refused) as refused:
        _fetch(bench, **params)
    assert snapshot(bench.app) == before
    assert _ready(bench) == []
    return refused.value


def test_a_release_is_made_ready_while_the_app_is_open_and_nothing_of_it_is_touched(
    bench: Bench,
) -> None:
    before = snapshot(bench.app)
    child = bench.open_app()

    work = _fetch(bench)

    assert _ready(bench) == [f"bench-app.{'0' * 64}"]
    assert work.facts["staged_version"] == "1.1"
    assert not bench.folders.incoming.exists()
    assert not bench.folders.backup.exists()
    assert snapshot(bench.app) == before
    assert child.poll() is None


def test_what_would_be_carried_over_is_read_and_measured(bench: Bench) -> None:
    work = _fetch(bench)

    kept = [bench.app / name for name in ("prefs/user.ini", "prefs/default.ini")]
    kept.append(bench.app / "certs" / "server.pem")
    assert work.facts["kept_files"] == str(len(kept))
    bytes_kept = sum(path.stat().st_size for path in kept)
    assert work.facts["kept_bytes"] == str(bytes_kept)
    assert work.told[-1:] != [(bytes_kept, bytes_kept)]


class _BadSector(FastLinux):
    def open_file(self, spot: Spot):  # type: ignore[no-untyped-def]
        if spot.path == "certs/server.pem":
            raise OSError(5, "Input/output error", str(spot))
        return super().open_file(spot)


def test_what_is_kept_and_cannot_be_read_is_told_before_anything_is_planned(bench: Bench) -> None:
    bench.platform = _BadSector()

    with pytest.raises(Refused, match=r"cannot carry over .*server\.pem.*Input/output error"):
        _fetch(bench)


def test_what_is_ready_and_whole_is_not_fetched_again(bench: Bench) -> None:
    _fetch(bench)
    _fetch(bench)

    assert bench.packages.fetched == 1


def test_a_rollout_takes_over_what_is_ready_and_fetches_nothing(bench: Bench) -> None:
    _fetch(bench)
    inode = (bench.folders.ready / f"bench-app.{'0' * 64}" / "version.txt").stat().st_ino

    stage(bench.work(StepName.STAGE))

    assert bench.packages.fetched == 1
    assert (bench.folders.incoming / "version.txt").stat().st_ino == inode
    assert _ready(bench) == []
    apply_release(bench.work(StepName.APPLY_RELEASE))
    assert (bench.app / "version.txt").read_bytes() == bench.release["version.txt"]


@pytest.mark.parametrize("harm", ["altered", "added", "lost", "linked"])
def test_what_was_ready_and_is_no_longer_whole_is_fetched_by_the_rollout(
    bench: Bench, harm: str
) -> None:
    _fetch(bench)
    folder = bench.folders.ready / f"bench-app.{'0' * 64}"
    code = folder / "lib" / "code.bin"
    if harm in {"lost", "linked"}:
        code.rename(folder.parent.parent / "aside")
    if harm == "linked":
        code.symlink_to(folder.parent.parent / "aside")
    if harm in {"altered", "added"}:
        (code if harm == "altered" else code.with_name("planted.dll")).write_bytes(b"planted")

    stage(bench.work(StepName.STAGE))

    assert bench.packages.fetched == 2
    assert (bench.folders.incoming / "lib" / "code.bin").read_bytes() == (
        bench.release["lib/code.bin"]
    )
    assert not (bench.folders.incoming / "lib" / "planted.dll").exists()


def test_another_release_than_the_ready_one_is_fetched_by_the_rollout(bench: Bench) -> None:
    _fetch(bench)

    stage(bench.work(StepName.STAGE, package=_NEWER))

    assert bench.packages.fetched == 2
    assert _ready(bench) == [f"bench-app.{'0' * 64}"]


def test_one_release_of_an_app_is_kept_ready_and_the_older_goes_once_the_newer_is_whole(
    bench: Bench,
) -> None:
    _fetch(bench)
    (bench.folders.ready / f"other-app.{'2' * 64}").mkdir()
    content = bench.packages.content
    content.rename(content.with_suffix(".away"))
    with pytest.raises(Refused):
        _fetch(bench, package=_NEWER)
    assert f"bench-app.{'0' * 64}" in _ready(bench)
    content.with_suffix(".away").rename(content)

    _fetch(bench, package=_NEWER)

    assert _ready(bench) == [f"bench-app.{'1' * 64}", f"other-app.{'2' * 64}"]


def test_room_is_counted_once_for_what_is_ready(bench: Bench) -> None:
    _fetch(bench)
    bench.platform = _ExactlyEnough()

    stage(bench.work(StepName.STAGE))

    assert bench.folders.incoming.is_dir()


class _ExactlyEnough(FastLinux):
    def free_bytes(self, folder: Path) -> int:
        return 6_000


class _FullDisk(FastLinux):
    def free_bytes(self, folder: Path) -> int:
        return 1000


def test_too_little_room_is_refused_before_anything_is_fetched(bench: Bench) -> None:
    bench.platform = _FullDisk()

    assert _refusal(bench).refusal is Refusal.DISK_FULL
    assert bench.packages.fetched == 0


@pytest.mark.parametrize(
    ("params", "refusal"),
    [({"package": None}, Refusal.BAD_ORDER), ({"version": "2.0"}, Refusal.PACKAGE_MISMATCH)],
)
def test_an_order_that_fits_no_package_is_refused(
    bench: Bench, params: dict[str, object], refusal: Refusal
) -> None:
    assert _refusal(bench, **params).refusal is refusal


def test_a_content_that_is_not_the_manifests_never_lies_in_ready(bench: Bench) -> None:
    bench.packages.the_manifest = manifest_of(bench.release | {"lib/code.bin": b"1.2" * 50})

    assert _refusal(bench).refusal is Refusal.PACKAGE_MISMATCH


def test_a_ready_folder_that_is_a_link_is_not_taken_over(bench: Bench) -> None:
    _fetch(bench)
    folder = bench.folders.ready / f"bench-app.{'0' * 64}"
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))

    stage(bench.work(StepName.STAGE))

    assert bench.packages.fetched == 2
    assert not bench.folders.incoming.is_symlink()
