"""What is particular to Linux: real processes, attributes, systemd's files."""

import ast
import errno
import getpass
import json
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.platforms import linux as linux_module
from agent.platforms import linux_beneath as beneath
from agent.platforms.base import CloseRung, Process, Spot
from agent.platforms.linux import Linux
from agent.platforms.linux_files import patiently
from agent.platforms.linux_proc import content_of
from agent.platforms.linux_services import Systemd
from agent.programs import Programs
from tests.agent.test_platform_contract import UNIT, install_systemctl
from tests.until import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
WAIT = "import signal; signal.pause()"


@pytest.fixture
def linux() -> Linux:
    return Linux()


@pytest.fixture
def started(linux: Linux) -> Iterator[Callable[..., Process]]:
    """Starts programs that end with the test."""
    all_started: list[Process] = []

    def start(*argv: str, cwd: Path = Path("/")) -> Process:
        all_started.append(linux.start_program(argv, cwd, ""))
        return all_started[-1]

    yield start
    for process in all_started:
        linux.close(process, CloseRung.KILL)


def test_a_started_program_is_no_child_and_leads_its_own_session(
    linux: Linux, started: Callable[..., Process]
) -> None:
    process = started("/bin/sleep", "60")
    assert process.parent != os.getpid()
    assert os.getsid(process.pid) == process.pid


def test_when_a_process_began_is_told_by_the_clock_of_leases(
    linux: Linux, started: Callable[..., Process]
) -> None:
    before = linux.clock()
    process = started("/bin/sleep", "60")
    assert before - 0.02 <= process.started <= linux.clock()
    assert next(p for p in Linux().processes() if p.pid == process.pid) == process


