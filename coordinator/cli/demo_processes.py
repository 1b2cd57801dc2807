"""Processes of the demo: started apart from this one, killed as a power cut would, all ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from coordinator.complaint import Complaint

_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_END_SECONDS = 15.0
_PORTS, _PORTS_APART = range(12_000, 32_000), 25

Process = subprocess.Popen[bytes]
_chosen: dict[int, int] = {}  # port -> the handle that marks it as this process's


def spawn(command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> Process:
    """Start a process that outlives its terminal and writes to a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip


def kill(process: Process) -> int:
    """End a process as a power cut would, and return its id.

    Raises `Complaint` when it was no longer alive: a kill that killed nothing proves nothing.
    """
    process.kill()
    if process.wait() != -signal.SIGKILL:
        raise Complaint(f"process {process.pid} ended before it could be killed")
    return process.pid


def end(processes: Sequence[Process | None]) -> None:
    """End processes in good order; those that do not listen are killed."""
    running = [p for p in processes if p is not None and p.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def processes_below(folder: Path) -> Iterator[int]:
    """Yield the processes whose command line names something in the folder."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)


def kill_below(folder: Path) -> None:
    """Kill every process whose command line names something in the folder."""
    for pid in processes_below(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for(is_so: Callable[[], object], otherwise: str, log: Path) -> None:
    """Return once something is so. Raises `Complaint` when that takes too long."""
    last = time.monotonic() + _START_SECONDS
    while not is_so():
        if time.monotonic() > last:
            raise Complaint(otherwise, f"read {log}")
        time.sleep(_POLL_SECONDS)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has at this moment, and that no other demo will choose.

    What listens on them is stopped and started in a rollout; a demo begun meanwhile would find
    them free. None of them is a port that the system would give to a connection.
    """
    begin = os.getpid() * _PORTS_APART
    ports = (_PORTS[(begin + number) % len(_PORTS)] for number in range(len(_PORTS)))
    return list(islice((port for port in ports if _is_free(port) and _is_ours(port)), count))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _is_ours(port: int) -> bool:
    """True when no other process has chosen this port; until this one ends, none will."""
    if port in _chosen:
        return True
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0roundsman-demo-port-{port}")  # no file: gone with the process
    except OSError:
        mark.close()
        return False
    _chosen[port] = mark.detach()
    return True
