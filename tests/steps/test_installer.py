"""A release that the vendor's own installer puts in place, and the way back from the backup."""

import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agent.platforms.base import Ended, Going
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up, prove_as_it_was
from agent.steps.backup_list import TREE
from agent.steps.fetch import fetch
from agent.steps.stage import stage, unstage
from agent.steps.table import Failed, Handler, Refused
from agent.wire.contract import Refusal, Severity, StepName
from agent.wire.profile import Apply, ApplyKind, Data, DataScope, ExitMeaning
from tests.steps.bench import ROLLOUT, Bench, FastLinux, SmallWork, release, script, snapshot
from tests.steps.power import effects_of, was_cut
from tests.until import until

_STEP = StepName.APPLY_RELEASE
_INSTALL = """
import pathlib, shutil, sys
here = pathlib.Path(__file__).parent.parent
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
shutil.rmtree(target / "lib")
(target / "data/old.db").write_bytes(b"migrated")
shutil.copytree(here / "payload", target, dirs_exist_ok=True)
"""
_HANG = """
import os, pathlib, signal, sys, time
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
(target / "version.txt").write_text("half")
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        break
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pids = target.parent / "pids"
with pids.open("a") as file:
    file.write(f"{os.getpid()}\\n")
signal.pause()
"""
_CODES = (
    (0, ExitMeaning.DONE),
    (10, ExitMeaning.NEEDS_REBOOT),
    (18, ExitMeaning.RETRY_LATER),
    (2, ExitMeaning.CANCELLED),
)


def installing(root: Path, code: str = _INSTALL, **apply: object) -> Bench:
    """A bench whose package has an installer."""
    bench = Bench(root)
    kind = Apply(
        ApplyKind.INSTALLER,
        program="bin/install",
        arguments=("--quiet", "--target", "{folder}", "--port={port}"),
        exit_codes=_CODES,
        limit_seconds=60.0,
    )
    bench.profile = replace(bench.profile, apply=replace(kind, **apply))  # type: ignore[arg-type]
    _ship(bench, code)
    return bench


def _ship(bench: Bench, code: str, **more: bytes) -> None:
    payload = {f"payload/{path}": content for path, content in release("1.1").items()}
    bench.ship({"bin/install": script(code)} | payload | more)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return installing(tmp_path)


def test_an_installer_fetched_ahead_is_taken_over_and_run(bench: Bench) -> None:
    fetch(bench.work(StepName.FETCH))
    _applied(bench)

    assert bench.packages.fetched == 1
    assert (bench.app / "version.txt").read_bytes() == release("1.1")["version.txt"]


def _ready(bench: Bench) -> Bench:
    stage(bench.work(StepName.STAGE))
    back_up(bench.work(StepName.BACK_UP))
    return bench


def _applied(bench: Bench) -> SmallWork:
    _ready(bench)
    work = bench.work(_STEP)
    apply_release(work)
    return work


def _ending(code: int, *, changing: bool) -> str:
    change = "(pathlib.Path(sys.argv[3]) / 'version.txt').write_text('half')" if changing else ""
    return f"import pathlib, sys\n{change}\nprint('the installer says no')\nsys.exit({code})\n"


def test_the_installer_of_the_package_is_run_and_the_new_version_confirmed(bench: Bench) -> None:
    work = _applied(bench)

    assert work.facts["app_version"] == "1.1"
    assert work.facts["installer"] == "exit code 0: done"
    assert (bench.app / "lib/code.bin").read_bytes() == release("1.1")["lib/code.bin"]
    assert "needs_reboot" not in work.facts


def test_it_is_run_with_the_profiles_arguments_where_it_was_unpacked(bench: Bench) -> None:
    code = """
import os, pathlib, shutil, sys
shutil.copytree("payload", sys.argv[3], dirs_exist_ok=True)
told = [*sys.argv[1:], os.getcwd(), *sorted(os.environ)]
(pathlib.Path(sys.argv[3]).parent / "told").write_text("|".join(told))
"""
    _ship(bench, code)
    os.environ["ROUNDSMAN_TEST_SECRET"] = "secret"
    try:
        _applied(bench)
    finally:
        del os.environ["ROUNDSMAN_TEST_SECRET"]

    told = (bench.app.parent / "told").read_text().split("|")
    assert told[:4] == ["--quiet", "--target", str(bench.app), f"--port={bench.values['port']}"]
    assert told[4] == str(bench.folders.incoming)
    assert not [name for name in told if "ROUNDSMAN" in name]


