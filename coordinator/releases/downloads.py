"""Downloads from vendors, in a thread, one at a time; followed while they are under way.

A download is not durable: what came stays on the disk, and asking again goes on with it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from coordinator.complaint import Complaint
from coordinator.model import DownloadState
from coordinator.releases.fetch import Fetch, Wait, Wanted
from coordinator.releases.source import Source

_log = logging.getLogger(__name__)
_KEPT = 50  # downloads that have ended


@dataclass(frozen=True, slots=True)
class Order:
    """All packages of one release that are to be fetched, and what becomes of each."""

    app: str
    version: str
    wanted: tuple[Wanted, ...]
    source: Source
    folder: Path
    take_in: Callable[[Wanted, Path], str]  # returns the target's name; raises `Complaint`


@dataclass(frozen=True, slots=True)
class Download:
    """One download as it stands."""

    id: str
    app: str
    version: str
    began: float  # seconds since 1970
    state: DownloadState = DownloadState.UNDER_WAY
    place: str = ""  # what is fetched now
    bytes_done: int = 0
    bytes_total: int = 0
    targets: tuple[str, ...] = ()  # what was taken in, to be signed
    unverified: tuple[str, ...] = ()  # SHA-256 of what came without one to hold against it
    ended: float | None = None
    problem: str = ""
    mend: str = ""


class Downloads:
    """All downloads of this daemon; any thread may call it."""

    def __init__(self, wait: Wait = time.sleep, clock: Callable[[], float] = time.time) -> None:
        self._wait = wait
        self._clock = clock
        self._lock = threading.Lock()
        self._all: dict[str, Download] = {}

    def find(self, download: str) -> Download | None:
        """Return a download by its id."""
        with self._lock:
            return self._all.get(download)

    def begin(self, order: Order, new_id: str) -> Download:
        """Begin a download; the same one under way is returned. Raises `Complaint`."""
        with self._lock:
            busy = [d for d in self._all.values() if d.state is DownloadState.UNDER_WAY]
            if busy:
                return _joined(busy[0], order)
            for old in list(self._all)[: -_KEPT + 1]:
                del self._all[old]
            begun = Download(new_id, order.app, order.version, self._clock())
            self._all[new_id] = begun
        name = f"download {order.app} {order.version}"
        threading.Thread(target=self._run, args=(new_id, order), name=name, daemon=True).start()
        return begun

    def _run(self, key: str, order: Order) -> None:
        problem, mend = "the coordinator met a defect of its own", "see the log of the coordinator"
        try:
            for wanted in order.wanted:
                self._one(key, order, wanted)
            problem = mend = ""
        except Complaint as error:
            problem, mend = error.error, error.mend
        finally:
            self._end(key, problem, mend)

    def _one(self, key: str, order: Order, wanted: Wanted) -> None:
        self._change(key, place=wanted.place, bytes_done=0, bytes_total=wanted.size or 0)

        def followed(done: int, total: int) -> None:
            self._change(key, bytes_done=done, bytes_total=total)

        fetch = Fetch(wanted, order.source, order.folder, followed, self._wait)
        with fetch.run() as file:
            target = order.take_in(wanted, file)
        unverified = self._all[key].unverified + (() if wanted.sha256 else (fetch.sha256,))
        self._change(key, targets=(*self._all[key].targets, target), unverified=unverified)

    def _end(self, key: str, problem: str, mend: str) -> None:
        state = DownloadState.FAILED if problem else DownloadState.DONE
        self._change(key, state=state, place="", problem=problem, mend=mend, ended=self._clock())
        found = self._all[key]
        about = {"app": found.app, "release": found.version, "state": state.value, "why": problem}
        _log.info("download ended", extra=about)

    def _change(self, key: str, **values: object) -> None:
        with self._lock:
            self._all[key] = replace(self._all[key], **values)  # type: ignore[arg-type]


def _joined(busy: Download, order: Order) -> Download:
    if (busy.app, busy.version) == (order.app, order.version):
        return busy
    raise Complaint(
        f"cannot download {order.app} {order.version} yet: {busy.app} {busy.version} is under way",
        "ask again once it has ended",
    )
