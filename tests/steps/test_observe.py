"""What a host tells of what runs there, from real programs, files and entries."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from agent.platforms.base import Process, Session
from agent.platforms.linux_watching import unit_in
from agent.steps.autostart import parsed
from agent.steps.candidates import app_folder, grouped
from agent.steps.observe import observe, within_bounds
from agent.steps.table import Seat
from agent.wire.codec import BadMessage
from agent.wire.contract import StepName
from agent.wire.observed import Candidate, Observation, SeenProgram, joined, pieces
from tests.steps.bench import Bench, FastLinux, script, write_tree
from tests.until import until

SERVER = """
import socket, time
with socket.create_server(("127.0.0.1", 0)) as server:
    open("port", "w").write(str(server.getsockname()[1]))
    while True: time.sleep(1)
"""


SLEEP = "import time; time.sleep(99)"


class Host:
    """A bench, an application of nobody's profile, and what one look at it tells."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.folder = folder
        self.children: list[Popen[bytes]] = []

    def write(self, **files: bytes) -> None:
        write_tree(self.folder, {name.replace("__", "/"): text for name, text in files.items()})

    def run(self, program: str, code: str = SLEEP, session: str = "") -> int:
        write_tree(self.folder, {program: script(code)})
        inside = {"XDG_SESSION_ID": session} if session else {}
        child = Popen([self.folder / program], env=os.environ | inside, cwd=self.folder)
        self.children.append(child)
        until(lambda: any(program in " ".join(p.argv) for p in self.bench.platform.processes()))
        return child.pid

    def seen(self) -> Observation:
        work = self.bench.work(StepName.OBSERVE)
        observe(work)
        return joined(finding.message for finding in work.findings)

    def found(self) -> Candidate:
        (one,) = [c for c in self.seen().candidates if c.folder == str(self.folder)]
        return one

    def close(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()


@pytest.fixture
def host(bench: Bench, tmp_path: Path) -> Iterator[Host]:
    made = Host(bench, tmp_path / "Büro & Söhne")
    yield made
    made.close()


def test_programs_are_told_by_the_folder_they_are_in(host: Host) -> None:
    host.run("bin/office", session="c7")
    host.run("bin/office", session="c8")
    host.run("bin/import")

    found = host.found()

    assert [(p.path, p.processes, p.session) for p in found.programs] == [
        ("bin/office", 2, True),
        ("bin/import", 1, False),
    ]
    assert not any(p.window for p in found.programs)


def test_what_has_a_window_comes_first_and_is_called_so(host: Host) -> None:
    host.run("bin/a-tray", session="c7")
    pid = host.run("bin/office", session="c7")
    user = next(p.user for p in host.bench.platform.processes() if p.pid == pid)
    windows = frozenset({pid})
    host.bench.people.at = [Seat("c7", user, active=True, sees=True, windows=windows)]

    seen = host.seen()

    assert seen.candidates[0].folder == str(host.folder)
    assert [(p.path, p.window) for p in seen.candidates[0].programs] == [
        ("bin/office", True),
        ("bin/a-tray", False),
    ]


def test_the_port_on_which_it_listens_is_told(host: Host) -> None:
    host.run("bin/server", SERVER)
    until(lambda: (host.folder / "port").exists() and (host.folder / "port").read_text())
    assert host.found().ports == (int((host.folder / "port").read_text()),)


def test_files_that_tell_a_version_are_told_line_by_line(host: Host) -> None:
    host.write(**{"version.txt": b"app=4.2.1\nmanager=4.0\nhello\n", "readme": b"1.0"})
    host.run("bin/office")
    assert [(v.path, v.line) for v in host.found().versions] == [
        ("version.txt", "app=4.2.1"),
        ("version.txt", "manager=4.0"),
    ]


def test_no_link_is_followed_and_no_large_file_read_whole(host: Host, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password 12.34")
    host.run("bin/office")
    (host.folder / "VERSION").symlink_to(tmp_path / "secret")
    (host.folder / "version.txt").write_bytes(b"x" * 10_000_000 + b"\n1.0")
    os.mkfifo(host.folder / "release.txt")
    assert host.found().versions == ()


def test_what_is_opened_at_log_in_is_told_even_when_it_does_not_run(
    host: Host, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    entry = f'[Desktop Entry]\nName=The Office\nExec="{host.folder}/bin/tray" --hidden %U\n'
    write_tree(home, {".config/autostart/office.desktop": entry.encode()})
    host.bench.log_in(Session("c7", "marie", active=True))
    assert isinstance(host.bench.platform, FastLinux)
    host.bench.platform.homes["marie"] = home
    found = host.found()
    assert found.programs == ()
    assert [(a.program, a.entry, a.name) for a in found.auto_starts] == [
        ("bin/tray", "office.desktop", "The Office")
    ]


def test_an_entry_with_an_odd_name_spoils_nothing(host: Host, tmp_path: Path) -> None:
    home = tmp_path / "home"
    entry = f'[Desktop Entry]\nName=\x1b[2J{"x" * 3000}\nExec="{host.folder}/bin/tray"\n'
    write_tree(home, {".config/autostart/\n\x07.desktop": entry.encode()})
    (home / ".config/autostart/link.desktop").symlink_to("/etc/passwd")
    host.bench.log_in(Session("c7", "marie", active=True))
    assert isinstance(host.bench.platform, FastLinux)
    host.bench.platform.homes["marie"] = home
    (shown,) = host.found().auto_starts
    assert shown.entry.isprintable()
    assert len(shown.name) == 100


def test_the_agent_itself_and_the_system_are_no_candidates(host: Host, tmp_path: Path) -> None:
    (tmp_path / "nameless").write_text(SLEEP)
    with (tmp_path / "nameless").open() as file:
        words = [sys.executable, f"/dev/fd/{file.fileno()}"]
        with subprocess.Popen(words, pass_fds=[file.fileno()]) as nameless:
            folders = [c.folder for c in host.seen().candidates]
            nameless.kill()
    ours = (sys.prefix, "/usr/bin", "/bin", "/dev")
    assert not [f for f in folders if f.startswith(ours)]


def test_a_host_with_a_hundred_programs_tells_the_first_and_how_many_more(
    host: Host, tmp_path: Path
) -> None:
    places = [Host(host.bench, tmp_path / f"app {n}") for n in range(22)]
    try:
        for place in places:
            place.run("bin/x")
        seen = host.seen()
    finally:
        for place in places:
            place.close()
    assert len(seen.candidates) == 20
    assert seen.left_out >= 2


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("/opt/office/bin/app", "/opt/office"),
        ("/opt/Office Maker/OM Business/bin/om", "/opt/Office Maker"),
        ("/srv/x/y", "/srv/x"),
        ("/usr/local/lib/phone/run.py", "/usr/local/lib/phone"),
        ("/usr/lib/firefox/firefox", "/usr/lib/firefox"),
        ("/home/ann/apps/office/bin/app", "/home/ann/apps/office"),
        ("/home/ann/apps/office/app", "/home/ann/apps/office"),
        ("/opt/alone", ""),
        ("/usr/bin/python3", ""),
        ("/usr/local/bin/x", ""),
        ("/usr/lib/systemd/systemd-logind", ""),
        ("/app", ""),
        ("/data/app", ""),
        ("/opt/../bin/x/y", ""),
    ],
)
def test_which_folder_is_the_applications(file: str, folder: str) -> None:
    assert app_folder(file) == folder


def test_what_cannot_be_named_is_left_out() -> None:
    long, odd = f"/opt/x/{'y' * 400}", "/opt/x\n[evil]/bin/y"
    run = [Process(n, 1.0, "u", "", exe, (exe,)) for n, exe in enumerate((long, odd, "", "rel/x"))]
    assert grouped(run, lambda _file: False) == {}


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("[Desktop Entry]\nExec=/opt/x/app --tray", "/opt/x/app"),
        ("[Desktop Entry]\nExec=env A=1 /opt/x/app", "/opt/x/app"),
        ("[Desktop Entry]\nExec=python3 /opt/x/app.py", "/opt/x/app.py"),
        ("[Desktop Entry]\nExec=sh -c /opt/x/app", "/opt/x/app"),
        ("[Desktop Entry]\nExec=app", ""),
        ("[Other]\nExec=/a/b\n[Desktop Entry]\nExec=/opt/x/app\nExec=/no", "/opt/x/app"),
    ],
)
def test_which_program_an_entry_opens(text: str, program: str) -> None:
    entry = parsed("x.desktop", text)
    assert entry is not None
    assert entry.program == program


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[Desktop Entry]",
        "[Desktop Entry]\nExec='open",
        "[Desktop Entry]\nExec=env A=1",
        "[Desktop Entry]\nExec=/opt/x\nHidden=true",
        "Exec=/opt/x",
        "\x00\xff=\n[=",
        "[Desktop Entry]\nExec",
    ],
)
def test_an_entry_that_opens_nothing_is_none(text: str) -> None:
    assert parsed("x.desktop", text) is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/office.service\n", "office.service"),
        ("0::/system.slice/system-office.slice/office@1.service/inner\n", "office@1.service"),
        ("12:cpu:/\n1:name=systemd:/system.slice/cron.service\n0::/\n", "cron.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", ""),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
        ("0::/\n", ""),
    ],
)
def test_which_service_a_process_is_of(text: str, unit: str) -> None:
    assert unit_in(text) == unit


def test_an_observation_comes_back_from_its_pieces_as_it_was() -> None:
    many = tuple(Candidate(f'/opt/é"{n}', ports=(n + 1,)) for n in range(20))
    seen = Observation("linux", many, 3)
    cut = list(pieces(seen))
    assert len(cut) > 1
    assert max(map(len, cut)) <= 450
    assert joined(cut) == seen


def test_what_no_report_can_hold_is_cut_by_whole_folders() -> None:
    programs = tuple(SeenProgram("é" * 300, ("ü" * 100,) * 10) for _ in range(30))
    seen = Observation("linux", tuple(Candidate(f"/opt/{n}", programs) for n in range(20)))
    cut = within_bounds(seen)
    assert len(cut) <= 1000
    told = joined(cut)
    assert 0 < len(told.candidates) < 20
    assert len(told.candidates) + told.left_out == 20


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"system": 1}', "[" * 100_000, '{"system":"x","left_out":-1}']
)
def test_pieces_that_are_no_observation_are_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        joined([text])


def test_nothing_listens_where_nothing_does(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port in host.bench.platform.listening()[os.getpid()]
    assert port not in host.bench.platform.listening().get(os.getpid(), ())
