"""How soon who opens a closed app has the window on the screen that says why. Needs a desktop.

A whole agent runs, with its program on a real X11 screen; what is opened is a copy of `sleep`.
Each notice is put aside before the next, as its reader would.
"""

import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figure import Figure, spread
from tests.desktop.people import Hands
from tests.desktop.screens import desktop, missing_packages
from tests.desktop.test_whole_agent import agent_on, notices, opened

_OPENINGS = 20
_LOOK_SECONDS, _AT_MOST, _BETWEEN_SECONDS = 0.01, 20.0, 1.2
_LIMIT = 1.0
_PAUSE = threading.Event()


def measure() -> list[Figure]:
    if missing := missing_packages():
        sys.stderr.write(f"not measured: it needs {', '.join(missing)}\n")
        return []
    with desktop() as display, Hands(display) as hands, tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app" / "bin" / "app"
        app.parent.mkdir(parents=True)
        shutil.copy("/bin/sleep", app)
        with agent_on(display, Path(folder)):
            first, *later = [_told_after(app, display, hands) for _ in range(_OPENINGS)]
    note = f"{spread(later)}; the first after the agent's start: {first:.2f}"
    return [
        Figure("relaunch until its notice is up, p50", statistics.median(later), "s", _LIMIT, note)
    ]


def _told_after(app: Path, display: str, hands: Hands) -> float:
    """Open the app; return the seconds until the notice is up, and put it aside."""
    begun = time.perf_counter()
    with opened(app, display) as process:
        _wait(lambda: bool(notices(hands)))
        seconds = time.perf_counter() - begun
        process.wait(_AT_MOST)
    hands.activate(notices(hands)[0])
    hands.press("Escape")
    _wait(lambda: not notices(hands))
    _PAUSE.wait(_BETWEEN_SECONDS)  # a session is told once a second at most
    return seconds


def _wait(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _AT_MOST
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError("the notice neither comes nor goes")
        _PAUSE.wait(_LOOK_SECONDS)
