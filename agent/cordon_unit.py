"""Stops the system's service whose process the guard has closed: it would be restarted for ever.

Where the app was opened on the spot it runs again, as soon as no step is under way.

The guard looks five times a second and waits for nobody, and systemctl may take its time: so it
is asked in a thread of its own, one at a time. A step that starts the service bars it meanwhile.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.journal import Journal, JournalError
from agent.platforms.base import ServiceControl
from agent.records import CordonState
from agent.wire.contract import StepState

_WHERE, _WHAT = "~given-back", "cordon"  # sorts after every rollout: never forgotten with one
_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 10.0


class Units:
    """Stops and starts units, one at a time and each no more than once in ten seconds."""

    def __init__(self, services: ServiceControl) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._barred = 0
        self._asked: dict[tuple[str, str], float] = {}
        self._thread: threading.Thread | None = None

    def stop(self, unit: str) -> None:
        """Have the unit stopped, its restarts too; returns at once."""
        self._ask("stop", unit, lambda: self._stop(unit))

    def start(self, unit: str, then: Callable[[], None]) -> None:
        """Have the unit startable and started, and call `then` if it is; returns at once."""
        self._ask("start", unit, lambda: self._start(unit, then))

    def _ask(self, verb: str, unit: str, act: Callable[[], None]) -> None:
        now = time.monotonic()
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            asked = self._asked.get((verb, unit), -1e9)
            if self._barred or busy or now - asked < _AGAIN_SECONDS:
                return
            self._asked[verb, unit] = now
            self._thread = threading.Thread(target=act, daemon=True)
            self._thread.start()

    @contextmanager
    def barred(self) -> Iterator[None]:
        """Stop nothing inside; begins once a stop that is under way has ended."""
        with self._lock:
            self._barred += 1
            thread = self._thread
        try:
            if thread is not None:
                thread.join()
            yield
        finally:
            with self._lock:
                self._barred -= 1

    def close(self, patience: float) -> None:
        """Return when nothing is under way, or after `patience` seconds."""
        if self._thread is not None:
            self._thread.join(patience)

    def _stop(self, unit: str) -> None:
        try:
            self._services.stop(unit)
        except OSError as error:  # its process is closed at every look all the same
            _log.warning("cannot stop a service", extra={"unit": unit, "why": str(error)})
        else:
            _log.warning("stopped a service that was started again", extra={"unit": unit})

    def _start(self, unit: str, then: Callable[[], None]) -> None:
        try:
            self._services.start(unit)
            then()
            self._services.leave(unit)
        except (OSError, JournalError) as error:
            _log.warning("cannot start a service", extra={"unit": unit, "why": str(error)})
        else:
            _log.info("started the service of what was opened", extra={"unit": unit})


class GivingBack:
    """Has the service of a host that was opened on the spot run again, once each time."""

    def __init__(self, journal: Journal, units: Units) -> None:
        self._journal = journal
        self._units = units

    def see(self, state: CordonState) -> None:
        """Start it when it is due; returns at once. Raises `JournalError`."""
        if is_owed(self._journal, state) and not is_step_under_way(self._journal):
            self._units.start(state.record.unit, lambda: note_given(self._journal, state))


def given_back(journal: Journal, services: ServiceControl, *, agent_runs: bool) -> str:
    """Start the service of what was opened here, or leave it to the agent; return what is said.

    "" when there is none to start. Raises `JournalError`.
    """
    state = journal.cordon()
    if state is None or not is_owed(journal, state):
        return ""
    unit = state.record.unit
    if is_step_under_way(journal):
        when = "once the step that is under way has ended"
        return f"Its service {unit} is started by the agent {when}."
    if agent_runs:
        return f"Its service {unit} is being started by the agent."
    try:
        services.start(unit)
        services.leave(unit)
    except OSError as error:
        return f"Its service {unit} does not run: {error}. Start the agent, which tries again."
    note_given(journal, state)
    return f"Its service {unit} was started."


def is_owed(journal: Journal, state: CordonState) -> bool:
    """True when the cordon was opened on the spot, and its service has yet to be started."""
    if not state.opened or not state.record.unit:
        return False
    return journal.memo(_WHERE).get(_WHAT) != _name(state)


def note_given(journal: Journal, state: CordonState) -> None:
    """Keep that the service was started."""
    journal.memo(_WHERE).put(_WHAT, _name(state))


def is_step_under_way(journal: Journal) -> bool:
    """True while a step runs, or waits for the agent to start anew."""
    return any(record.state is StepState.RUNNING for record in journal.to_recover())


def _name(state: CordonState) -> str:
    return f"{state.record.rollout} {state.record.code_hash} {state.record.since}"
