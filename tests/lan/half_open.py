"""Connections that never come to anything: half say nothing, half begin a TLS hello and drip it.

usage: python3 half_open.py ADDRESS COUNT PORT...    (ends on SIGTERM)

Each that is closed is opened again a second later. It prints, as JSON and every second, how many
are open now, how many were opened in all, and how often one was closed by the other end.
"""

import contextlib
import json
import socket
import sys
import time

_HELLO = bytes.fromhex("160301020001") + bytes(300)  # its beginning, and never its end
_EVERY_SECONDS = 1.0


class Caller:
    """One connection, opened again and again."""

    def __init__(self, address: tuple[str, int], *, drips: bool) -> None:
        self._address, self._left, self._drips = address, b"", drips
        self._sock: socket.socket | None = None
        self.opened = self.closed = 0

    @property
    def is_open(self) -> bool:
        """True while nobody has closed it."""
        return self._sock is not None

    def look(self) -> None:
        """Open it when it is closed; say one byte more, or nothing."""
        if self._sock is None:
            self._open()
            return
        try:
            if self._drips:
                self._sock.send(self._left[:1])
                self._left = self._left[1:]
            if self._sock.recv(4096) == b"":
                self._close()
        except BlockingIOError:
            pass
        except OSError:
            self._close()

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            self._sock = socket.create_connection(self._address, 2)
            self._sock.setblocking(False)
            self._left = _HELLO
            self.opened += 1

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
            self.closed += 1


def main(address: str, count: int, ports: list[int]) -> None:
    """Hold them open until somebody ends this process."""
    callers = [Caller((address, port), drips=bool(n % 2)) for port in ports for n in range(count)]
    while True:
        for caller in callers:
            caller.look()
        told = {
            "open": sum(one.is_open for one in callers),
            "opened": sum(one.opened for one in callers),
            "closed": sum(one.closed for one in callers),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        time.sleep(_EVERY_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(port) for port in sys.argv[3:]])
