"""What the survey tries for real in the app's folder and beside it, and that nothing is left."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.steps.survey import survey
from agent.steps.trials import sweep
from agent.wire.contract import Finding, Severity, StepName
from tests.steps.bench import Bench, FastLinux, snapshot


class PowerCut(BaseException):
    """Not an Exception: nothing may catch it."""


@pytest.fixture
def reachable() -> Iterator[Bench]:
    """A bench whose app folder other users may enter."""
    root = Path(tempfile.mkdtemp(prefix="roundsman-trials-", dir="/tmp"))
    root.chmod(0o755)
    bench = Bench(root)
    yield bench
    bench.close()
    shutil.rmtree(root)


def _found(bench: Bench) -> dict[str, Finding]:
    work = bench.work(StepName.SURVEY)
    survey(work)
    return {finding.code: finding for finding in work.findings}


def _mounted(folder: Path, *options: str) -> None:
    mount = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")


@pytest.mark.parametrize("entered", [True, False])
def test_a_host_that_is_well_has_no_finding(bench: Bench, reachable: Bench, entered: bool) -> None:
    here = reachable if entered else bench
    before = snapshot(here.root)

    assert _found(here) == {}
    assert snapshot(here.root) == before


def test_a_disk_from_which_nothing_may_be_run_blocks(reachable: Bench) -> None:
    office = reachable.app.parent
    shutil.move(reachable.app, reachable.root / "aside")
    _mounted(office, "-o", "noexec,mode=755")
    try:
        shutil.copytree(reachable.root / "aside", reachable.app)
        found = _found(reachable)
    finally:
        subprocess.run(["umount", office], check=True)

    assert found["execute-refused"].severity is Severity.BLOCKS
    assert f'cannot run a program from "{reachable.app}"' in found["execute-refused"].message
    assert "Permission denied" in found["execute-refused"].message


def test_what_is_mounted_in_the_apps_folder_blocks(bench: Bench) -> None:
    share = bench.app / "data"
    _mounted(share)
    try:
        found = _found(bench)
    finally:
        subprocess.run(["umount", share], check=True)

    assert found["folder-cannot-move"].severity is Severity.BLOCKS
    assert f'"{share}" is mounted in it' in found["folder-cannot-move"].message


def test_a_disk_that_takes_nothing_blocks_and_says_where(bench: Bench) -> None:
    files = {"version.txt": (bench.app / "version.txt").read_bytes()}
    shutil.rmtree(bench.app)
    bench.app.mkdir()
    _mounted(bench.app)
    try:
        for name, content in files.items():
            (bench.app / name).write_bytes(content)
        subprocess.run(["mount", "-o", "remount,ro", bench.app], check=True)
        found = _found(bench)
    finally:
        subprocess.run(["umount", bench.app], check=True)

    assert f'in "{bench.app}": Read-only file system' in found["rename-refused"].message


def test_who_holds_a_file_of_the_app_is_named_with_user_and_file(bench: Bench) -> None:
    held = bench.app / "prefs/user.ini"
    code = "import sys; f = open(sys.argv[1], 'a'); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = _found(bench)
        child.communicate()

    assert found["file-held"].severity is Severity.WARNING
    assert f'(pid {child.pid}) holds "{held}"' in found["file-held"].message


def test_the_apps_own_programs_are_no_strangers(bench: Bench) -> None:
    bench.open_app()

    assert "file-held" not in _found(bench)


class _Cut(FastLinux):
    """Loses power at the nth change to the disk, before it or after it."""

    def __init__(self, cut_at: int, after: bool) -> None:
        super().__init__()
        self.left, self.after = cut_at, after

    def _spend(self) -> bool:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise PowerCut
        return self.left == 0

    def make_folder(self, spot: Spot) -> None:
        last = self._spend()
        super().make_folder(spot)
        if last:
            raise PowerCut

    def rename(self, source: Spot, target: Spot) -> None:
        last = self._spend()
        super().rename(source, target)
        if last:
            raise PowerCut

    def remove(self, spot: Spot) -> None:
        if self.left <= 0:
            raise PowerCut  # it stays off: nothing is swept up any more
        last = self._spend()
        super().remove(spot)
        if last:
            raise PowerCut


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("cut_at", list(range(1, 12)))
def test_wherever_a_survey_is_cut_short_the_next_leaves_nothing(
    bench: Bench, cut_at: int, after: bool
) -> None:
    before = snapshot(bench.root)
    bench.platform = _Cut(cut_at, after)
    with pytest.raises(PowerCut):
        survey(bench.work(StepName.SURVEY))

    bench.platform = FastLinux()
    assert _found(bench) == {}

    assert snapshot(bench.root) == before


def test_only_what_a_survey_makes_is_swept(bench: Bench) -> None:
    for path in (".roundsman-test-a/one", ".roundsman-test-a/mine", ".roundsman-test-b/one"):
        (bench.app / path).parent.mkdir(exist_ok=True)
        (bench.app / path).write_text("")
    (bench.app / ".roundsman-test-b/one").unlink()
    (bench.app / ".roundsman-test-b/one").mkdir()

    sweep(bench.work(StepName.SURVEY), bench.app)

    left = sorted(path.name for path in bench.app.glob(".roundsman-test-*/*"))
    assert left == ["mine", "one"]
    assert os.listdir(bench.app / ".roundsman-test-b") == ["one"]  # noqa: PTH208