def test_done_and_needing_a_restart_is_done_and_says_so(bench: Bench) -> None:
    _ship(bench, _INSTALL + "sys.exit(10)\n")

    work = _applied(bench)

    assert work.facts["needs_reboot"] == "yes"
    assert [(f.code, f.severity, f.fix) for f in work.findings] == [
        ("needs-reboot", Severity.WARNING, "restart this workstation")
    ]


def test_doing_it_twice_installs_it_once(bench: Bench) -> None:
    _ship(bench, _INSTALL + "(target.parent / 'runs').open('a').write('run ')\n")
    _applied(bench)

    apply_release(bench.work(_STEP))

    assert (bench.app.parent / "runs").read_text() == "run "


def test_undo_is_the_old_release_byte_for_byte_rebuilt_from_the_backup(bench: Bench) -> None:
    (bench.app / "prefs/link").symlink_to("user.ini")
    before = snapshot(bench.app)
    _applied(bench)

    work = bench.work(_STEP)
    put_old_back(work)
    put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == before
    assert work.facts["app_version"] == "1.0"
    assert snapshot(bench.folders.backup / TREE) == before  # the way back is still there
    prove_as_it_was(bench.work(StepName.BACK_UP))


def test_after_an_undo_it_can_be_done_and_undone_again(bench: Bench) -> None:
    before = snapshot(bench.app)
    for _ in range(2):
        _applied(bench)
        put_old_back(bench.work(_STEP))
        assert snapshot(bench.app) == before


def test_undo_of_what_was_never_done_leaves_the_app_alone(bench: Bench) -> None:
    _ready(bench)
    (bench.app / "prefs/user.ini").write_bytes(b"changed by its user since")
    before = snapshot(bench.app)

    put_old_back(bench.work(_STEP))
    recover(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_tidy_leaves_the_new_release_and_nothing_beside_it(bench: Bench) -> None:
    _applied(bench)
    put_old_back(bench.work(_STEP))
    _applied(bench)
    after = snapshot(bench.app)

    for _ in range(2):
        delete_old(bench.work(_STEP))
        unstage(bench.work(StepName.STAGE))

    assert snapshot(bench.app) == after
    assert not list(bench.app.parent.glob("app_*"))
    assert not list(bench.folders.incoming.parent.iterdir())
    recover(bench.work(_STEP))
    assert snapshot(bench.app) == after


def test_data_that_the_new_release_changed_are_kept_beside_on_undo(bench: Bench) -> None:
    bench.profile = replace(bench.profile, data=Data(folders=("data",)))
    _applied(bench)

    work = bench.work(_STEP)
    put_old_back(work)

    assert (bench.app / "data/old.db").read_bytes() == b"not kept"
    assert (bench.app / f"data.{ROLLOUT}/old.db").read_bytes() == b"migrated"
    assert work.facts["kept_newer_data"] == f"data.{ROLLOUT}"


def test_shared_data_in_the_apps_folder_stay_as_they_are_on_undo(bench: Bench) -> None:
    bench.profile = replace(bench.profile, data=Data(DataScope.SHARED, ("data",), "server"))
    before = snapshot(bench.app)
    _applied(bench)
    inode = (bench.app / "data").stat().st_ino

    put_old_back(bench.work(_STEP))

    assert (bench.app / "data").stat().st_ino == inode
    assert (bench.app / "data/old.db").read_bytes() == b"migrated"  # another step restores it
    after = snapshot(bench.app)
    assert {n: v for n, v in after.items() if not n.startswith("data/")} == {
        n: v for n, v in before.items() if not n.startswith("data/")
    }


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (18, r"another installation runs on this host: retry later \(exit code 18\)"),
        (2, r"it was cancelled: retry \(exit code 2\): it says \"the installer says no\""),
    ],
)
def test_an_installer_that_did_nothing_is_a_refusal(bench: Bench, code: int, why: str) -> None:
    _ship(bench, _ending(code, changing=False))
    before = snapshot(bench.app)

    with pytest.raises(Refused, match=why) as refused:
        _applied(bench)

    assert refused.value.refusal is Refusal.RETRY_LATER
    assert snapshot(bench.app) == before
    recover(bench.work(_STEP))
    assert snapshot(bench.app) == before


