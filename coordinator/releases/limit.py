"""A time limit on one look at a share: one whose server is gone lets nobody go who asks it.

That thread is left behind.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from coordinator.complaint import Complaint

T = TypeVar("T")


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Return what `call` returns, or raise what it raises; `TimeoutError` after so long."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except (OSError, Complaint) as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="in time", daemon=True).start()
    return answer.result(seconds)
