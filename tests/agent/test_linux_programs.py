"""Programs that the agent runs to their end: their limits, their words, and all they start."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agent.platforms.linux import Linux
from agent.platforms.tend import MOST_OUTPUT
from tests.until import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run things as others")
_DAEMON = """
import os, pathlib, signal, sys
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        break
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with pathlib.Path("pids").open("a") as file:
    file.write(f"{os.getpid()}\\n")
"""


def going() -> None:
    pass


def _python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


def _pids(folder: Path, count: int) -> list[int]:
    file = folder / "pids"
    until(lambda: file.exists() and len(file.read_text().split()) == count, what="all of it runs")
    return [int(pid) for pid in file.read_text().split()]


def test_a_program_is_run_to_its_end_and_its_last_words_kept(tmp_path: Path) -> None:
    ended = Linux().run(
        _python("import os; print('x' * 100_000 + os.getcwd()); raise SystemExit(3)"),
        tmp_path,
        30.0,
        going,
    )

    assert ended.code == 3
    assert len(ended.output) == MOST_OUTPUT
    assert ended.output.endswith(f"x{tmp_path}\n")


def test_its_environment_is_its_own_and_nobody_answers_it(tmp_path: Path) -> None:
    ended = Linux().run(
        _python("import os, sys; print(sorted(os.environ), repr(sys.stdin.read()))"),
        tmp_path,
        30.0,
        going,
    )

    assert ended.output.startswith("['DEBIAN_FRONTEND', 'HOME', 'LANG'")
    assert "ROUNDSMAN" not in ended.output
    assert ended.output.endswith(" ''\n")


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    all_there = "while len(pathlib.Path('pids').read_text().split()) < 3: os.sched_yield()"
    code = f"import os\nme = os.getpid()\n{_DAEMON}\nif os.getpid() != me: signal.pause()\n"

    ended = Linux().run(_python(code + all_there), tmp_path, 30.0, going)

    assert ended.code == 0
    assert not any(psutil.pid_exists(pid) for pid in _pids(tmp_path, 3))


def test_one_that_does_not_end_in_time_is_ended_with_all_it_started(tmp_path: Path) -> None:
    ended = Linux().run(_python(_DAEMON + "signal.pause()"), tmp_path, 1.5, going)

    assert ended.code is None
    assert not any(psutil.pid_exists(pid) for pid in _pids(tmp_path, 3))


def test_one_that_nobody_wants_any_more_is_ended_with_all_it_started(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def stop() -> None:
        if (tmp_path / "pids").exists():
            _pids(tmp_path, 3)
            raise EnoughError

    with pytest.raises(EnoughError):
        Linux().run(_python(_DAEMON + "signal.pause()"), tmp_path, 60.0, stop)

    assert not any(psutil.pid_exists(pid) for pid in _pids(tmp_path, 3))


def test_nothing_of_it_outlives_an_agent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agent.platforms.linux import Linux; "
        "Linux().run(sys.argv[2:], Path(sys.argv[1]), 60.0, lambda: None)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path), *_python(_DAEMON + "signal.pause()")]
    with subprocess.Popen(argv) as agent:
        pids = _pids(tmp_path, 3)
        agent.kill()

    until(lambda: not any(map(psutil.pid_exists, pids)), what="all of it has ended")


def test_one_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r'cannot run "/no/such/program": .*No such file'):
        Linux().run(["/no/such/program"], tmp_path, 5.0, going)


@_AS_ROOT
def test_what_is_run_as_nobody_has_no_rights_and_can_gain_none(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    tmp_path.chmod(0o755)
    code = (
        "import os\n"
        "print(os.getuid(), os.getgroups(), os.access('/etc/shadow', os.R_OK))\n"
        "print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])\n"
    )

    ended = Linux().run_as_nobody(["/usr/bin/env", "python3", "-I", "-c", code], Path("/"), 30.0)

    if ended.code == 127:
        pytest.skip("no python3 that anybody may run")
    lines = ended.output.splitlines()
    assert lines[0].split()[0] != "0"
    assert lines[0].endswith("False")
    assert lines[1] == "1"


@_AS_ROOT
def test_what_is_run_as_nobody_fills_no_disk(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:2]:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)

    Linux().run_as_nobody(
        ["/bin/dd", "if=/dev/zero", "of=big", "bs=1M", "count=4"], tmp_path, 30.0
    )

    big = tmp_path / "big"
    assert not big.exists() or big.stat().st_size <= 2**20


@_AS_ROOT
def test_what_is_run_as_nobody_and_does_not_end_is_ended(tmp_path: Path) -> None:
    ended = Linux().run_as_nobody(["/bin/sleep", "60"], Path("/"), 1.0)

    assert ended.code is None
