"""Stops the system's service whose process the guard has closed: it would be restarted for ever.

The guard looks five times a second and waits for nobody, and systemctl may take its time: so it
is asked in a thread of its own, one at a time. A step that starts the service bars it meanwhile.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agent.platforms.base import ServiceControl

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 10.0


class Units:
    """Stops units, one at a time and each no more than once in ten seconds."""

    def __init__(self, services: ServiceControl) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._barred = 0
        self._asked: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def stop(self, unit: str) -> None:
        """Have the unit stopped, its restarts too; returns at once."""
        now = time.monotonic()
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            if self._barred or busy or now - self._asked.get(unit, -1e9) < _AGAIN_SECONDS:
                return
            self._asked[unit] = now
            self._thread = threading.Thread(target=self._stop, args=(unit,), daemon=True)
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
