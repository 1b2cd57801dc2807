"""Stands in for the program in a desktop: python standin_desktop.py FOLDER HABIT... HANDLE.

It does what its habits say, one after the other, and keeps a diary in FOLDER, one file for each
life. Standard library only: it is run by any Python there is, as any user.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

_DEEP = b'{"seen": ' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"
_LIES = {
    "garbage": b"\x00\xff\xfe\x80" * 100 + b"\n",
    "huge": b"x" * 10_000_000,
    "huge-line": b'{"seen": {"windows": [' + b"1," * 5_000_000 + b"1]}}\n",
    "deep": _DEEP,
    "wrong-kind": b'{"show": {"notice": {"kind": "close", "title": "x"}}}\n',
    "unknown-kind": b'{"delete": {}}\n',
    "list": b"[1, 2]\n",
    "two": b'{"said": {"word": "done"}, "seen": {}}\n',
    "wrong-type": b'{"seen": {"windows": "all"}}\n',
    "negative": b'{"seen": {"windows": [-1]}}\n',
    "many": json.dumps({"seen": {"windows": list(range(1, 500))}}).encode() + b"\n",
    "not-a-number": b'{"seen": {"idle_seconds": NaN}}\n',
    "digits": b'{"seen": {"windows": [' + b"9" * 20_000 + b"]}}\n",
    "flood": b'{"seen": {}}\n' * 2000,
    "empty-lines": b"\n" * 100_000,
}


class Desktop:
    windows: tuple[int, ...] = ()

    def __init__(self, folder: Path, handle: int) -> None:
        self.link = socket.socket(fileno=handle)
        self._diary = folder / f"{os.getpid()}.diary"
        self.write(
            {
                "pid": os.getpid(),
                "ids": [os.getuid(), os.getgid(), os.getgroups(), os.getsid(0)],
                "cwd": os.getcwd(),  # noqa: PTH109
                "environment": dict(os.environ),
                "handles": sorted(int(name) for name in os.listdir("/proc/self/fd")),  # noqa: PTH208
                "status": Path("/proc/self/status").read_text("utf-8"),
            }
        )

    def write(self, entry: object) -> None:
        with self._diary.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def say(self, **message: Any) -> None:
        self.link.sendall(json.dumps(message).encode() + b"\n")

    def listen(self) -> None:
        """Say twice a second what is seen, and note what is told, until the service ends."""
        self.link.settimeout(0.5)
        rest = b""
        while True:
            self.say(seen={"windows": self.windows})
            try:
                received = self.link.recv(65536)
            except TimeoutError:
                continue
            if not received:
                return
            *lines, rest = (rest + received).split(b"\n")
            for line in lines:
                self.write(json.loads(line))

    def hang(self) -> None:
        signal.pause()

    def deaf(self) -> None:
        """Say what is seen, and read nothing."""
        while True:
            self.say(seen={})
            time.sleep(0.2)


def main() -> None:
    folder, *habits, handle = sys.argv[1:]
    desktop = Desktop(Path(folder), int(handle))
    for habit in habits:
        word, _, value = habit.partition("=")
        if word == "windows":
            desktop.windows = tuple(int(pid) for pid in value.split(","))
        elif word == "say":
            desktop.say(**json.loads(value))
        elif word == "lie":
            desktop.link.sendall(_LIES[value])
        else:
            {"listen": desktop.listen, "hang": desktop.hang, "deaf": desktop.deaf}[word]()


if __name__ == "__main__":
    main()
