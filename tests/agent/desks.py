"""A host with screens for the tests: a process with a DISPLAY, and a stand-in in each desktop."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.platforms.desktop import Desktop
from agent.platforms.linux_desktops import LinuxDesktops
from agent.session.messages import CodeJudged
from agent.session_place import Pace
from agent.sessions import Sessions
from tests.until import until

STANDIN = Path(__file__).with_name("standin_desktop.py")
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""Ours may lie in a folder that other users may not enter."""
QUICK = Pace(
    look=0.1,
    calm_look=0.1,
    silent=6.0,
    first_word=15.0,
    first_pause=0.05,
    most_pause=0.4,
    lacking_pause=0.4,
)
IMPATIENT = replace(QUICK, silent=1.0, first_word=2.0)
_numbers = itertools.count(1)


class Desks:
    """Screens of users, a stand-in program for each, and the `Sessions` of an agent."""

    def __init__(self, folder: Path, habits: Sequence[str], pace: Pace) -> None:
        self.folder = folder
        self.typed: list[str] = []
        self._screens: dict[str, subprocess.Popen[bytes]] = {}
        self._names = [f":{os.getpid()}{next(_numbers)}" for _ in range(3)]
        self.control = LinuxDesktops(
            self._names, (str(folder / STANDIN.name), str(folder), *habits), self._python()
        )
        self.people = Sessions(self.control, pace)

    def _python(self) -> str:
        return str(SYSTEM_PYTHON) if os.geteuid() == 0 else sys.executable

    def start(self) -> None:
        self.people.start(self._judge)

    def _judge(self, _user: str, code: str) -> CodeJudged:
        self.typed.append(code)
        return CodeJudged(False, "not this one")

    def log_in(self, uid: int | None = None, number: int = 0) -> str:
        """Have a user's program run on a screen; return the id of that session."""
        name = self._names[number]
        who: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid}
        environment = {"DISPLAY": name, "LANG": "fr_FR.UTF-8", "SECRET": "x", "LD_PRELOAD": ""}
        self._screens[name] = subprocess.Popen(
            ["/bin/sleep", "600"], env=environment, extra_groups=[] if who else None, **who
        )
        until(lambda: self._desktop(name), what=f"the screen {name} is seen")
        found = self._desktop(name)
        assert found is not None
        return found.session

    def _desktop(self, name: str) -> Desktop | None:
        found = self.control.desktops()
        return next((d for d in found if d.environment.get("DISPLAY") == name), None)

    def log_out(self, number: int = 0) -> None:
        screen = self._screens.pop(self._names[number])
        screen.kill()
        screen.wait()

    def lives(self) -> list[dict[str, Any]]:
        """Return the first page of the diary of each program, in the order they were begun."""
        pages = [(d.stat().st_mtime_ns, d.read_text()) for d in self.folder.glob("*.diary")]
        return [json.loads(text.partition("\n")[0]) for _, text in sorted(pages) if "\n" in text]

    def told(self, pid: int | None = None) -> list[dict[str, Any]]:
        """Return what a program was told, or all of them."""
        diaries = self.folder.glob(f"{pid or '*'}.diary")
        lines = [line for diary in diaries for line in diary.read_text().splitlines()[1:]]
        return [json.loads(line) for line in lines]

    def working(self) -> list[int]:
        """Return the pids of the programs that are alive."""
        return [life["pid"] for life in self.lives() if _is_alive(life["pid"])]

    def close(self) -> None:
        self.people.close()
        for number, name in enumerate(self._names):
            if name in self._screens:
                self.log_out(number)
        assert not self.working()


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def desks(*habits: str, pace: Pace = QUICK) -> Iterator[Desks]:
    """Yield a host where nobody is logged in yet; its agent's people are not started."""
    with tempfile.TemporaryDirectory(prefix="desks") as name:
        folder = Path(name)
        folder.chmod(0o777)  # every user keeps a diary here
        shutil.copy(STANDIN, folder)
        (folder / STANDIN.name).chmod(0o644)
        made = Desks(folder, habits, pace)
        try:
            yield made
        finally:
            made.close()
