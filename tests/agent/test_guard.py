"""The guard against real processes. Two users' sessions need root and a desktop: not here."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.journal import Journal
from agent.platforms.base import CloseRung, Process
from agent.platforms.linux import Linux
from agent.platforms.linux_proc import TICK
from agent.wire.contract import CordonMode, Sight
from tests.agent.fakes import FakePackages, FakePeople, config_of, profile_of
from tests.agent.test_cordon import LIFT, SEALED
from tests.until import until

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"


@pytest.fixture
def linux() -> Linux:
    return Linux()


def put_on(cordon: Cordon) -> Sight:
    """Seal, and wait a tick of the kernel: what starts in the same one counts as open before."""
    sight, then = cordon.apply(SEALED), time.monotonic()
    until(lambda: time.monotonic() > then + 2 / TICK)
    return sight


@pytest.fixture
def cordon(tmp_path: Path, linux: Linux) -> Iterator[Cordon]:
    config = config_of(tmp_path)
    (tmp_path / "app" / "bin").mkdir()
    shutil.copy("/bin/sleep", tmp_path / "app" / "bin" / "app")
    packages = FakePackages(profile_of())
    with closing(Journal.open(config.state / "journal.sqlite")) as journal:
        made = Cordon(journal, CordonTools(linux, config, packages.profile, FakePeople()))
        made.start()
        yield made
        made.close()


@pytest.fixture
def launch(tmp_path: Path, linux: Linux) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(*argv: str) -> Process:
        started.append(linux.start_program(argv, tmp_path, ""))
        return started[-1]

    yield start
    for process in started:
        linux.close(process, CloseRung.KILL)


def test_a_program_open_at_the_time_is_closed_before_the_sight_is_clear(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    process = launch(str(tmp_path / "app" / "bin" / "app"), "60")
    cordon.apply(SEALED)
    until(lambda: not cordon.look().open)
    assert not linux.is_alive(process)
    assert cordon.look().relaunches == 0


def test_a_relaunch_is_closed_and_counted(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    assert put_on(cordon).guarded
    process = launch(str(tmp_path / "app" / "bin" / "app"), "60")
    until(lambda: not linux.is_alive(process))
    assert cordon.look().relaunches == 1


def test_a_relaunch_loop_is_closed_and_counted_whole(
    cordon: Cordon, linux: Linux, tmp_path: Path
) -> None:
    put_on(cordon)
    app = tmp_path / "app" / "bin" / "app"
    loop = [subprocess.Popen([app, "60"]) for _ in range(50)]
    codes = {one.wait(20) for one in loop}
    assert codes <= {-signal.SIGTERM, -signal.SIGKILL}
    assert cordon.look().relaunches == 50


@pytest.mark.parametrize("program", ["app", "manager", "updater"])
@pytest.mark.parametrize(
    "how",
    [
        'setsid "$0" 60 &',  # a menu: what was clicked on has ended, and left it behind
        'XDG_SESSION_ID=c7 DISPLAY=:99 exec "$0" 60',  # an auto-start of the session
        'cd / && env -i HOME=/ /bin/sh -c "$0 60"',  # a scheduled task: no session, no desktop
        'cd "${0%/*}" && exec -a "Office Maker" "./${0##*/}" 60',  # under another name
    ],
    ids=["menu", "auto-start", "scheduled task", "another name"],
)
def test_what_is_kept_closed_is_closed_wherever_it_is_started_from(
    cordon: Cordon, linux: Linux, tmp_path: Path, how: str, program: str
) -> None:
    file = tmp_path / "app" / "bin" / program
    shutil.copy("/bin/sleep", file)
    put_on(cordon)

    subprocess.run(["bash", "-c", how, file], check=False, timeout=20)

    until(lambda: cordon.look().relaunches == 1)
    until(lambda: not [p for p in linux.processes() if p.exe == str(file)])


def test_what_is_started_again_whenever_it_ends_is_closed_each_time(
    cordon: Cordon, linux: Linux, tmp_path: Path
) -> None:
    """As a service's own recovery does."""
    put_on(cordon)
    app = tmp_path / "app" / "bin" / "app"
    with subprocess.Popen(["bash", "-c", 'for n in 1 2 3 4 5; do "$0" 60; done', app]) as keeper:
        assert keeper.wait(20) != 0
    assert cordon.look().relaunches == 5
    assert cordon.look().open == ()


def test_an_interpreter_that_is_given_the_app_late_is_closed(
    cordon: Cordon, linux: Linux, tmp_path: Path
) -> None:
    """As cron and a shell do: the process is there before it is the app."""
    script, gate = tmp_path / "app" / "bin" / "updater", tmp_path / "gate"
    script.write_text("#!/bin/sh\nsleep 60 & wait\n")
    os.mkfifo(gate)
    put_on(cordon)
    with subprocess.Popen(
        ["/bin/sh", "-c", f'read go < "{gate}"; exec /bin/sh "{script}"'], start_new_session=True
    ) as process:
        until(lambda: process.pid in {p.pid for p in linux.processes()})
        cordon.look()
        gate.write_text("go\n")
        assert process.wait(20) == -signal.SIGTERM
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert cordon.look().relaunches == 1


def test_a_stubborn_script_is_closed_however_it_is_launched(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    script = tmp_path / "app" / "bin" / "manager"
    script.write_text(STUBBORN)
    cordon.apply(SEALED)
    process = launch(sys.executable, "-I", "app/bin/manager")
    until(lambda: not linux.is_alive(process))


def test_a_spared_program_lives_on(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    manager = tmp_path / "app" / "bin" / "manager"
    shutil.copy("/bin/sleep", manager)
    cordon.apply(SEALED)
    with cordon.expecting():
        process = launch(str(manager), "60")
        cordon.spare(process)
    sight = cordon.look()
    assert (sight.mode, sight.open) == (CordonMode.SEALED, ())
    assert [seen.pid for seen in sight.spared] == [process.pid]
    assert linux.is_alive(process)


def test_after_an_uncordon_the_app_may_be_opened(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    cordon.lift(LIFT)
    process = launch(str(tmp_path / "app" / "bin" / "app"), "60")
    assert [seen.pid for seen in cordon.look().open] == [process.pid]
    assert linux.is_alive(process)


def test_an_app_that_a_person_is_to_update_from_inside_is_let_be_until_then(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    with cordon.letting():
        cordon.let({getpass.getuser()})
        process = launch(str(tmp_path / "app" / "bin" / "app"), "60")
        sight = cordon.look()
        assert linux.is_alive(process)
        assert sight.guarded
        assert [program.pid for program in sight.spared] == [process.pid]
        assert not sight.open
    until(lambda: not linux.is_alive(process))


def test_meanwhile_it_is_kept_closed_for_everybody_else(
    cordon: Cordon, linux: Linux, launch: Callable[..., Process], tmp_path: Path
) -> None:
    cordon.apply(SEALED)
    with cordon.letting():
        cordon.let({"marie"})
        process = launch(str(tmp_path / "app" / "bin" / "app"), "60")
        until(lambda: not linux.is_alive(process))
