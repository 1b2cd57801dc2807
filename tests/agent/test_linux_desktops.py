"""Which desktops there are on a Linux host: as logind says, and as environments tell."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from agent.platforms.base import CloseRung
from agent.platforms.desktop import Desktop
from agent.platforms.linux import Linux
from agent.platforms.linux_desktops import LinuxDesktops, joined
from agent.platforms.linux_logind import Login, logins, read_logins
from agent.platforms.linux_names import name_of
from agent.platforms.linux_proc import managed_session
from agent.platforms.linux_screens import Screen, Screens
from tests.hostile.user import UID
from tests.until import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
ME = name_of(os.geteuid())
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")

LOGINCTL = """#!/bin/sh
case "$1" in
list-sessions) echo "  3 1000 marie seat0 tty2"; echo "  4 1001 paul - -" ;;
show-session) cat "$(dirname "$0")/shown" ;;
esac
exit "$(cat "$(dirname "$0")/code")"
"""
SHOWN = """Id=3
User=1000
Display=:0
Type=x11
Class=user
Active=yes
State=active
LockedHint=no
"""


def shown(**changes: str) -> str:
    about = dict(line.split("=") for line in SHOWN.splitlines()) | changes
    return "\n".join(f"{key}={value}" for key, value in about.items()) + "\n"


@pytest.fixture
def logind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have logind say this, with this exit code."""
    program = tmp_path / "loginctl"
    program.write_text(LOGINCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def say(text: str, code: int = 0) -> None:
        (tmp_path / "shown").write_text(text)
        (tmp_path / "code").write_text(str(code))

    say(SHOWN)
    return say


@pytest.fixture
def run() -> Iterator[Callable[..., int]]:
    """Have a process with this environment, as this user; return its pid."""
    running: list[subprocess.Popen[bytes]] = []

    def start(environment: Mapping[str, str], uid: int | None = None) -> int:
        who = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        child = subprocess.Popen(["/bin/sleep", "60"], env=environment, **who)  # type: ignore[call-overload]
        running.append(child)
        return int(child.pid)

    yield start
    for child in running:
        child.kill()
        child.wait()


def screens_named(*names: str) -> list[Screen]:
    return Screens(names).found()


def test_each_block_of_logind_is_a_login(logind: Callable[..., None]) -> None:
    logind("\n".join([shown(), shown(Id="4", User="1001", Type="tty", Display="")]))
    assert logins() == [
        Login("3", 1000, ":0", has_screen=True, active=True),
        Login("4", 1001, "", has_screen=False, active=True),
    ]


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({"LockedHint": "yes"}, False),
        ({"Active": "no", "State": "online"}, False),
        ({"Type": "wayland", "Display": ""}, True),
    ],
)
def test_who_is_locked_or_switched_away_cannot_answer(
    changes: dict[str, str], active: bool
) -> None:
    (login,) = read_logins(shown(**changes))
    assert (login.active, login.has_screen) == (active, True)


@pytest.mark.parametrize(
    "changes",
    [{"Class": "greeter"}, {"Class": "manager"}, {"State": "closing"}, {"User": "x"}],
)
def test_what_is_no_persons_session_is_left_out(changes: dict[str, str]) -> None:
    assert read_logins(shown(**changes)) == []


@pytest.mark.parametrize("text", ["", "\n\n\n", "nonsense", "Id=3\nClass=user\n", "=\n=\n"])
def test_what_logind_never_says_is_no_login(text: str) -> None:
    assert read_logins(text) == []


def test_a_logind_that_falls_silent_ends_no_session(logind: Callable[..., None]) -> None:
    desktops = LinuxDesktops()
    desktops.desktops()
    logind("", 1)
    with pytest.raises(OSError, match="logind does not say"):
        desktops.desktops()


def test_without_logind_the_screens_are_told_by_environments(run: Callable[..., int]) -> None:
    run({"DISPLAY": ":7701.0", "XAUTHORITY": "/x", "LANG": "fr_FR.UTF-8", "SECRET": "s"})
    run({"DISPLAY": ":7701"})
    desktops = LinuxDesktops([":7701"])
    until(desktops.desktops)
    first, *others = desktops.desktops()
    assert (first.session, first.user, first.active) == (f"{ME}:7701", ME, True)
    assert "SECRET" not in first.environment
    assert not others


def test_a_screen_is_found_once_a_shell_has_turned_into_its_program(
    run: Callable[..., int],
) -> None:
    screens = Screens([":7702"])
    assert screens.found() == []
    run({"DISPLAY": ":7702"})
    until(screens.found)


def test_a_screen_ends_with_its_last_process(run: Callable[..., int]) -> None:
    screens = Screens([":7703"])
    pid = run({"DISPLAY": ":7703"})
    until(screens.found)
    os.kill(pid, 9)
    until(lambda: not screens.found())


@pytest.mark.parametrize(
    "environment",
    [
        {"DISPLAY": ""},
        {"DISPLAY": ":7704\n"},
        {"DISPLAY": "x" * 200},
        {"DISPLAY": "; rm -rf /"},
        {"DISPLAY": ":7704", "ROUNDSMAN_SESSION": "3"},
    ],
)
def test_what_is_no_screen_or_our_own_program_is_none(
    run: Callable[..., int], environment: dict[str, str]
) -> None:
    pid = run(environment)
    until(lambda: b"DISPLAY" in Path(f"/proc/{pid}/environ").read_bytes())
    assert screens_named(*environment.values()) == []


def test_a_value_that_is_too_long_is_not_taken_over(run: Callable[..., int]) -> None:
    run({"DISPLAY": ":7705", "LANG": "x" * 5000})
    screens = Screens([":7705"])
    until(screens.found)
    assert screens.found()[0].environment == {"DISPLAY": ":7705"}


