"""What can be made to go wrong in the demo: real damage to real things, one function each.

A trouble is given the office, one workstation, the rollout's name, an event that ends it, and
how to tell the person who watches. None of them touches the product: they do what an office does.
"""

import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from coordinator.cli.demo_drafts import Drafts
from coordinator.cli.demo_office import DemoOffice
from coordinator.cli.demo_processes import Process, wait_for
from coordinator.cli.demo_workstation import Workstation

_LOOK_SECONDS = 0.02
_ASK_SECONDS = 0.3
_STILL_SECONDS = 0.5
_RECOVERY_SECONDS = 1.0
_CLOSED = {0, -signal.SIGTERM, -signal.SIGKILL}
"""How a program ends that was closed, not one that could not start."""
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
    host.start(copy, "intruder", "--home", str(host.folder))
    say(f"{host.name}: the app was opened past the guard, from a copy of another name")


def keep_opening(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event, say: Say
) -> None:
    """Have somebody who cannot wait open the app again and again, while another is updated.

    The vendor's own updater, whose time has come, opens once before that.
    """
    visited = next(h for h in office.hosts if h is not host)
    if not _wait_for_visit(office, visited, label, end):
        return
    lives = [_life_of(host.start(host.folder / "updater.py"), end)]
    while not end.wait(_ASK_SECONDS) and office.state_of(label, visited) in _VISITED:
        lives.append(_life_of(host.open_app("impatient"), end))
    times = f"{len(lives) - 1} times meanwhile, its updater once by itself"
    say(f"{host.name}: the app was opened {times}, all closed again within {max(lives):.1f} s")


def start_again(
    office: DemoOffice, host: Workstation, label: str, end: threading.Event, say: Say
) -> None:
    """Start the service manager again whenever it has ended, as a service's recovery does.

    While the workstation itself is updated the agent starts it, too: that is not counted.
    """
    lives: list[float] = []
    while not end.wait(_RECOVERY_SECONDS):
        if _answers(host.port):
            continue
        is_visited = office.state_of(label, host) in _VISITED
        manager = host.start(host.folder / "servicemanager.py")
        life = _life_of(manager, end)
        is_visited = is_visited or office.state_of(label, host) in _VISITED
        if manager.poll() in _CLOSED and not is_visited:
            lives.append(life)
    if lives:
        again = f"its service manager was started again {len(lives)} times by its recovery"
        say(f"{host.name}: {again}, and closed again within {max(lives):.1f} s")


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), _ASK_SECONDS).close()
    except OSError:
        return False
    return True


def _life_of(opened: Process, end: threading.Event) -> float:
    """Return for how many seconds a program was open, or has been when all has ended."""
    begun = time.monotonic()
    while opened.poll() is None and not end.wait(_LOOK_SECONDS):
        pass
    return time.monotonic() - begun


def leave_unsaved(drafts: Drafts, host: Workstation, patience: float = 2.0) -> None:
    """Have somebody write something, save nothing and go away; return once it is written.

    Asked to close, the app asks for `patience` seconds, 0 = for ever, and gives up.
    """
    host.open_app("lea", "--unsaved", str(drafts.folder), "--patience", str(patience))
    draft = drafts.folder / "lea.draft"
    wait_for(draft.exists, f"the app does not open on {host.name}", host.place / "app.log")


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
