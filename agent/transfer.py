"""Brings one body, named by its content, into a file: resumes at any byte, from whoever has it.

Mirrors are asked first. One that fails, lies or dawdles is left for the rest of the fetch, and
what is missing still comes from the next, in the end from the coordinator. What came is only
kept when it is found to be what was named.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.rate import Rate
from agent.steps.table import Work
from agent.wire.https import Stream
from agent.wire.https_errors import HttpsError, Unreachable

_PAUSES = (1.0, 5.0, 15.0)
"""Seconds between tries after a cut; they begin anew whenever bytes have come."""
_SLOW_SECONDS = 5.0
_SLOW_RATE = 16 * 1024  # bytes a second
"""A mirror that has been waited for so long, and gave less than that on average, is left."""

_log = logging.getLogger(__name__)
Check = Callable[[Path], bool]
"""Tells whether a file that has come is what was named."""


class Lie(Exception):  # noqa: N818 - reads better where it is caught
    """What came is not what was named, or will not be."""


class CutShort(Exception):  # noqa: N818
    """The line was cut again and again; what has come is kept."""


class Line(Protocol):
    """Somebody who may have it."""

    def stream(
        self, path: str, start: int, headers: Mapping[str, str]
    ) -> AbstractContextManager[Stream]:
        """Give the body from byte `start` on. Raises `HttpsError`."""


@dataclass(frozen=True, slots=True)
class Body:
    """What is to come: where it is, how long it is, and where it goes."""

    path: str
    size: int
    file: Path


class Lines:
    """Whom a fetch may ask: the mirrors that were not left yet, then the coordinator."""

    def __init__(
        self, coordinator: Line, headers: Mapping[str, str], mirrors: Sequence[Line] = ()
    ) -> None:
        self.coordinator = coordinator
        self.headers = headers
        self._mirrors = list(mirrors)
        self.were_more = bool(mirrors)

    @property
    def are_one(self) -> bool:
        """True when only the coordinator is asked."""
        return not self._mirrors

    @property
    def first(self) -> Line:
        """Whom to ask next."""
        return self._mirrors[0] if self._mirrors else self.coordinator

    def leave(self, why: str) -> bool:
        """Leave the mirror that is asked first; False when none is left to be left."""
        if not self._mirrors:
            return False
        _log.warning("mirror left", extra={"mirror": str(self._mirrors.pop(0)), "why": why})
        return True


class Transfer:
    """Brings bodies, one after the other, at the order's rate; counts what came."""

    def __init__(self, lines: Lines, work: Work) -> None:
        self._lines = lines
        self._work = work
        self._rate = Rate(work, work.params.rate)
        self.headers = lines.headers
        self.came = 0
        """Bytes that came over the network so far."""

    def bring(self, body: Body, check: Check, tell: Callable[[int], None]) -> None:
        """Have the whole body in its file; `tell` hears how much of it is there.

        Raises:
            Lie: it is not what was named, whoever was asked; the file is gone.
            CutShort, HttpsError: it could not be had; what came so far is kept.
        """
        while True:
            from_one = self._lines.are_one and not have_of(body.file)
            try:
                self._fetch_all(body, tell)
                _prove(body, check)
            except Lie as lie:
                body.file.unlink(missing_ok=True)
                if not self._lines.leave(str(lie)) and (from_one or not self._lines.were_more):
                    raise  # else a mirror's bytes may have been among them: once more without
            else:
                return

    def _fetch_all(self, body: Body, tell: Callable[[int], None]) -> None:
        tries = 0
        if have_of(body.file) > body.size:
            body.file.unlink()
        while (have := have_of(body.file)) < body.size:
            try:
                self._fetch_from(body, have, tell)
            except HttpsError as error:
                if self._lines.leave(str(error)):
                    continue
                if not isinstance(error, Unreachable):
                    raise
                tries = 0 if have_of(body.file) > have else tries + 1
                if tries > len(_PAUSES):
                    raise CutShort(str(error)) from None
                _log.info("download cut", extra={"have": have_of(body.file), "why": str(error)})
                self._work.pause(_PAUSES[max(tries - 1, 0)])

    def _fetch_from(self, body: Body, start: int, tell: Callable[[int], None]) -> None:
        line = self._lines.first
        with line.stream(body.path, start, self._lines.headers) as stream:
            if stream.total != body.size:
                raise Lie(f"{stream.total} bytes there, {body.size} were signed")
            if not 0 <= stream.start <= start:
                raise Lie("it begins elsewhere than it was asked to")
            chunks = stream.chunks
            self._write(body, stream.start, self._timed(chunks, line), tell)

    def _write(
        self, body: Body, start: int, chunks: Iterator[bytes], tell: Callable[[int], None]
    ) -> None:
        with body.file.open("r+b" if body.file.exists() else "x+b") as file:
            file.truncate(start)
            done = file.seek(start)
            for chunk in chunks:
                file.write(chunk)
                done += len(chunk)
                self.came += len(chunk)
                if done > body.size:
                    raise Lie("more bytes come than were signed")
                tell(done)
                self._rate.take(len(chunk))

    def _timed(self, chunks: Iterator[bytes], line: Line) -> Iterator[bytes]:
        """Yield what comes; raises `Unreachable` when a mirror dawdles."""
        clock, waited, came = self._work.platform.clock, 0.0, 0
        while True:
            asked = clock()
            chunk = next(chunks, None)
            if chunk is None:
                return
            waited, came = waited + clock() - asked, came + len(chunk)
            is_slow = waited > _SLOW_SECONDS and came < waited * _SLOW_RATE
            if is_slow and line is not self._lines.coordinator:
                raise Unreachable("it is too slow to be of use")
            yield chunk


def _prove(body: Body, check: Check) -> None:
    if not check(body.file):
        raise Lie("its content is not what was signed")


def have_of(file: Path) -> int:
    """Return how many bytes of a body are there."""
    return file.stat().st_size if file.exists() else 0