@needs_root
def test_each_user_has_a_desktop_of_their_own(run: Callable[..., int]) -> None:
    run({"DISPLAY": ":7706"}, UID)
    run({"DISPLAY": ":7707"}, UID + 1)
    desktops = LinuxDesktops([":7706", ":7707"])
    wanted = {f"{UID}:7706", f"{UID + 1}:7707"}
    until(lambda: {desktop.session for desktop in desktops.desktops()} == wanted)


@needs_root
def test_an_administrators_program_on_a_users_screen_is_no_desktop(
    run: Callable[..., int],
) -> None:
    run({"DISPLAY": ":7708"}, UID)
    run({"DISPLAY": ":7708"})
    desktops = LinuxDesktops([":7708"])
    until(lambda: [desktop.user for desktop in desktops.desktops()] == [str(UID)])


@needs_root
def test_the_log_in_screens_user_is_nobody_to_tell(run: Callable[..., int]) -> None:
    pid = run({"DISPLAY": ":7709"}, pwd.getpwnam("mail").pw_uid)
    until(lambda: b"DISPLAY" in Path(f"/proc/{pid}/environ").read_bytes())
    assert screens_named(":7709") == []


@needs_root
def test_a_user_who_makes_up_screens_gets_no_more_than_a_few(run: Callable[..., int]) -> None:
    names = [f":{number}" for number in range(7800, 7840)]
    for name in names:
        run({"DISPLAY": name}, UID)
    run({"DISPLAY": ":7840"}, UID + 1)
    screens = Screens([*names, ":7840"])
    until(lambda: len(screens.found()) == 17)
    assert UID + 1 in {screen.uid for screen in screens.found()}


def screen(name: str, uid: int = 0, scope: str = "", **more: str) -> Screen:
    return Screen(uid, name, scope, {"DISPLAY": name} | more)


X = Login("3", 0, ":0", has_screen=True, active=True)
WAYLAND = Login("5", 0, "", has_screen=True, active=False)
XRDP = Login("c7", 0, "", has_screen=False, active=True)


@pytest.mark.parametrize(
    ("login", "one"),
    [
        (X, screen(":0")),
        (X, screen(":0", scope="9")),
        (WAYLAND, screen(":1", WAYLAND_DISPLAY="wayland-0")),
        (XRDP, screen(":10", scope="c7")),
    ],
)
def test_a_screen_belongs_to_the_login_it_is_of(login: Login, one: Screen) -> None:
    (desktop,) = joined([login], [one])
    assert (desktop.session, desktop.active) == (login.id, login.active)
    assert desktop.environment == one.environment


def test_a_login_on_another_screen_is_another_desktop() -> None:
    desktops = joined([X], [screen(":0"), screen(":9")])
    assert [desktop.session for desktop in desktops] == ["3", f"{name_of(0)}:9"]


def test_a_screen_within_a_session_does_not_take_its_place() -> None:
    (desktop,) = joined([X], [screen(":5", scope="3"), screen(":0")])
    assert desktop.environment["DISPLAY"] == ":0"


def test_another_users_login_is_not_taken() -> None:
    (one, login) = joined([X], [screen(":0", uid=UID)])
    assert (one.session, one.user) == (f"{UID}:0", str(UID))
    assert (login.session, dict(login.environment)) == ("3", {})


def test_a_login_whose_screen_is_not_known_is_a_desktop_all_the_same() -> None:
    assert joined([WAYLAND], []) == [Desktop("5", name_of(0), active=False)]


def test_a_login_without_a_screen_is_no_desktop() -> None:
    assert joined([XRDP], []) == []


def test_whose_processes_they_are(run: Callable[..., int]) -> None:
    pid = run({})
    desktops = LinuxDesktops(())
    assert desktops.owned(ME, [pid, 2**22 + 5]) == {pid}
    assert desktops.owned("daemon", [pid]) == frozenset()
    assert desktops.owned("nobody-at-all", [pid, 2**22 + 5]) == frozenset()


def test_a_program_for_a_user_who_is_not_there_is_not_started() -> None:
    with pytest.raises(OSError, match="cannot start a program for nobody-at-all"):
        LinuxDesktops(()).start(Desktop("3", "nobody-at-all", True, {"DISPLAY": ":0"}))


def test_a_process_is_in_the_session_of_its_screen(run: Callable[..., int]) -> None:
    pid = run({"DISPLAY": ":7710.0"})
    linux = Linux()
    wanted = f"{ME}:7710"
    until(lambda: wanted in {p.session for p in linux.processes() if p.pid == pid})
    until(lambda: wanted in {session.id for session in linux.sessions()})
    started = linux.start_program(["/bin/sleep", "60"], Path("/"), ME, wanted)
    try:
        assert started.session == wanted
        environment = Path(f"/proc/{started.pid}/environ").read_bytes()
        assert b"DISPLAY=:7710" in environment
    finally:
        linux.close(started, CloseRung.KILL)


_MANAGER = "0::/user.slice/user-1000.slice/user@1000.service"


@pytest.mark.parametrize(
    ("group", "session"),
    [
        (f"{_MANAGER}/app.slice/app-gnome-office-4711.scope", "user-1000-app"),
        (f"{_MANAGER}/app.slice/app-office@autostart.service", "user-1000-app"),
        (f"{_MANAGER}/app.slice/nightly-import.service", "user-1000"),
        ("0::/system.slice/cron.service", ""),
        ("", ""),
    ],
)
def test_what_was_opened_on_a_desktop_is_told_from_what_a_timer_runs(
    group: str, session: str
) -> None:
    assert managed_session(group.encode()) == session
