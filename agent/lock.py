"""One agent to a state folder, and one program at a time at what several of them change.

The lock is SQLite's, since it works alike on every system and goes with the process that held
it, however that ended; the pid beside it is for the message only.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


class FolderInUse(Exception):  # noqa: N818 - reads better where it is caught
    """Another agent works on this state folder."""


class FolderLock:
    """Held from creation until `close`. Raises `FolderInUse`, or `OSError`."""

    def __init__(self, state: Path) -> None:
        self._pid = state / "agent.pid"
        self._lock = sqlite3.connect(state / "agent.lock", timeout=0, isolation_level=None)
        try:
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._lock.close()
            raise FolderInUse(
                f"cannot run on {state}: the agent with pid {holder(state)} does ({error})"
            ) from None
        self._pid.write_text(str(os.getpid()), "ascii")

    def close(self) -> None:
        """Let another agent use the folder."""
        self._pid.unlink(missing_ok=True)
        self._lock.close()


@contextmanager
def turn(file: Path, patience: float = 5.0) -> Iterator[None]:
    """Have inside to oneself what other programs, too, enter by the lock `file`.

    Raises `TimeoutError` when one of them is inside for `patience` seconds, or `OSError`.
    """
    try:
        lock = sqlite3.connect(file, timeout=patience, isolation_level=None)
    except sqlite3.Error as error:
        raise OSError(f"cannot use the lock {file}: {error}") from None
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise TimeoutError(f"cannot use the lock {file}: {error}") from None
        yield


def is_held(state: Path) -> bool:
    """True while an agent runs on this folder."""
    if not (state / "agent.lock").exists():
        return False
    probe = sqlite3.connect(state / "agent.lock", timeout=0, isolation_level=None)
    try:
        probe.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    finally:
        probe.close()
    return False


def holder(state: Path) -> str:
    """Return the pid of the agent that runs on this folder, as text."""
    try:
        return (state / "agent.pid").read_text("ascii")
    except OSError:
        return "unknown"
