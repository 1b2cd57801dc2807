import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Spot
from agent.platforms.linux import Linux
from agent.steps.autosave import Autosaves, Most, forget_autosaves
from agent.steps.drain import drain
from agent.wire.contract import StepName
from agent.wire.profile import Close, Windowless
from tests.steps.bench import ROLLOUT, Bench, FastLinux, SmallWork, snapshot, write_tree

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


def _kept(bench: Bench, user: str = "marie") -> dict[str, bytes]:
    place = bench.folders.autosaves / user
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
    assert work.facts["autosaved"] == f"6 of marie in {bench.folders.autosaves / 'marie'}"
    assert work.found == set()
    assert snapshot(home) == before


def test_copies_are_for_root_alone_and_keep_their_times(bench: Bench, home: Path) -> None:
    os.utime(home / "Desktop/~lock", ns=(1, 1_234_567_891_234_567_891))
    (home / "Desktop/~lock").chmod(0o4777)

    _keep(bench)

    folder = bench.folders.autosaves
    copy = folder / "marie" / "Desktop/~lock"
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


def test_each_user_is_copied_once_and_again_when_the_step_is_taken_again(
    bench: Bench, home: Path
) -> None:
    autosaves = Autosaves(bench.work(StepName.DRAIN))
    autosaves.keep("marie")
    (home / "Desktop/~lock").write_bytes(b"newer")
    autosaves.keep("marie")
    assert _kept(bench)["Desktop/~lock"] == b"l"

    _keep(bench)

    assert _kept(bench)["Desktop/~lock"] == b"newer"


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
