"""Waits for something to become true, and says what did not when it does not."""

import time
from collections.abc import Callable


def until(predicate: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Return as soon as `predicate()` is true; fail the test after `seconds`."""
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what or predicate}")
        time.sleep(0.01)