@pytest.mark.parametrize("code", [18, 2, 1, 77])
def test_an_installer_that_gave_up_in_the_middle_has_failed_and_is_undone(
    bench: Bench, code: int
) -> None:
    _ship(bench, _ending(code, changing=True))
    before = snapshot(bench.app)

    with pytest.raises(Failed, match=f"exit code {code}"):
        _applied(bench)

    assert snapshot(bench.app) != before
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_while_another_installation_runs_it_waits_and_tries_again(bench: Bench) -> None:
    busy = """
count = pathlib.Path(sys.argv[3]).parent / "tries"
count.write_text(str(int(count.read_text() if count.exists() else 0) + 1))
if count.read_text() != "3":
    sys.exit(18)
"""
    _ship(bench, "import pathlib, sys\n" + busy + _INSTALL)

    work = _applied(bench)

    assert (bench.app.parent / "tries").read_text() == "3"
    assert work.facts["app_version"] == "1.1"


def test_an_installer_that_says_done_and_is_not_is_found_out(bench: Bench) -> None:
    _ship(bench, "")

    with pytest.raises(Failed, match=r"version.txt\" says 1.0, not 1.1"):
        _applied(bench)


def test_an_installer_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    bench = installing(tmp_path, _HANG, limit_seconds=1.5)
    before = snapshot(bench.app)

    with pytest.raises(Failed, match=r"cannot wait for install any longer: 1.5 s have passed"):
        _applied(bench)

    pids = [int(pid) for pid in (bench.app.parent / "pids").read_text().split()]
    assert len(pids) == 3
    assert not any(psutil.pid_exists(pid) for pid in pids)
    put_old_back(bench.work(_STEP))
    assert snapshot(bench.app) == before


def test_an_agent_that_is_killed_takes_the_installer_with_it_and_brings_the_old_one_back(
    tmp_path: Path,
) -> None:
    bench = _ready(installing(tmp_path, _HANG))
    before = snapshot(bench.app)
    agent = multiprocessing.get_context("fork").Process(
        target=lambda: apply_release(bench.work(_STEP))
    )
    agent.start()
    told = bench.app.parent / "pids"
    until(lambda: told.exists() and len(told.read_text().split()) == 3, what="it runs")
    pids = [int(pid) for pid in told.read_text().split()]

    agent.kill()
    agent.join()

    until(lambda: not any(map(psutil.pid_exists, pids)), what="the installer's tree is gone")
    assert snapshot(bench.app) != before
    recover(bench.work(_STEP))
    assert snapshot(bench.app) == before


@pytest.mark.parametrize("name", ["bin/install", "payload/lib/code.bin"])
def test_a_package_that_was_changed_since_it_was_staged_is_not_run(
    bench: Bench, name: str
) -> None:
    _ready(bench)
    bench.packages.content.unlink()
    (bench.folders.incoming / name).write_bytes(script("raise SystemExit(0)"))
    before = snapshot(bench.app)

    with pytest.raises(Refused):
        apply_release(bench.work(_STEP))

    assert snapshot(bench.app) == before


class _Planting(FastLinux):
    """Somebody changes the package while the first try waits for another installation."""

    def __init__(self, program: Path) -> None:
        super().__init__()
        self._program = program
        self.runs = 0

    def run(self, argv: Sequence[str], cwd: Path, seconds: float, going: Going) -> Ended:
        self.runs += 1
        self._program.write_bytes(b"#!/bin/sh\n")
        return Ended(18, "")


