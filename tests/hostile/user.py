"""An ordinary user of the host, for real: a process of another uid that plants and swaps."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UID = 12345
_DROP = f"import json, os, stat, sys, time\nos.setgroups([])\nos.setgid({UID})\nos.setuid({UID})\n"
_SWAP = """

what, hidden, instead, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
links = 0
for _ in range(rounds):
    os.rename(what, hidden)
    os.symlink(instead, what)
    links += os.path.islink(what)
    time.sleep(0.0005)
    os.unlink(what)
    os.rename(hidden, what)
    time.sleep(0.0005)
print(json.dumps(links))
"""


def _started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _DROP + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def told_by_user(code: str, *arguments: str) -> str:
    """Run Python code as the user and return what it prints."""
    with _started(code, *arguments) as child:
        told, complaint = child.communicate(timeout=50)
    assert child.returncode == 0, complaint
    return told


class Swapper:
    """Puts a link in the place of something, and takes it away again, over and over."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.links = 0

    @property
    def is_at_it(self) -> bool:
        return self._child.poll() is None

    def end(self) -> None:
        told, complaint = self._child.communicate(timeout=50)
        assert self._child.returncode == 0, complaint
        self.links = int(json.loads(told))


@contextmanager
def swapping(what: Path, instead: Path, rounds: int) -> Iterator[Swapper]:
    """Have the user swap `what` for a link to `instead`; `links` tells how often it was one."""
    hidden = what.with_name(f"{what.name}.hidden")
    child = _started(_SWAP, str(what), str(hidden), str(instead), str(rounds))
    with child:
        swapper = Swapper(child)
        try:
            yield swapper
            swapper.end()
        finally:
            if child.poll() is None:
                child.kill()