def test_a_program_outlives_the_process_that_started_it(linux: Linux, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agent.platforms.linux import Linux; "
        "print(Linux().start_program(['/bin/sleep', '60'], Path('/'), '').pid)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    process = next(p for p in linux.processes() if p.pid == int(answer.stdout))
    assert linux.is_alive(process)
    linux.close(process, CloseRung.KILL)
    until(lambda: not linux.is_alive(process))


def test_a_process_that_turns_into_the_app_is_noticed(
    linux: Linux, started: Callable[..., Process], tmp_path: Path
) -> None:
    app, gate = tmp_path / "app.py", tmp_path / "gate"
    app.write_text(WAIT)
    os.mkfifo(gate)
    process = started(
        sys.executable,
        "-c",
        f"import os, sys; open({str(gate)!r}).read(); "
        f"os.execv(sys.executable, [sys.executable, {str(app)!r}])",
    )
    programs = Programs(str(tmp_path), ("./app.py",))

    def seen() -> list[Process]:
        return [p for p in linux.processes() if programs.include(p)]

    assert process in linux.processes()
    assert not seen()
    gate.write_text("go")
    until(seen)
    assert [p.pid for p in seen()] == [process.pid]


def test_of_very_many_arguments_the_first_are_read(
    linux: Linux, started: Callable[..., Process]
) -> None:
    process = started(sys.executable, "-c", WAIT, *["x"] * 20_000)
    assert process.argv == (sys.executable, "-c", WAIT, *["x"] * 61)


def test_of_very_long_arguments_those_that_are_read_whole_are_kept(
    linux: Linux, started: Callable[..., Process], tmp_path: Path
) -> None:
    app = tmp_path / "the app.py"
    app.write_text(WAIT)
    process = started(sys.executable, str(app), "a b", "y" * 40_000, "z" * 40_000)
    assert process.argv == (sys.executable, str(app), "a b")


def test_of_a_very_large_environment_the_beginning_is_read(tmp_path: Path) -> None:
    (tmp_path / "environ").write_bytes(b"x" * 200_000)
    assert len(content_of(str(tmp_path / "environ"))) == 32 * 1024


def test_a_script_is_known_by_the_folder_it_was_started_in(
    linux: Linux, started: Callable[..., Process], tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "app").write_text(f"#!{sys.executable}\n{WAIT}\n")
    (tmp_path / "bin" / "app").chmod(0o755)
    process = started("./app", cwd=tmp_path / "bin")
    programs = Programs(str(tmp_path), ("bin/app",))
    until(lambda: process.pid in [p.pid for p in linux.processes() if programs.include(p)])


def test_a_program_can_be_started_as_another_user(linux: Linux) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may")
    process = linux.start_program(["/bin/sleep", "60"], Path("/"), "nobody")
    assert process.user == "nobody"
    linux.close(process, CloseRung.KILL)
    until(lambda: not linux.is_alive(process))


class _Impatient(Linux):
    start_seconds = 0.5
    end_seconds = 0.5


HOLD = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def held_up(tmp_path: Path) -> Iterator[Path]:
    """A program that its owner keeps from being opened: whoever runs it waits, for long."""
    program = tmp_path / "app"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(program)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            yield program
        finally:
            holder.kill()


def _waiting(linux: Linux, program: Path) -> list[Process]:
    order = f'"argv": ["{program}"'
    return [p for p in linux.processes() if any(order in word for word in p.argv)]


def test_a_user_cannot_hold_up_the_agent_that_starts_a_program_for_them(held_up: Path) -> None:
    linux = _Impatient()
    with pytest.raises(OSError, match=r"cannot start .*: it has not begun within 0\.5 s"):
        linux.start_program([str(held_up), "60"], Path("/"), "")
    until(lambda: not _waiting(linux, held_up))


def test_a_program_that_cannot_begin_is_not_waited_for_at_its_end(held_up: Path) -> None:
    linux = _Impatient()
    with pytest.raises(OSError, match=r"cannot run .*: it does not begin, nor end"):
        linux.run([str(held_up), "60"], Path("/"), 0.5, lambda: None)
    until(lambda: not _waiting(linux, held_up))


def test_nothing_is_started_whose_owner_could_halt_who_starts_it() -> None:
    # subprocess waits for its child to begin, which from the change of user on belongs to another
    for name in ("linux_desktops", "linux_processes", "detach", "enter"):
        source = (Path(linux_module.__file__).parent / f"{name}.py").read_text()
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        given = {word.arg for call in calls for word in call.keywords}
        assert not given & {"extra_groups", "preexec_fn", "group"}, name


def test_a_program_that_may_not_be_run_is_told_in_words(linux: Linux, tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o644)
    with pytest.raises(OSError, match=r"app\.py\": its user may not run that file; .*chmod \+x"):
        linux.start_program([str(file)], tmp_path, "")


def test_a_user_who_is_not_there_is_told(linux: Linux) -> None:
    with pytest.raises(OSError, match=r'cannot start "/bin/sleep": .*nobody-at-all'):
        linux.start_program(["/bin/sleep", "60"], Path("/"), "nobody-at-all")


def test_a_copy_has_extended_attributes_and_acl(linux: Linux, tmp_path: Path) -> None:
    source, target = tmp_path / "one", tmp_path / "two"
    source.write_text("x")
    # version 2; user::rw-, user:12:r--, group::r--, mask::r--, other::---
    entries = [(1, 6, -1), (2, 4, 12), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries
    )
    try:
        os.setxattr(source, "user.note", b"kept")
        os.setxattr(source, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"this file system has no such attributes: {error}")
    linux.copy(Spot(source), Spot(target))
    assert os.getxattr(target, "user.note") == b"kept"
    assert os.getxattr(target, "system.posix_acl_access") == acl
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(source.stat().st_mode)


def test_rights_copied_take_away_attributes_that_the_source_lacks(
    linux: Linux, tmp_path: Path
) -> None:
    source, target = tmp_path / "one", tmp_path / "two"
    source.write_text("x")
    target.write_text("x")
    with suppress(OSError):
        os.setxattr(target, "user.note", b"old")
    linux.give_rights(Spot(source), Spot(target))
    assert "user.note" not in os.listxattr(target)


def test_a_device_or_pipe_is_not_copied(linux: Linux, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is no plain file"):
        linux.copy(Spot(Path("/dev/null")), Spot(tmp_path / "copy"))


def test_a_held_folder_is_tried_again_for_a_while() -> None:
    tries = iter([errno.EBUSY, errno.EBUSY, 0])

    def act() -> None:
        if code := next(tries):
            raise OSError(code, "held")

    patiently(act, seconds=5)
    assert not list(tries)


def test_a_folder_held_for_too_long_is_told() -> None:
    def act() -> None:
        raise OSError(errno.EBUSY, "held")

    with pytest.raises(OSError, match="held"):
        patiently(act, seconds=0)


def test_other_troubles_of_a_rename_are_told_at_once() -> None:
    def act() -> None:
        raise PermissionError(errno.EACCES, "denied")

    with pytest.raises(PermissionError):
        patiently(act, seconds=60)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Linux]:
    units = install_systemctl(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host = Linux(units)
    yield host
    host.services.stop(UNIT)


def test_a_stopped_service_cannot_be_started_by_others(systemd: Linux, tmp_path: Path) -> None:
    systemd.services.start(UNIT)
    systemd.services.stop(UNIT)
    subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
    assert not systemd.services.main_process(UNIT)


def test_after_a_start_it_is_free_to_others(systemd: Linux, tmp_path: Path) -> None:
    systemd.services.stop(UNIT)
    systemd.services.start(UNIT)
    subprocess.run([tmp_path / "systemctl", "stop", UNIT], check=True)
    subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
    assert systemd.services.main_process(UNIT)


def test_a_service_is_free_again_in_systemds_memory_too(systemd: Linux, tmp_path: Path) -> None:
    def known() -> object:
        return json.loads((tmp_path / f"{UNIT}.json").read_text())["known"]

    systemd.services.stop(UNIT)
    systemd.services.start(UNIT)
    assert known()
    systemd.services.leave(UNIT)
    assert not known()
    assert not list((tmp_path / "units").iterdir())
    assert systemd.services.main_process(UNIT)
    systemd.services.leave(UNIT)


def test_one_that_was_stopped_and_is_left_so_may_be_started_by_others(
    systemd: Linux, tmp_path: Path
) -> None:
    systemd.services.stop(UNIT)
    systemd.services.free(UNIT)
    assert not systemd.services.main_process(UNIT)
    subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
    assert systemd.services.main_process(UNIT)


def test_one_that_is_kept_stopped_is_left_so(systemd: Linux, tmp_path: Path) -> None:
    systemd.services.stop(UNIT)
    systemd.services.leave(UNIT)
    subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
    assert not systemd.services.main_process(UNIT)


def test_what_is_prepared_changes_nothing_for_others_and_is_all_that_takes_long(
    systemd: Linux, tmp_path: Path
) -> None:
    systemd.services.start(UNIT)
    before = systemd.services.main_process(UNIT)
    systemd.services.prepare(UNIT)
    assert systemd.services.main_process(UNIT) == before
    for word in ("stop", "start"):
        subprocess.run([tmp_path / "systemctl", word, UNIT], check=True)
    assert systemd.services.main_process(UNIT)
    systemd.services.stop(UNIT)
    assert len((tmp_path / "reloads").read_text().splitlines()) == 1


def test_systemd_reads_its_units_anew_once_however_often_a_service_is_stopped(
    systemd: Linux, tmp_path: Path
) -> None:
    for _ in range(3):
        systemd.services.stop(UNIT)
        subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
        assert not systemd.services.main_process(UNIT)
        systemd.services.start(UNIT)
        assert systemd.services.main_process(UNIT)
    assert len((tmp_path / "reloads").read_text().splitlines()) == 1


def test_a_service_that_was_started_anew_is_told_by_its_new_process(
    systemd: Linux, tmp_path: Path
) -> None:
    systemd.services.start(UNIT)
    first = systemd.services.main_process(UNIT)
    assert first is not None
    assert systemd.services.main_process(UNIT) == first
    subprocess.run([tmp_path / "systemctl", "stop", UNIT], check=True)
    until(lambda: not systemd.services.main_process(UNIT))
    subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
    second = systemd.services.main_process(UNIT)
    assert second is not None
    assert second.pid != first.pid


def test_a_service_stays_stopped_when_a_crash_came_before_systemd_had_read_it(
    systemd: Linux, tmp_path: Path
) -> None:
    systemd.services.start(UNIT)
    systemd.services.stop(UNIT)
    drop_in = next((tmp_path / "units").rglob("*.conf")).read_text()
    systemd.services.start(UNIT)
    systemd.services.leave(UNIT)  # systemd knows nothing of it
    folder = tmp_path / "units" / f"{UNIT}.d"
    folder.mkdir()
    (folder / "50-roundsman.conf").write_text(drop_in)  # and there the power was cut
    systemd.services.stop(UNIT)
    subprocess.run([tmp_path / "systemctl", "start", UNIT], check=True)
    assert not systemd.services.main_process(UNIT)


def test_drop_ins_of_the_administrator_stay(systemd: Linux, tmp_path: Path) -> None:
    theirs = tmp_path / "units" / f"{UNIT}.d" / "10-theirs.conf"
    theirs.parent.mkdir()
    theirs.write_text("[Service]\nNice=5\n")
    systemd.services.stop(UNIT)
    systemd.services.start(UNIT)
    systemd.services.leave(UNIT)
    assert [theirs] == list(theirs.parent.iterdir())


def test_what_keeps_a_service_closed_may_be_read_by_all(systemd: Linux, tmp_path: Path) -> None:
    before = os.umask(0o077)  # as the agent's own unit has it
    try:
        systemd.services.stop(UNIT)
    finally:
        os.umask(before)
    (folder,) = (tmp_path / "units").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}


def test_an_unknown_unit_is_told(systemd: Linux) -> None:
    with pytest.raises(OSError, match="cannot systemctl start none"):
        systemd.services.start("none.service")


def test_a_host_without_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="this host has no systemctl"):
        Systemd(lambda _pid: None, tmp_path).main_process(UNIT)


