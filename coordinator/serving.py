"""The process of the daemon: its log, the signals that end it, what it looks at every second."""

import logging
import os
import signal
import threading

from coordinator.logs import log_to
from coordinator.service import Daemon
from coordinator.settings import Settings

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


def serve(settings: Settings, *, take_over: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. Raises `Complaint` or `DatabaseError` when it cannot."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    log_to(settings.log_folder)
    daemon = Daemon(settings, take_over=take_over)
    daemon.start()
    _log.info("serving", extra={"links": settings.link_port, "https": settings.https_port})
    try:
        while not stopping.wait(_LOOK_SECONDS):
            daemon.look()
    finally:
        daemon.stop()
        logging.shutdown()
    # steps of walks may still wait in threads; the engine takes them up at the next start
    os._exit(0)