def test_a_package_that_is_changed_between_two_tries_is_not_run(bench: Bench) -> None:
    _ready(bench)
    platform = bench.platform = _Planting(bench.folders.incoming / "bin/install")

    with pytest.raises(Failed, match="its content is not what was signed"):
        apply_release(bench.work(_STEP))

    assert platform.runs == 1


def test_a_package_without_the_installer_is_refused_before_it_is_fetched(bench: Bench) -> None:
    bench.ship({"bin/other": script("")})

    with pytest.raises(Refused, match='there is no "bin/install" in it') as refused:
        stage(bench.work(StepName.STAGE))

    assert refused.value.refusal is Refusal.PACKAGE_MISMATCH
    assert bench.packages.fetched == 0


def test_without_a_whole_backup_nothing_is_run(bench: Bench) -> None:
    stage(bench.work(StepName.STAGE))  # the first pass of the backup only
    before = snapshot(bench.app)

    with pytest.raises(Refused) as refused:
        apply_release(bench.work(_STEP))

    assert refused.value.refusal is Refusal.NO_BACKUP
    assert snapshot(bench.app) == before


def test_a_value_that_the_host_does_not_give_changes_nothing(bench: Bench) -> None:
    _ready(bench)
    del bench.values["port"]
    before = snapshot(bench.app)

    with pytest.raises(Failed, match="gives no value for port"):
        apply_release(bench.work(_STEP))

    assert snapshot(bench.app) == before


def test_a_damaged_backup_is_told_and_the_folder_left_as_it_is(bench: Bench) -> None:
    _applied(bench)
    after = snapshot(bench.app)
    (bench.folders.backup / TREE / "prefs/user.ini").write_bytes(b"mime")

    with pytest.raises(Failed, match="cannot bring the old release back: cannot use"):
        put_old_back(bench.work(_STEP))

    assert snapshot(bench.app) == after


class _World:
    """A bench that can be put back to how it was as often as wanted."""

    def __init__(self, root: Path, prepare: Callable[[Bench], object]) -> None:
        self.bench = installing(root / "world")
        self.old = snapshot(self.bench.app)
        prepare(self.bench)
        self._saved = root / "saved"
        shutil.copytree(self.bench.root, self._saved, symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.bench.root)
        shutil.copytree(self._saved, self.bench.root, symlinks=True)

    def run(self, handler: Handler) -> Callable[[], None]:
        return lambda: handler(self.bench.work(_STEP))

    def version(self) -> str:
        return (self.bench.app / "version.txt").read_text().split()[0]


def test_an_installation_leaves_a_runnable_app_wherever_the_power_is_cut(tmp_path: Path) -> None:
    world = _World(tmp_path, _ready)
    effects = effects_of(world.run(apply_release))
    assert effects >= 4

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(apply_release), cut_at)
        recover(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old or world.version() == "app=1.1"
        put_old_back(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old


@pytest.mark.parametrize("first", [put_old_back, recover])
def test_the_way_back_from_the_backup_is_whole_wherever_the_power_is_cut(
    tmp_path: Path, first: Handler
) -> None:
    world = _World(tmp_path, _applied)
    effects = effects_of(world.run(put_old_back))
    assert effects > 50

    for cut_at in range(1, effects + 1):
        world.restore()
        assert was_cut(world.run(put_old_back), cut_at)
        first(world.bench.work(_STEP))
        if first is recover:  # not begun: the new one, whole; else the old one
            assert snapshot(world.bench.app) == world.old or world.version() == "app=1.1"
            put_old_back(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old


def test_a_recovery_from_the_backup_may_be_cut_short_too(tmp_path: Path) -> None:
    def half(bench: Bench) -> None:
        _ready(bench)
        _ship(bench, _ending(1, changing=True))
        stage(bench.work(StepName.STAGE))
        with pytest.raises(Failed):
            apply_release(bench.work(_STEP))

    world = _World(tmp_path, half)
    effects = effects_of(world.run(recover))
    assert effects > 50

    for cut_at in range(1, effects + 1, 3):
        world.restore()
        assert was_cut(world.run(recover), cut_at)
        recover(world.bench.work(_STEP))
        assert snapshot(world.bench.app) == world.old
