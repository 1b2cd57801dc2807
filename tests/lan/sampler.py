"""Watches the disks of hosts for the way back and for backups; imports nothing of the product.

usage: sampler.py CONFIG RECORD    (ends on SIGTERM)

CONFIG is JSON: `hosts`, each with `name`, `folder` (the app's) and `backups` (where they are
kept). It holds on to the app folder that is there at the beginning, wherever it is renamed to.
RECORD has one JSON object a line, each with `time` (seconds since 1970) and `host`:

* `{"way_back"}`: where the folder of the beginning is now; null once something is missing in it.
* `{"backup", "complete", "changed"}`: the list of a backup, a folder, was written at `changed`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

_LOOK_EVERY_SECONDS = 0.02

Json = dict[str, Any]


class Disk:
    """One host's disk."""

    def __init__(self, host: Json, record: TextIO) -> None:
        self._name, self._backups = host["name"], Path(host["backups"])
        self._record = record
        self._first = os.open(host["folder"], os.O_RDONLY | os.O_DIRECTORY)
        self._whole = set(os.listdir(self._first))  # noqa: PTH208 - wherever it is by now
        self._seen: dict[str, Json] = {}
        self._changed: dict[Path, float] = {}

    def look(self) -> None:
        """Write down what is not as it was."""
        self._tell("way_back", {"way_back": self._way_back()})
        for listed in self._backups.glob("*/backup.json"):
            self._look_at(listed)

    def _look_at(self, listed: Path) -> None:
        try:
            changed = listed.stat().st_ctime
            if self._changed.get(listed) == changed:
                return
            complete = '"complete": true' in listed.read_text("utf-8")
        except FileNotFoundError:
            return
        self._changed[listed] = changed
        self._tell(
            str(listed), {"backup": str(listed.parent), "complete": complete, "changed": changed}
        )

    def _way_back(self) -> str | None:
        if not self._whole <= set(os.listdir(self._first)):  # noqa: PTH208
            return None
        return os.readlink(f"/proc/self/fd/{self._first}")  # noqa: PTH115

    def _tell(self, about: str, fact: Json) -> None:
        if self._seen.get(about) != fact:
            self._seen[about] = fact
            said = {"time": time.time(), "host": self._name, **fact}
            self._record.write(json.dumps(said) + "\n")
            self._record.flush()


class Ending:
    """Becomes true on SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True


def main(config: str, record_file: str) -> int:
    """Watch until told to end; says so once everything was looked at."""
    ending = Ending()
    with Path(record_file).open("a", encoding="utf-8") as record:
        disks = [Disk(host, record) for host in json.loads(Path(config).read_text())["hosts"]]
        for disk in disks:
            disk.look()
        print("watching", flush=True)  # noqa: T201
        while not ending.asked:
            for disk in disks:
                disk.look()
            time.sleep(_LOOK_EVERY_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
