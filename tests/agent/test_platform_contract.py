"""What every platform must do: the same tests on this host and on the one in memory."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.platforms.base import CloseRung, Platform, Process, Spot
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


def test_nothing_is_started_in_a_session_that_has_ended(
    platform: Platform, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="session 7 of nobody has ended"):
        platform.start_program(["/bin/sleep", "60"], tmp_path, "nobody", "7")


def test_sessions_can_be_asked_for(platform: Platform) -> None:
    assert all(session.id for session in platform.sessions())


def test_a_service_is_stopped_and_started_again(platform: Platform) -> None:
    platform.services.start(UNIT)
    main = platform.services.main_process(UNIT)
    assert main is not None
    assert platform.services.main_process(UNIT)

    platform.services.stop(UNIT)
    platform.services.stop(UNIT)  # a stopped one is no error
    until(lambda: not platform.is_alive(main))
    assert not platform.services.main_process(UNIT)
    assert platform.services.main_process(UNIT) is None

    platform.services.start(UNIT)
    assert platform.services.main_process(UNIT)


def test_a_folder_is_renamed_whole(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "file").write_text("1.0")
    platform.rename(Spot(tmp_path / "app"), Spot(tmp_path / "app_old"))
    assert (tmp_path / "app_old" / "file").read_text() == "1.0"
    assert not (tmp_path / "app").exists()


def test_a_rename_never_takes_the_place_of_another_folder(
    platform: Platform, tmp_path: Path
) -> None:
    for name in ("app", "app_old"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError):
        platform.rename(Spot(tmp_path, "app"), Spot(tmp_path, "app_old"))


def test_a_copy_has_content_mode_owner_and_times(platform: Platform, tmp_path: Path) -> None:
    source, target = tmp_path / "one", tmp_path / "two"
    source.write_bytes(os.urandom(100_000))
    source.chmod(0o640)
    os.utime(source, ns=(10**18, 1_234_567_890_123_456_789))
    if os.geteuid() == 0:
        os.chown(source, 12345, 23456)
    target.write_text("an older file that is longer" * 9000)

    platform.copy(Spot(tmp_path, "one"), Spot(tmp_path, "two"))

    old, new = source.stat(), target.stat()
    assert target.read_bytes() == source.read_bytes()
    assert (new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid)
    assert new.st_mtime_ns == old.st_mtime_ns
    assert new.st_ino != old.st_ino


def test_a_write_to_the_copy_leaves_the_original_alone(platform: Platform, tmp_path: Path) -> None:
    source, target = tmp_path / "one", tmp_path / "two"
    source.write_text("original")
    platform.copy(Spot(source), Spot(target))
    with target.open("r+") as copy:
        copy.write("CHANGED!")
    assert source.read_text() == "original"


def test_a_symlink_is_copied_as_a_symlink(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere/at/all")
    platform.copy(Spot(tmp_path, "link"), Spot(tmp_path, "copy"))
    assert platform.read_link(Spot(tmp_path, "copy")) == "nowhere/at/all"


def test_rights_are_copied_apart_from_content(platform: Platform, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir(mode=0o2750)
    new.mkdir(mode=0o700)
    old.chmod(0o2751)
    platform.give_rights(Spot(old), Spot(new))
    assert new.stat().st_mode == old.stat().st_mode


def test_times_are_copied_apart_from_content(platform: Platform, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old", ns=(10**18, 1_234_567_890_123_456_789))
    platform.give_times(Spot(tmp_path, "old"), Spot(tmp_path, "new"))
    assert (tmp_path / "new").stat().st_mtime_ns == 1_234_567_890_123_456_789


def test_rights_are_not_given_to_a_file_with_two_names(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("")
    os.link(tmp_path / "b", tmp_path / "elsewhere")
    for give in (platform.give_rights, platform.give_times):
        with pytest.raises(OSError, match="another file's link"):
            give(Spot(tmp_path, "a"), Spot(tmp_path, "b"))


def test_a_mode_is_given_to_the_file_that_was_seen_and_to_no_other(
    platform: Platform, tmp_path: Path
) -> None:
    spot, file = Spot(tmp_path, "file"), tmp_path / "file"
    file.write_text("")
    file.chmod(0o6711)
    seen = platform.look_at(spot)
    assert seen is not None
    for mode in (0, 0o4755, 0o640):
        platform.set_mode(spot, seen, mode)
        assert stat.S_IMODE(file.stat().st_mode) == mode

    (tmp_path / "fresh").write_text("")
    (tmp_path / "fresh").chmod(0o600)
    (tmp_path / "fresh").replace(file)
    for there in ("another file", "a link", "a folder", "nothing"):
        with pytest.raises(OSError, match=re.escape(str(file))):
            platform.set_mode(spot, seen, 0o777)
        if there == "another file":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            (tmp_path / "aim").write_text("")
            file.unlink()
            file.symlink_to(tmp_path / "aim")
        elif there == "a link":
            file.unlink()
            file.mkdir()
        elif there == "a folder":
            file.rmdir()
    assert stat.S_IMODE((tmp_path / "aim").stat().st_mode) != 0o777


def test_rights_are_never_taken_from_a_file_with_two_names_but_given_back(
    platform: Platform, tmp_path: Path
) -> None:
    spot, file = Spot(tmp_path, "a"), tmp_path / "a"
    file.write_text("")
    file.chmod(0o644)
    (tmp_path / "b").hardlink_to(file)
    seen = platform.look_at(spot)
    assert seen is not None
    with pytest.raises(OSError, match="has other names"):
        platform.set_mode(spot, seen, 0)
    file.chmod(0)
    platform.set_mode(spot, seen, 0o644)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_new_file_has_its_mode_and_takes_no_others_place(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("target")
    with platform.new_file(Spot(tmp_path, "one"), 0o751) as file:
        file.write(b"content")
    assert (tmp_path / "one").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o751
    for name in ("one", "link"):
        with pytest.raises(FileExistsError):
            platform.new_file(Spot(tmp_path, name), 0o600)
    assert not (tmp_path / "target").exists()


def test_a_folder_is_made_for_the_agent_alone_and_never_for_a_link(
    platform: Platform, tmp_path: Path
) -> None:
    platform.make_folder(Spot(tmp_path, "one"))
    platform.make_folder(Spot(tmp_path, "one"))
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(NotADirectoryError):
            platform.make_folder(Spot(tmp_path, name))


def test_what_is_removed_is_gone_and_what_a_link_leads_to_is_not(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("kept")
    for path in ("app/a/b/c", "app/d"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "file").write_text("")
    (tmp_path / "app/a/link").symlink_to(tmp_path / "outside")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "app/pipe")

    for name in ("app", "link", "never-there", "link/file", "never/there"):
        platform.remove(Spot(tmp_path, name))

    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "systemd") == [
        "outside"
    ]
    assert (tmp_path / "outside/file").read_text() == "kept"


def test_nothing_is_reached_over_a_link_on_the_way(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    behind, beside = Spot(tmp_path, "link/file"), Spot(tmp_path, "other")
    beside_path = tmp_path / "other"
    beside_path.write_text("y")

    assert platform.look_at(behind) is None
    assert platform.names(Spot(tmp_path, "link")) == []
    for act in (
        lambda: platform.open_file(behind),
        lambda: platform.new_file(Spot(tmp_path, "link/new"), 0o600),
        lambda: platform.make_folder(Spot(tmp_path, "link/new")),
        lambda: platform.copy(behind, beside),
        lambda: platform.copy(beside, behind),
        lambda: platform.rename(beside, Spot(tmp_path, "link/new")),
        lambda: platform.give_rights(beside, behind),
        lambda: platform.items(tmp_path / "link"),
    ):
        with pytest.raises(OSError, match=r"link|directory"):
            act()
    assert (tmp_path / "real/file").read_text() == "x"
    assert beside_path.read_text() == "y"


def test_what_lies_in_a_folder_is_named_in_order(platform: Platform, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / "app" / name).mkdir(parents=True)
    (tmp_path / "app/a/file").write_text("12345")
    (tmp_path / "app/d").symlink_to("a")
    os.mkfifo(tmp_path / "app/pipe")

    assert platform.names(Spot(tmp_path, "app")) == ["a", "b", "c", "d", "pipe"]
    assert platform.names(Spot(tmp_path, "absent")) == []
    found = platform.items(tmp_path / "app")
    assert [item.path for item in found] == ["a", "a/file", "b", "c", "d"]
    assert [item.size for item in found if item.is_file] == [5]


def test_who_holds_something_of_a_folder_is_named(platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "file").write_text("")
    holding = "import sys; f = open(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holding, folder / "file"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        held = platform.holders(folder)
        child.communicate()

    assert [(holder.pid, holder.path) for holder in held] == [(child.pid, str(folder / "file"))]
    assert str(folder / "file") in str(held[0])
    assert held[0].user
    assert platform.holders(folder) == []


def test_nothing_is_mounted_in_an_ordinary_folder(platform: Platform, tmp_path: Path) -> None:
    assert platform.mounts(tmp_path) == []
    assert "/proc" in platform.mounts(Path("/"))


def test_a_tree_is_synced(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "a" / "link").symlink_to("nowhere")
    platform.sync_tree(tmp_path / "a")
    platform.sync_volume(tmp_path / "a")


def test_a_volume_is_not_synced_by_a_link_or_a_folder_that_is_gone(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path / "link", tmp_path / "gone"):
        with pytest.raises(OSError, match=folder.name):
            platform.sync_volume(folder)


def test_room_and_volume_are_known_of_a_folder_to_come(platform: Platform, tmp_path: Path) -> None:
    to_come = tmp_path / "not" / "yet"
    assert platform.free_bytes(to_come) > 0
    assert platform.same_volume(tmp_path, to_come)


def test_the_boot_stays_the_same_and_the_clock_goes_forward(platform: Platform) -> None:
    assert platform.boot_id() == platform.boot_id() != ""
    assert 0 < platform.clock() <= platform.clock()
