import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.platforms.linux import Linux
from agent.steps.autosave import Autosaves, Most, forget_autosaves
from agent.steps.drain import drain
from agent.steps.table import Cancelled
from agent.wire.contract import StepName
from agent.wire.profile import Close, Windowless
from tests.steps.bench import ROLLOUT, AtPause, Bench, FastLinux, SmallWork, snapshot, write_tree

_PATTERNS = ("Office/autosave/**", ".local/**/*.tmp", "Desktop/~*", "Documents/drafts")
_HOME = {
    "Office/autosave/letter.odt": b"dear",
    "Office/autosave/deep/er/bill.odt": b"42",
    "Office/letter.odt": b"saved",
    ".local/share/office/x.tmp": b"x",
    ".local/y.tmp": b"y",
    ".local/share/office/x.log": b"log",
    "Desktop/~lock": b"l",
    "Desktop/photo.jpg": b"p",
    "Documents/drafts/new/one.txt": b"one",
    "Documents/else.txt": b"else",
}
_MEANT = {
    "Office/autosave/letter.odt",
    "Office/autosave/deep/er/bill.odt",
    ".local/share/office/x.tmp",
    ".local/y.tmp",
    "Desktop/~lock",
    "Documents/drafts/new/one.txt",
}


class Homes(FastLinux):
    """The real thing, with a home of the test's own."""

    def __init__(self, home: Path | None) -> None:
        super().__init__()
        self._home = home

    def home(self, user: str) -> Path | None:
        return self._home


@pytest.fixture
def home(bench: Bench, tmp_path: Path) -> Path:
    made = tmp_path / "home" / "marie"
    write_tree(made, _HOME)
    bench.platform = Homes(made)
    close = Close(windowless=Windowless.END, autosave=_PATTERNS)
    bench.profile = replace(bench.profile, close=close)
    return made


def _kept(bench: Bench, user: str = "marie", number: int = 1) -> dict[str, bytes]:
    place = bench.folders.autosaves / user / str(number)
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def _keep(bench: Bench, most: Most | None = None, user: str = "marie") -> SmallWork:
    work = bench.work(StepName.DRAIN)
    Autosaves(work, most).keep(user)
    return work


def test_what_the_patterns_mean_is_copied_and_nothing_else(bench: Bench, home: Path) -> None:
    before = snapshot(home)

    work = _keep(bench)

    assert _kept(bench) == {path: _HOME[path] for path in _MEANT}
    assert work.facts["autosaved"] == f"6 of marie in {bench.folders.autosaves / 'marie/1'}"
    assert work.found == set()
    assert snapshot(home) == before


def test_copies_are_for_root_alone_and_keep_their_times(bench: Bench, home: Path) -> None:
    os.utime(home / "Desktop/~lock", ns=(1, 1_234_567_891_234_567_891))
    (home / "Desktop/~lock").chmod(0o4777)

    _keep(bench)

    folder = bench.folders.autosaves
    copy = folder / "marie/1/Desktop/~lock"
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (folder, folder / "marie", copy.parent)]
    assert modes == [0o700] * 3
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.stat().st_mtime_ns == 1_234_567_891_234_567_891


def test_they_are_copied_before_the_app_is_ended_by_force(bench: Bench, home: Path) -> None:
    child = bench.open_app()
    work = bench.work(StepName.DRAIN)

    drain(work)

    assert child.wait() == -15
    user = next(p.user for p in bench.platform.processes() if p.pid == os.getpid())
    assert _kept(bench, user).keys() == _MEANT
    assert work.facts["autosaved"].startswith(f"6 of {user}")


def test_each_end_by_force_has_a_copy_that_is_fresh_and_spoils_none_from_before(
    bench: Bench, home: Path
) -> None:
    work = bench.work(StepName.DRAIN)
    autosaves = Autosaves(work)
    autosaves.keep("marie")
    (home / "Desktop/~lock").write_bytes(b"newer")
    autosaves.keep("marie")  # the next program of theirs, at the same moment
    assert [p.name for p in (bench.folders.autosaves / "marie").iterdir()] == ["1"]

    work.pause(15)
    autosaves.keep("marie")
    (home / "Desktop/~lock").unlink()  # thrown away by the app as it ended
    _keep(bench)  # the step is taken again

    assert _kept(bench)["Desktop/~lock"] == b"l"
    assert _kept(bench, number=2)["Desktop/~lock"] == b"newer"
    assert _kept(bench, number=3).keys() == _MEANT - {"Desktop/~lock"}
    assert "/marie/2" in work.facts["autosaved"]


