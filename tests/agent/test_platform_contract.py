"""What every platform must do: the same tests on this host and on the one in memory."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.platforms.base import CloseRung, Platform, Process
from agent.platforms.linux import Linux
from tests.agent.fakes import FakePlatform
from tests.until import until

STANDIN = Path(__file__).with_name("standin_systemctl.py")
UNIT = "bench.service"


def install_systemctl(folder: Path) -> Path:
    """Put the stand-in and one unit into `folder`; return the folder of drop-ins."""
    program = folder / "systemctl"
    program.write_text(f"#!{sys.executable} -I\n" + STANDIN.read_text("utf-8"), "utf-8")
    program.chmod(0o755)
    units = folder / "units"
    units.mkdir()
    (folder / f"{UNIT}.json").write_text('{"argv": ["/bin/sleep", "60"], "pid": 0}')
    return units


@pytest.fixture(params=["fake", "linux"])
def platform(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    if request.param == "fake":
        yield FakePlatform()
        return
    if sys.platform != "linux":
        pytest.skip("runs on its own system")
    folder = tmp_path / "systemd"
    folder.mkdir()
    real: Platform = Linux(install_systemctl(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield real
    real.services.stop(UNIT)


@pytest.fixture
def program(platform: Platform, tmp_path: Path) -> Iterator[Process]:
    exe = tmp_path / "office-app"
    shutil.copy("/bin/sleep", exe)
    started = platform.start_program([str(exe), "60"], tmp_path, "")
    yield started
    platform.close(started, CloseRung.KILL)


def test_a_started_program_is_in_the_process_table(platform: Platform, program: Process) -> None:
    assert platform.is_alive(program)
    assert program in platform.processes()
    assert program.exe.endswith("/office-app")
    assert program.user


@pytest.mark.parametrize("rung", [CloseRung.TERMINATE, CloseRung.KILL])
def test_the_last_rungs_end_a_program(
    platform: Platform, program: Process, rung: CloseRung
) -> None:
    platform.close(program, rung)
    until(lambda: not platform.is_alive(program))
    assert program not in platform.processes()
    platform.close(program, rung)  # once gone it is no error


def test_waiting_for_it_ends_nothing(platform: Platform, program: Process) -> None:
    platform.close(program, CloseRung.BY_ITSELF)
    assert platform.is_alive(program)


def test_a_later_process_with_the_same_pid_is_another(
    platform: Platform, program: Process
) -> None:
    earlier = Process(program.pid, program.started - 100, "", "", program.exe, ())
    assert not platform.is_alive(earlier)
    platform.close(earlier, CloseRung.KILL)
    assert platform.is_alive(program)


def test_a_program_that_is_not_there_cannot_be_started(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(OSError, match='cannot start "/no-such-program"'):
        platform.start_program(["/no-such-program"], tmp_path, "")


def test_sessions_can_be_asked_for(platform: Platform) -> None:
    assert all(session.id for session in platform.sessions())


def test_a_service_is_stopped_and_started_again(platform: Platform) -> None:
    platform.services.start(UNIT)
    main = platform.services.main_process(UNIT)
    assert main is not None
    assert platform.services.is_running(UNIT)

    platform.services.stop(UNIT)
    platform.services.stop(UNIT)  # a stopped one is no error
    until(lambda: not platform.is_alive(main))
    assert not platform.services.is_running(UNIT)
    assert platform.services.main_process(UNIT) is None

    platform.services.start(UNIT)
    assert platform.services.is_running(UNIT)


def test_a_folder_is_renamed_whole(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "file").write_text("1.0")
    platform.rename_folder(tmp_path / "app", tmp_path / "app_old")
    assert (tmp_path / "app_old" / "file").read_text() == "1.0"
    assert not (tmp_path / "app").exists()


def test_a_rename_never_takes_the_place_of_another_folder(
    platform: Platform, tmp_path: Path
) -> None:
    for name in ("app", "app_old"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError):
        platform.rename_folder(tmp_path / "app", tmp_path / "app_old")


def test_a_copy_has_content_mode_and_times(platform: Platform, tmp_path: Path) -> None:
    source, target = tmp_path / "one", tmp_path / "two"
    source.write_bytes(os.urandom(100_000))
    source.chmod(0o640)
    os.utime(source, ns=(10**18, 1_234_567_890_123_456_789))
    target.write_text("an older file that is longer" * 9000)

    platform.copy_file(source, target)

    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode == source.stat().st_mode
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert target.stat().st_ino != source.stat().st_ino


def test_a_write_to_the_copy_leaves_the_original_alone(platform: Platform, tmp_path: Path) -> None:
    source, target = tmp_path / "one", tmp_path / "two"
    source.write_text("original")
    platform.copy_file(source, target)
    with target.open("r+") as copy:
        copy.write("CHANGED!")
    assert source.read_text() == "original"


def test_a_symlink_is_copied_as_a_symlink(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere/at/all")
    platform.copy_file(tmp_path / "link", tmp_path / "copy")
    assert (tmp_path / "copy").readlink() == Path("nowhere/at/all")


def test_rights_are_copied_apart_from_content(platform: Platform, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir(mode=0o2750)
    new.mkdir(mode=0o700)
    old.chmod(0o2751)
    platform.copy_rights(old, new)
    assert new.stat().st_mode == old.stat().st_mode


def test_a_tree_is_synced(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "a" / "link").symlink_to("nowhere")
    platform.sync_tree(tmp_path / "a")


def test_room_and_volume_are_known_of_a_folder_to_come(platform: Platform, tmp_path: Path) -> None:
    to_come = tmp_path / "not" / "yet"
    assert platform.free_bytes(to_come) > 0
    assert platform.same_volume(tmp_path, to_come)


def test_the_boot_stays_the_same_and_the_clock_goes_forward(platform: Platform) -> None:
    assert platform.boot_id() == platform.boot_id() != ""
    assert 0 < platform.clock() <= platform.clock()
