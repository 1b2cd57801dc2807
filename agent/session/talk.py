"""The desktop program's end of the socket pair: lines in, lines out, and never a wait.

The service is trusted, yet a line that is no message ends the program: it is started anew, and
a notice that is half understood would be worse than one that comes a second later.
"""

import socket

from agent.session.messages import MOST_BYTES, TO_DESKTOP, from_line, to_line
from agent.wire.codec import BadMessage

_AT_ONCE = 4 * MOST_BYTES


class Ended(Exception):  # noqa: N818 - reads better where it is raised
    """The service has gone, or no longer listens."""


class Talk:
    """Messages over the inherited socket."""

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)
        self._link = link
        self._rest = b""

    def fileno(self) -> int:
        """Return the socket's number, to be told when there is something to hear."""
        return self._link.fileno()

    def hear(self) -> list[object]:
        """Return what has come since. Raises `Ended`, or `BadMessage` for what is none."""
        *lines, self._rest = (self._rest + self._receive()).split(b"\n")
        if any(len(line) >= MOST_BYTES for line in (*lines, self._rest)):
            raise BadMessage("a line is too long")
        return [from_line(line, TO_DESKTOP) for line in lines]

    def _receive(self) -> bytes:
        try:
            received = self._link.recv(_AT_ONCE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise Ended(str(error)) from error
        if not received:
            raise Ended("the service has closed its end")
        return received

    def say(self, message: object) -> None:
        """Send one message, whole. Raises `Ended` when it cannot be sent at once."""
        line = to_line(message)
        try:
            sent = self._link.send(line)
        except OSError as error:
            raise Ended(str(error)) from error
        if sent < len(line):
            raise Ended("the service does not listen")
