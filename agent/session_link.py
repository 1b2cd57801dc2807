"""The service's end of the link to one desktop program: lines, never waited for, and bounded.

The program runs as its user, who may have it say anything or nothing. Whatever is out of
bounds raises `BadDesktop`; what cannot be sent at once is kept, up to a bound.
"""

import socket
from collections import deque

from agent.session.messages import FROM_DESKTOP, MOST_BYTES, SILENT_SECONDS, from_line, to_line
from agent.wire.codec import BadMessage

MOST_A_SECOND = 50
"""Messages; a desktop says one every two seconds, and what changes."""
_MOST_READ = 4 * MOST_BYTES
_CHUNK = 64 * 1024


class BadDesktop(Exception):  # noqa: N818 - reads better where it is raised
    """The program at the other end is of no use any more, and why."""


class SessionLink:
    """One link. `put` and `flush` under the owner's lock; `take` by the one thread that reads."""

    def __init__(self, end: socket.socket, silent_seconds: float = SILENT_SECONDS) -> None:
        self._end = end
        self._silent_seconds = silent_seconds
        self._rest = b""
        self._unsent = bytearray()
        self._stuck_since = 0.0
        self._read: deque[tuple[float, int]] = deque()  # (when, bytes), of the last second

    def fileno(self) -> int:
        """Return the handle, to wait on."""
        return self._end.fileno()

    @property
    def has_more(self) -> bool:
        """True when something is still to be sent."""
        return bool(self._unsent)

    def put(self, message: object, now: float) -> None:
        """Send it as soon as that is possible. Raises `BadDesktop`."""
        line = to_line(message)
        if len(self._unsent) + len(line) > MOST_BYTES:
            raise BadDesktop("it does not read what it is told")
        if not self._unsent:
            self._stuck_since = now
        self._unsent += line
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send what goes without waiting. Raises `BadDesktop`."""
        try:
            while self._unsent:
                del self._unsent[: self._end.send(self._unsent)]
                self._stuck_since = now
        except BlockingIOError:
            if now - self._stuck_since > self._silent_seconds:
                raise BadDesktop("it does not read what it is told") from None
        except OSError as error:
            raise BadDesktop(f"it has gone: {error.strerror}") from None

    def take(self, now: float) -> list[object]:
        """Return what has come, without waiting. Raises `BadDesktop`."""
        try:
            chunk = self._end.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            raise BadDesktop(f"it has gone: {error.strerror}") from None
        if not chunk:
            raise BadDesktop("it has ended")
        return self._messages(chunk, now)

    def _messages(self, chunk: bytes, now: float) -> list[object]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if any(len(line) > MOST_BYTES for line in (*lines, self._rest)):
            raise BadDesktop(f"it says more than {MOST_BYTES} bytes at once")
        self._count(now, len(lines), len(chunk))
        try:
            return [from_line(line, FROM_DESKTOP) for line in lines]
        except BadMessage as error:
            raise BadDesktop(f"it says what cannot be: {error}") from None

    def _count(self, now: float, lines: int, size: int) -> None:
        while self._read and now - self._read[0][0] >= 1.0:
            self._read.popleft()
        self._read.extend([(now, size)] + [(now, 0)] * (lines - 1))
        read = sum(size for _, size in self._read)
        if len(self._read) > MOST_A_SECOND or read > _MOST_READ:
            raise BadDesktop(f"it says more than {MOST_A_SECOND} things a second")
