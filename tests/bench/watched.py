"""The processor time of another process, read now and then."""

import threading
import time
from types import TracebackType
from typing import Self

from tests.bench.idle import cpu_seconds

_EVERY_SECONDS = 0.02


class Watched:
    """Reads a process's processor time while it is entered; times are `time.time`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._seen: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> float:
        """Return the processor seconds that were spent between two moments."""
        spent = [cpu for at, cpu in self._seen if begin <= at <= end]
        return spent[-1] - spent[0] if spent else 0.0

    def _read(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self._seen.append((time.time(), cpu_seconds(self._pid)))
