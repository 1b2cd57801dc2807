"""Watches the demo's hosts from outside and writes down what changes, for the witness.

usage: watcher.py CONFIG RECORD    (see `witness.py` for what CONFIG holds; ends on SIGTERM)

Every 20 ms it looks at each host's app folder and at the processes named in its evidence log.
The record has one JSON object a line, each with `time` (seconds since 1970):

* `{"host", "from", "folder", "app", "service_manager", "mark", "away", "arrived"}`: the app
  folder is not what it was at `from`, the look before. `folder` is its inode, null when it is
  not there; `mark` stands for the state of its programs. `away` is when the folder that was
  here was renamed away and `arrived` when the one that is here now came, as their own inodes
  say; null when unknown.
* `{"host", "gone", "opened", "alive"}`: a process that never said `close` is no more;
  `alive` is when it was last seen alive. On a host that is switched off nothing runs.
* `{"beat": true}`: the watcher itself is alive and looks.
"""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_LOOK_EVERY_SECONDS = 0.02
_BEAT_EVERY_SECONDS = 0.5
_PARTS = ("VERSION", "officeapp.py", "servicemanager.py", "lib")

Fact = dict[str, object]


class Record:
    """The file of what was seen, one line a fact, each written at once."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")

    def write(self, fact: Fact) -> None:
        """Write one fact."""
        self._file.write(json.dumps(fact) + "\n")
        self._file.flush()

    def close(self) -> None:
        """End the record."""
        self._file.close()


def look_at(folder: Path) -> Fact:
    """Return what the app folder is at this moment."""
    try:
        inode = folder.stat().st_ino
        marks = [(folder / part).stat() for part in _PARTS]
        text = (folder / "VERSION").read_text("utf-8")
    except FileNotFoundError:
        return {"folder": None, "app": "", "service_manager": "", "mark": ""}
    versions = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    mark = " ".join(f"{m.st_ino}.{m.st_size}.{m.st_mtime_ns}" for m in marks)
    known = {key: versions.get(key, "") for key in ("app", "service_manager")}
    return {"folder": inode, **known, "mark": mark}


@dataclass
class FolderWatch:
    """One host's app folder, and a handle on it that goes with it when it is renamed."""

    host: str
    folder: Path
    seen: Fact = field(default_factory=dict)
    seen_at: float = 0.0
    handle: int = -1

    def look(self, record: Record) -> None:
        """Look once; write down a change."""
        now, found = time.time(), look_at(self.folder)
        if found != self.seen:
            away = self._changed_at()
            self._hold()
            about = {"time": now, "from": self.seen_at or now, "host": self.host}
            record.write({**about, **found, "away": away, "arrived": self._changed_at()})
        self.seen, self.seen_at = found, now

    def _changed_at(self) -> float | None:
        """Return the change time of the folder that is held: a rename sets it."""
        return None if self.handle < 0 else os.fstat(self.handle).st_ctime_ns / 1e9

    def _hold(self) -> None:
        self.let_go()
        try:
            self.handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            self.handle = -1

    def let_go(self) -> None:
        """Give the handle back."""
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1


@dataclass
class ProcessWatch:
    """The processes that one host's evidence log names as open."""

    host: str
    evidence: Path
    proc: Path = Path("/proc")
    read: int = 0
    open: dict[int, tuple[float, str]] = field(default_factory=dict)  # pid -> opened, start
    alive_at: float = 0.0

    def look(self, record: Record) -> None:
        """Read what is new in the log, then write down which processes have gone unannounced."""
        self._read_log()
        now = time.time()
        for pid, (opened, began) in list(self.open.items()):
            if self._start_of(pid) != began or not began:
                del self.open[pid]
                gone = {"time": now, "host": self.host, "gone": pid, "opened": opened}
                record.write({**gone, "alive": max(self.alive_at, opened)})
        self.alive_at = now

    def _read_log(self) -> None:
        if not self.evidence.exists():
            return
        with self.evidence.open("rb") as log:
            log.seek(self.read)
            for line in log:
                self.read += len(line)
                self._hear(line.decode().split())

    def _hear(self, words: list[str]) -> None:
        pid = int(words[1])
        if words[0] == "open":
            self.open[pid] = (float(words[2]), self._start_of(pid))
        else:
            self.open.pop(pid, None)

    def _start_of(self, pid: int) -> str:
        """Return when a process began, in the kernel's own count; "" when it does not run."""
        try:
            after_name = (self.proc / f"{pid}/stat").read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if after_name[0] in "ZX" else after_name[19]


class Watcher:
    """All hosts, looked at again and again until told to end."""

    def __init__(self, hosts: list[dict[str, str]], record: Record) -> None:
        self._folders = [FolderWatch(h["name"], Path(h["folder"])) for h in hosts]
        self._processes = [
            ProcessWatch(h["name"], Path(h["evidence"]), Path(h.get("proc", "/proc")))
            for h in hosts
        ]
        self._record = record
        self._last_beat = 0.0
        self._ending = False

    def end(self, _signal: int, _frame: FrameType | None) -> None:
        """Have `watch` return after one more look."""
        self._ending = True

    def look(self) -> None:
        """Look at everything once, and beat when it is time."""
        for folder in self._folders:
            folder.look(self._record)
        for processes in self._processes:
            processes.look(self._record)
        now = time.time()
        if now - self._last_beat >= _BEAT_EVERY_SECONDS or self._ending:
            self._record.write({"time": now, "beat": True})
            self._last_beat = now

    def watch(self) -> None:
        """Look until told to end, and once more then."""
        while not self._ending:
            self.look()
            time.sleep(_LOOK_EVERY_SECONDS)
        self.look()
        for folder in self._folders:
            folder.let_go()


def main(config: str, record_file: str) -> int:
    """Watch until told to end; says so on standard output once everything was looked at."""
    record = Record(Path(record_file))
    watcher = Watcher(json.loads(Path(config).read_text("utf-8"))["hosts"], record)
    signal.signal(signal.SIGTERM, watcher.end)
    watcher.look()
    print("watching", flush=True)
    watcher.watch()
    record.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
