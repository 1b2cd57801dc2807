"""What can be made to go wrong in the demo: real damage to real things, one function each.

A trouble is given the office, one workstation, the rollout's name, an event that ends it, and
how to tell the person who watches. None of them touches the product: they do what an office does.
"""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from coordinator.cli.demo_office import DemoOffice
from coordinator.cli.demo_workstation import Workstation

_LOOK_SECONDS = 0.02
_ASK_SECONDS = 0.3
_STILL_SECONDS = 0.5
_CLOSED_SECONDS = 5.0
_VISITED = {"updating", "checking"}

Say = Callable[[str], None]
Trouble = Callable[[DemoOffice, Workstation, str, threading.Event, Say], None]


def damage_staged_release(
    office: DemoOffice, host: Workstation, _label: str, end: threading.Event, say: Say
) -> None:
    """Change one bit of the release that waits on the workstation, and wherever it came from.

    Not before the others have all of it: what is found damaged is fetched again.
    """
    while not end.wait(_LOOK_SECONDS):
        waiting = [file for other in office.hosts if (file := _staged(other))]
        mine = _staged(host)
        if mine is None or len(waiting) < len(office.hosts):
            continue
        came = [file for file in (host.state / "downloads").iterdir() if file.is_file()]
        store = office.base / "coordinator" / "packages"
        for damaged in (mine, *came, *(store / file.stem for file in came)):
            _change_a_bit(damaged)
        say(
            f"{host.name}: one bit of the release that waits there, and of its source, was changed"
        )
        return


def _staged(host: Workstation) -> Path | None:
    files = (host.state / "staging").glob("*/incoming/lib/module100.dat")
    return next((file for file in files if _is_still(file)), None)


def _is_still(file: Path) -> bool:
    """True when a file is there and whole, and nobody has written it just now."""
    if not file.exists():
        return False
    facts = file.stat()
    return facts.st_size > 0 and time.time() - facts.st_mtime > _STILL_SECONDS


def _change_a_bit(file: Path) -> None:
    with file.open("r+b") as content:
        content.seek(file.stat().st_size // 2)
        byte = content.read(1)[0]
        content.seek(-1, 1)
        content.write(bytes([byte ^ 1]))


def hold_port(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event, say: Say
) -> None:
    """Take the service manager's port as soon as it is free, and keep it while it is visited."""
    while not end.wait(_LOOK_SECONDS):
        try:
            holder = socket.create_server(("127.0.0.1", host.port))
        except OSError:
            continue
        with holder:
            say(f"{host.name}: another program took port {host.port}")
            while not end.wait(_ASK_SECONDS):
                if office.state_of(label, host) in {"rolled-back", "skipped", "updated"}:
                    return
        return


def kill_coordinator(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event, say: Say
) -> None:
    """Kill -9 the coordinator while a workstation is being updated, and start it again."""
    if not _wait_for_visit(office, host, label, end):
        return
    pid = office.kill_coordinator()
    say(f"the coordinator, process {pid}, was killed while {host.name} was being updated")
    office.start_coordinator()
    say("the coordinator was started again; the rollout goes on where it was")


def open_past_the_guard(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event, say: Say
) -> None:
    """Open the app on a workstation from a copy the guard does not know, while others are done."""
    copy = office.base / "elsewhere" / "notepad.py"
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(host.folder / "officeapp.py", copy)
    visited = next((h for h in office.hosts if h is not host), host)
    if not _wait_for_visit(office, visited, label, end):
        return
    host.open_app("intruder", copy)
    say(f"{host.name}: the app was opened past the guard, from a copy of another name")


def keep_opening(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event, say: Say
) -> None:
    """Have somebody who cannot wait open the app again and again, while another is updated."""
    visited = next(h for h in office.hosts if h is not host)
    if not _wait_for_visit(office, visited, label, end):
        return
    lives = [0.0]
    while not end.wait(_ASK_SECONDS) and office.state_of(label, visited) in _VISITED:
        begun, opened = time.monotonic(), host.open_app("impatient")
        with suppress(subprocess.TimeoutExpired):  # the witness will tell
            opened.wait(_CLOSED_SECONDS)
        lives.append(time.monotonic() - begun)
    times = f"{len(lives) - 1} times meanwhile"
    say(f"{host.name}: the app was opened {times}, and closed again within {max(lives):.1f} s")


def _wait_for_visit(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event
) -> bool:
    while not end.wait(_LOOK_SECONDS):
        if office.state_of(label, host) in _VISITED:
            return True
    return False


FAULTS: dict[str, Trouble] = {
    "apply-release": damage_staged_release,
    "start-service-manager": hold_port,
    "check-health": hold_port,
}
"""Which steps can be made to fail with `--fail`, and by what."""
