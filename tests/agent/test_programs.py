import pytest

from agent.platforms.base import Process
from agent.programs import Programs

PROGRAMS = Programs("/opt/app", ("bin/app", "bin/app.py", "tray.exe"))


def process(exe: str, *argv: str, cwd: str = "/") -> Process:
    return Process(1, 0.0, "marie", "", exe, argv or (exe,), cwd)


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (process("/opt/app/bin/app"), "bin/app"),
        (process("/home/marie/tray.exe"), "tray.exe"),
        (process("/usr/bin/python3.11", "python3", "/opt/app/bin/app.py"), "bin/app.py"),
        (process("/usr/bin/python3", "python3", "-I", "-X", "dev", "/opt/app/bin/app.py"),
         "bin/app.py"),
        (process("/usr/bin/python3", "python3", "bin/app.py", cwd="/opt/app"), "bin/app.py"),
        (process("/usr/bin/bash", "/bin/bash", "./app", "-v", cwd="/opt/app/bin"), "bin/app"),
        (process("/usr/bin/perl", "perl", "/usr/lib/tray.exe"), "tray.exe"),
        (process("C:\\Tools\\tray.exe"), "tray.exe"),
    ],
)  # fmt: skip
def test_a_process_of_the_app_is_known_however_it_was_started(found: Process, name: str) -> None:
    assert PROGRAMS.name_of(found) == name


@pytest.mark.parametrize(
    "found",
    [
        process("/opt/other/bin/app"),
        process("/opt/app/bin/app.old"),
        process("/usr/bin/vim", "vim", "/opt/app/bin/app.py"),
        process("/usr/bin/python3", "python3", "/home/me/job.py", "/opt/app/bin/app.py"),
        process("/usr/bin/python3", "python3", "-m", "json.tool", "/opt/app/bin/app.py"),
        process("/usr/bin/python3", "python3", "bin/app.py", cwd="/home/marie"),
        process("/usr/bin/python3", "python3"),
        process("", ""),
    ],
)
def test_what_only_looks_like_the_app_is_left_alone(found: Process) -> None:
    assert not PROGRAMS.include(found)
