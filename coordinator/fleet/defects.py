"""Makes the defects of work done in a pool heard: a pool keeps them to itself."""

import logging
from concurrent.futures import Future
from typing import Any

_log = logging.getLogger(__name__)


def log_defect(future: "Future[Any]") -> None:
    """Log what a piece of work raised, if it did; a callback for `Future.add_done_callback`."""
    error = None if future.cancelled() else future.exception()
    if error is not None:
        _log.error("work in a pool ended by a defect", exc_info=error)
