"""Waits for something to become true, and says what did not when it does not."""

import time
from collections.abc import Callable

_SHORTEST, _LONGEST = 0.005, 0.05
"""Seconds between two looks: what comes late is looked for less often, as looking has a price."""


def until(predicate: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Return as soon as `predicate()` is true; fail the test after `seconds`."""
    begun = time.monotonic()
    while not predicate():
        waited = time.monotonic() - begun
        if waited > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what or predicate}")
        time.sleep(min(max(waited / 20, _SHORTEST), _LONGEST))