def test_all_copies_of_one_run_together_are_bounded(bench: Bench, home: Path) -> None:
    work = bench.work(StepName.DRAIN)
    size = sum(len(_HOME[path]) for path in _MEANT)
    autosaves = Autosaves(work, Most(bytes=size + 3))
    for _ in range(3):
        autosaves.keep("marie")
        work.pause(15)

    kept = [p for p in (bench.folders.autosaves / "marie").rglob("*") if p.is_file()]
    assert _kept(bench).keys() == _MEANT
    assert sum(p.stat().st_size for p in kept) <= size + 3
    assert "is too large" in work.findings[-1].message


def test_a_copy_that_was_cut_off_is_not_taken_for_one(bench: Bench, home: Path) -> None:
    work = bench.work(StepName.DRAIN)

    def end() -> None:
        raise Cancelled("ended because it was asked to")

    AtPause(work, 3, end)
    with pytest.raises(Cancelled):
        Autosaves(work).keep("marie")
    assert [p.name for p in (bench.folders.autosaves / "marie").iterdir()] == ["draft"]

    _keep(bench)

    assert _kept(bench).keys() == _MEANT
    assert [p.name for p in (bench.folders.autosaves / "marie").iterdir()] == ["1"]


def test_where_the_step_has_ended_already_a_copy_still_has_its_own_time(
    bench: Bench, home: Path
) -> None:
    work = bench.work(StepName.DRAIN)

    def end() -> None:
        raise Cancelled("ended because it was asked to")

    AtPause(work, 1, end)
    Autosaves(work, seconds=20.0).keep("marie")
    Autosaves(work, seconds=0.0).keep("paul")

    assert _kept(bench).keys() == _MEANT
    assert "not all of it within 0 s" in work.findings[0].message


@pytest.mark.parametrize(
    ("most", "files"), [(Most(files=2), 2), (Most(bytes=7), 4), (Most(looks=1), 0)]
)
def test_no_more_is_copied_than_is_bearable_and_the_rest_is_named(
    bench: Bench, home: Path, most: Most, files: int
) -> None:
    work = _keep(bench, most)

    assert len(_kept(bench)) <= files
    assert work.found == {"autosave-not-copied"}


def test_a_file_without_end_is_named_and_not_copied(bench: Bench, home: Path) -> None:
    with (home / "Desktop/~huge").open("wb") as huge:
        huge.truncate(2**40)  # takes no room on the disk

    work = _keep(bench)

    assert _kept(bench).keys() == _MEANT
    assert '"Desktop/~huge" is too large' in work.findings[0].message


def test_an_app_without_patterns_has_nothing_copied(bench: Bench, tmp_path: Path) -> None:
    bench.platform = Homes(tmp_path)

    assert _keep(bench).facts == {}
    assert not bench.folders.autosaves.exists()


@pytest.mark.parametrize("where", [None, Path("/"), Path("/nonexistent/marie")])
def test_a_user_without_a_home_holds_nothing_up(
    bench: Bench, home: Path, where: Path | None
) -> None:
    bench.platform = Homes(where)

    assert _keep(bench).facts == {}


@pytest.mark.parametrize(
    ("user", "folder"),
    [("OFFICE\\marie", "OFFICE_marie"), ("../../etc", "_.._etc"), ("..", "_"), ("", "_")],
)
def test_the_name_of_a_user_leads_nowhere_else(
    bench: Bench, home: Path, user: str, folder: str
) -> None:
    _keep(bench, user=user)

    assert [path.name for path in bench.folders.autosaves.iterdir()] == [folder]


def test_copies_of_rollouts_long_past_are_deleted(bench: Bench, home: Path) -> None:
    _keep(bench)
    state = bench.folders.autosaves.parent.parent
    for name in ("01JC0000000000000000000000", "notes"):
        write_tree(state / "autosaves" / name / "marie", {"letter": b"old"})

    forget_autosaves(state, ROLLOUT, Linux())

    assert {p.name for p in (state / "autosaves").iterdir()} == {ROLLOUT, "notes"}
    forget_autosaves(state / "nowhere", ROLLOUT, Linux())
    assert bench.platform.look_at(Spot(bench.folders.autosaves)) is not None
