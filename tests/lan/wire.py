"""A wire in user space: joins two interfaces, each frame late and some of them lost, both ways.

usage: python -m tests.lan.wire INTERFACE INTERFACE DELAY_MS LOSS_PERCENT

For kernels without netem. Frames carry their virtio header, so what the network cards are asked to
do (segments, checksums) passes through untouched and 64 KB cost one read. It prints "ready" when
it carries frames, and ends when it is killed.
"""

import collections
import random
import select
import socket
import sys
import time

_SOL_PACKET, _VNET_HDR, _IGNORE_OUTGOING = 263, 15, 23
_RCVBUFFORCE, _SNDBUFFORCE = 33, 32
_EVERY_PROTOCOL = 3
_BUFFER = 8 << 20
_FRAMES_AT_ONCE = 64


class Wire:
    """Two ends and what is on its way between them."""

    def __init__(self, one: str, other: str, delay_ms: float, loss_percent: float) -> None:
        self._ends = [_end(one), _end(other)]
        self._delay, self._loss = delay_ms / 1000, loss_percent / 100
        self._under_way: collections.deque[tuple[float, socket.socket, bytes]] = (
            collections.deque()
        )

    def carry(self) -> None:
        """Carry what has come and deliver what is due; wait until there is something."""
        wait = None
        if self._under_way:
            wait = max(0.0, self._under_way[0][0] - time.monotonic())
        for end in select.select(self._ends, [], [], wait)[0]:
            self._take(end)
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, to, frame = self._under_way.popleft()
            _send(to, frame)

    def _take(self, end: socket.socket) -> None:
        to = self._ends[1 - self._ends.index(end)]
        for _ in range(_FRAMES_AT_ONCE):
            try:
                frame = end.recv(70_000, socket.MSG_DONTWAIT)
            except OSError:  # nothing more to read, or the port is down for now
                return
            if random.random() >= self._loss:
                self._under_way.append((time.monotonic() + self._delay, to, frame))


def _send(to: socket.socket, frame: bytes) -> None:
    try:
        to.send(frame)
    except OSError:  # the port is down: as if the cable ended here
        return


def _end(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    for option in (_VNET_HDR, _IGNORE_OUTGOING):
        end.setsockopt(_SOL_PACKET, option, 1)
    for option in (_RCVBUFFORCE, _SNDBUFFORCE):
        end.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    end.bind((interface, 0))
    return end


def main() -> None:
    """Be the wire."""
    one, other, delay, loss = sys.argv[1:]
    wire = Wire(one, other, float(delay), float(loss))
    print("ready", flush=True)  # noqa: T201
    while True:
        wire.carry()


if __name__ == "__main__":
    main()
