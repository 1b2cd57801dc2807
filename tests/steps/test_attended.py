"""An update that the person at the workstation does from inside the app."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.platforms.base import Process, Session
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up
from agent.steps.stage import stage, unstage
from agent.steps.table import Cancelled, Failed, Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.notices import NoticeKind
from agent.wire.profile import Apply, ApplyKind
from tests.steps.bench import (
    AtPause,
    Bench,
    FastLinux,
    SmallPeople,
    SmallWork,
    release,
    script,
    snapshot,
)

_STEP = StepName.APPLY_RELEASE
_UPDATES = """
import pathlib, sys
app = pathlib.Path(sys.argv[0]).parent.parent
(app / "told").write_text("|".join(sys.argv[1:]))
(app / "version.txt").write_text("app=1.1\\nservice_manager=1.1\\n")
"""
_UPDATES_AND_STAYS = _UPDATES + "import signal\nsignal.pause()\n"
_SPOILS_AND_STAYS = """
import pathlib, signal, sys
app = pathlib.Path(sys.argv[0]).parent.parent
(app / "version.txt").write_text("app=half")
signal.pause()
"""
_IGNORES = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


class _Desktop(FastLinux):
    """A host at which somebody is logged in."""

    people: tuple[Session, ...] = (Session("1", "paul", False), Session("2", "root", True))

    def __init__(self) -> None:
        super().__init__()
        self.opened_for: list[str] = []

    def sessions(self) -> Sequence[Session]:
        return self.people

    def start_program(
        self, argv: Sequence[str], cwd: Path, user: str, session: str = ""
    ) -> Process:
        self.opened_for.append(user)
        return super().start_program(argv, cwd, user, session)


def _attended(root: Path, code: str = _UPDATES, limit: float = 60.0) -> Bench:
    bench = Bench(root)
    (bench.app / "bin/app").write_bytes(script(code))
    kind = Apply(ApplyKind.ATTENDED, open=("bin/app", "--port={port}"), limit_seconds=limit)
    bench.profile = replace(bench.profile, apply=kind)
    bench.platform = _Desktop()
    bench.ship({"readme.txt": b"1.1"})
    return bench


def _ready(bench: Bench) -> Bench:
    stage(bench.work(StepName.STAGE))
    back_up(bench.work(StepName.BACK_UP))
    return bench


def _applied(bench: Bench) -> SmallWork:
    work = _ready(bench).work(_STEP, asked_by="the office")
    apply_release(work)
    return work


def test_the_app_is_opened_for_the_person_who_is_active_and_waited_for(tmp_path: Path) -> None:
    bench = _attended(tmp_path)

    work = _applied(bench)

    platform = bench.platform
    assert isinstance(platform, _Desktop)
    assert platform.opened_for == ["root"]
    assert (bench.app / "told").read_text() == f"--port={bench.values['port']}"
    assert work.facts["opened_for"] == "root"
    assert work.facts["app_version"] == "1.1"
    people = bench.people
    assert isinstance(people, SmallPeople)
    first, last = people.notices[0], people.notices[-1]
    assert (first.kind, first.asked_by) == (NoticeKind.YOUR_TURN, "the office")
    assert (last.kind, last.version) == (NoticeKind.CLOSE_UPDATED, "1.1")
    assert people.hushed == 1


def test_nothing_of_the_package_is_fetched(tmp_path: Path) -> None:
    bench = _attended(tmp_path)

    _applied(bench)

    assert bench.packages.fetched == 0
    assert not bench.folders.incoming.exists()


def test_it_has_not_ended_while_the_app_is_still_open(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _UPDATES_AND_STAYS))
    work = bench.work(_STEP)
    seen: list[int] = []

    def close_it() -> None:
        seen.extend(bench.running())
        for pid in seen:
            os.kill(pid, 15)

    AtPause(work, 8, close_it)

    apply_release(work)

    assert len(seen) == 1
    assert work.facts["app_version"] == "1.1"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            _SPOILS_AND_STAYS,
            "cannot wait for the update of Bench App any longer: 30 s have passed",
        ),
        (_UPDATES_AND_STAYS, "cannot wait for Bench App to be closed: 30 s have passed, open for"),
        (_IGNORES + _UPDATES_AND_STAYS, "cannot wait for Bench App to be closed"),
    ],
)
def test_once_the_time_is_up_the_app_is_closed_and_the_old_release_can_come_back(
    tmp_path: Path, code: str, why: str
) -> None:
    bench = _attended(tmp_path, code, limit=30.0)
    before = snapshot(bench.app)

    with pytest.raises(Failed, match=why):
        _applied(bench)

    assert not bench.running()
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_an_operator_may_end_it_and_the_app_is_closed(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path, _SPOILS_AND_STAYS))
    before = snapshot(bench.app)
    work = bench.work(_STEP)

    def end() -> None:
        raise Cancelled("ended because it was asked to")

    AtPause(work, 3, end)
    with pytest.raises(Cancelled):
        apply_release(work)

    assert not bench.running()
    recover(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_where_nobody_is_logged_in_it_is_refused_and_nothing_begun(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path))
    _Desktop.people, people = (), _Desktop.people
    try:
        with pytest.raises(Refused, match="nobody is logged in") as refused:
            apply_release(bench.work(_STEP))
    finally:
        _Desktop.people = people

    assert refused.value.refusal is Refusal.RETRY_LATER
    apply_release(bench.work(_STEP))


def test_an_app_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    bench = _ready(_attended(tmp_path))
    before = snapshot(bench.app)
    apply = replace(bench.profile.apply, open=("bin/not-there",))
    bench.profile = replace(bench.profile, apply=apply)

    with pytest.raises(Failed, match="cannot open Bench App for root"):
        apply_release(bench.work(_STEP))

    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_without_a_whole_backup_the_app_is_not_opened(tmp_path: Path) -> None:
    bench = _attended(tmp_path)
    stage(bench.work(StepName.STAGE))

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.NO_BACKUP


def test_undo_is_the_old_release_and_tidy_leaves_the_new_one(tmp_path: Path) -> None:
    bench = _attended(tmp_path)
    before = snapshot(bench.app)
    _applied(bench)
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before

    _applied(bench)
    apply_release(bench.work(_STEP))  # nothing is opened again
    after = snapshot(bench.app)
    delete_old(bench.work(_STEP))
    unstage(bench.work(StepName.STAGE))

    assert snapshot(bench.app) == after
    assert (bench.app / "version.txt").read_bytes() == release("1.1")["version.txt"]
    assert isinstance(bench.platform, _Desktop)
    assert len(bench.platform.opened_for) == 2
