"""A run that was killed is tidied up by the next; where no box can be, it is said why."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lan.settings import PREFIX, PROJECT

_OTHER_RUN = """
from tests.lan.box import Box
with Box(1, disk_megabytes={"h1": 32}):
    print("up", flush=True)
    input()
"""


def _other_run(folder: Path) -> subprocess.Popen[str]:
    others = {
        "ROUNDSMAN_LAN_FOLDER": str(folder),
        "ROUNDSMAN_LAN_PREFIX": f"{PREFIX}x",
        "ROUNDSMAN_LAN_NET": "10.250",
    }
    return subprocess.Popen(
        [sys.executable, "-c", _OTHER_RUN],
        env={**os.environ, **others},
        cwd=PROJECT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _is_left(folder: Path) -> list[str]:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left = [line for line in mounts if str(folder) in line]
    left += [one.name for one in Path("/run/netns").glob(f"{PREFIX}x-*")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            left += [text for text in [process.read_text()] if str(folder) in text]
    return left


def test_what_a_killed_run_has_left_is_gone_after_the_next(tmp_path: Path) -> None:
    with _other_run(tmp_path) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "up\n"
        killed.send_signal(signal.SIGKILL)
    assert _is_left(tmp_path)
    with _other_run(tmp_path) as second:
        said, _ = second.communicate("\n", timeout=60)
    assert (said, second.returncode) == ("up\n", 0)
    assert _is_left(tmp_path) == []


def test_where_namespaces_are_not_allowed_it_says_so() -> None:
    weak = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    said = subprocess.run(
        [*weak, "tests/lan/prepare.sh"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert said.stderr.startswith("the LAN in a box cannot run here: this machine does not allow")


_AS_NOBODY = """
import os
from tests.lan.box import Box
os.setuid(65534)
Box(1).__enter__()
"""


@pytest.mark.parametrize(
    "command",
    [
        ["runuser", "-u", "nobody", "--", "tests/lan/prepare.sh"],
        [sys.executable, "-c", _AS_NOBODY],
    ],
)
def test_without_root_it_says_that_root_is_needed(command: list[str]) -> None:
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert re.search(r"the LAN in a box cannot (run here|start): it needs root", said.stderr)