def test_sessions_come_from_the_login_records_where_there_is_no_logind(
    linux: Linux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(linux.sessions(), list)


def _logind(folder: Path, monkeypatch: pytest.MonkeyPatch, *sessions: str) -> Path:
    """A logind that tells of these sessions, a line of properties each."""
    program, blocks = folder / "loginctl", "\\n\\n".join(s.replace(" ", "\\n") for s in sessions)
    program.write_text(
        f'#!/bin/sh\n[ "$1" = list-sessions ] && {{ echo "  2 1 x seat0"; exit; }}\n'
        f"printf '{blocks}\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


def test_sessions_come_from_logind_where_there_is_one(
    linux: Linux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _logind(
        tmp_path,
        monkeypatch,
        "Id=2 User=0 Class=user Type=x11 Active=yes State=active LockedHint=no",
        "Id=3 User=1 Class=user Type=tty Active=yes State=active LockedHint=yes",
        "Id=c1 User=2 Class=greeter Active=yes State=active",
    )

    told = [(s.id, s.user, s.active) for s in linux.sessions() if ":" not in s.id]

    assert told == [("2", "root", True), ("3", "daemon", False)]


def test_when_logind_falls_silent_nobody_is_taken_for_logged_out(
    linux: Linux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _logind(tmp_path, monkeypatch, "Id=2 User=0 Class=user")
    linux.sessions()
    program.write_text("#!/bin/sh\nexit 1\n")

    with pytest.raises(OSError, match="logind does not say who is logged in"):
        linux.sessions()


@pytest.fixture
def two_desktops(linux: Linux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Linux]:
    """One user in two sessions at once, and on a screen that logind does not know."""
    about = f"User={os.geteuid()} Class=user Type=x11 Active=yes"
    ids = ("91002", "91005")
    _logind(tmp_path, monkeypatch, *(f"Id={id_} Display=:{id_} {about}" for id_ in ids))
    shown = [
        subprocess.Popen(["/bin/sleep", "60"], env={"DISPLAY": f":{screen}.0", "SECRET": "x"})
        for screen in (*ids, "91009")
    ]
    until(lambda: {p.pid for p in shown} <= {p.pid for p in linux.processes()})
    yield linux
    for process in shown:
        process.kill()
        process.wait()


def _environment(process: Process) -> dict[str, str]:
    words = Path(f"/proc/{process.pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(word.partition("=")[::2] for word in words)


@pytest.mark.parametrize("session", ["91002", "91005", f"{getpass.getuser()}:91009"])
def test_a_program_shows_itself_in_the_session_it_is_started_in(
    two_desktops: Linux, session: str
) -> None:
    me = getpass.getuser()
    process = two_desktops.start_program(["/bin/sleep", "60"], Path("/"), me, session)
    try:
        environment = _environment(process)
        assert environment["DISPLAY"] == f":{session.rpartition(':')[2]}.0"
        assert "SECRET" not in environment
        assert environment["XDG_SESSION_ID"] == session
    finally:
        two_desktops.close(process, CloseRung.KILL)


def test_the_session_of_a_program_is_one_of_those_that_are_listed(two_desktops: Linux) -> None:
    me = getpass.getuser()
    process = two_desktops.start_program(["/bin/sleep", "60"], Path("/"), me, "91005")
    two_desktops.close(process, CloseRung.KILL)
    if process.session != "91005" and process.session.isdigit():
        pytest.skip("this host puts every program of a test into a session of its own")
    assert process.session == "91005"


@pytest.mark.parametrize(
    ("user", "session"), [(getpass.getuser(), "3"), ("bin", "91002"), ("bin", "x:91009")]
)
def test_a_session_that_has_ended_or_is_anothers_is_told(
    two_desktops: Linux, user: str, session: str
) -> None:
    with pytest.raises(OSError, match=f"session {session} of {user} has ended"):
        two_desktops.start_program(["/bin/sleep", "60"], Path("/"), user, session)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """An app's folder in which another folder is mounted."""
    app, shared = tmp_path / "app", tmp_path / "shared"
    (app / "a folder/share").mkdir(parents=True)
    shared.mkdir()
    (shared / "work").write_text("of years")
    bind: list[str | Path] = ["mount", "--bind", shared, app / "a folder/share"]
    if subprocess.run(bind, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield app
    subprocess.run(["umount", app / "a folder/share"], check=True)


def test_a_folder_with_something_mounted_in_it_is_not_deleted(linux: Linux, mounted: Path) -> None:
    assert linux.mounts(mounted) == [str(mounted / "a folder/share")]
    with pytest.raises(OSError, match="something is mounted at"):
        linux.remove(Spot(mounted))
    assert (mounted / "a folder/share/work").read_text() == "of years"


def test_a_kernel_that_cannot_be_asked_to_refuse_links_is_not_trusted_to(tmp_path: Path) -> None:
    (tmp_path / "real/below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")

    os.close(beneath.open_part_by_part(Spot(tmp_path, "real/below")))
    for path in ("link", "link/below", "real/absent"):
        with pytest.raises((NotADirectoryError, FileNotFoundError)):
            beneath.open_part_by_part(Spot(tmp_path, path))
