"""What must hold in the office besides what the stand-in's own witness judges: I5 to I7.

From the hosts' disks alone: the way back and the backups as `sampler.py` saw them, what a backup
holds, and which files were changed, as the upper layer of each host's disk says.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from coordinator.standin.inspector import judge_disk
from tests.lan.app import Workstation

_SAMPLER = Path(__file__).with_name("sampler.py")
_CLOCK_TICK_SECONDS = 0.01
_END_SECONDS = 30.0
_AGENT = ("var/lib/roundsman*", "etc/systemd/system/lobapp.service.d*", "etc/systemd/system")
_APP = ("opt/lob", "opt/lob/evidence.log", "opt/lob/lobapp*", "opt/lob/.roundsman*")
_SYSTEM = (
    "var/log*",
    "var/lib/systemd*",
    "var/lib/dbus*",
    "var/tmp*",
    "tmp*",
    "run*",
    "etc/.pwd.lock",
)
_ALLOWED = (*_AGENT, *_APP, *_SYSTEM)

Json = dict[str, Any]
Spans = Mapping[str, Sequence[tuple[float, float | None]]]
"""By host: when its app folder was changed, from and to."""


class Sampler:
    """Watches the disks from now on, and judges them at the end."""

    def __init__(self, base: Path, stations: Sequence[Workstation]) -> None:
        self._base, self._stations = base, stations
        self._process: subprocess.Popen[bytes] | None = None
        self.begun = 0.0

    def start(self) -> None:
        """Begin; returns once it watches."""
        hosts = [
            {"name": s.name, "folder": str(s.folder), "backups": str(s.state / "backups")}
            for s in self._stations
        ]
        config = self._base / "sampler.json"
        config.write_text(json.dumps({"hosts": hosts}), "utf-8")
        self.begun = time.time()
        command = [sys.executable, "-I", str(_SAMPLER), str(config), str(self._record)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"watching\n"

    @property
    def _record(self) -> Path:
        return self._base / "sampler-record.jsonl"

    def close(self) -> None:
        """End the watch."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=_END_SECONDS)
            self._process = None

    def judge(self, spans: Spans, release: Path, noted: Path) -> list[Json]:
        """End the watch and return the violations.

        Args:
            spans: When the app folders were changed, as the witness saw it.
            release: The old release, as a folder or zip.
            noted: What each host owned before, as the inspector wrote it.
        """
        self.close()
        lines = self._record.read_text("utf-8").splitlines()
        facts = [json.loads(line) for line in lines]
        owned = json.loads(noted.read_text("utf-8"))
        found = [*judge_way_back(spans, facts), *judge_backups(spans, facts)]
        for station in self._stations:
            if spans[station.name]:
                found += judge_copies(station.name, facts, release, owned[station.name])
            written = station.host.machine.disk.written
            found += judge_places(station.name, written, self.begun)
        return found


def judge_way_back(spans: Spans, facts: Sequence[Json]) -> Iterator[Json]:
    """Yield each way back that was given up before the group's last change had ended (I6)."""
    ends = [end for changes in spans.values() for _, end in changes if end is not None]
    last = max(ends, default=0.0)
    for fact in facts:
        if fact.get("way_back", "") is None and fact["time"] < last:
            yield violation("no-way-back", fact["host"], "the old release went before the commit")


def judge_backups(spans: Spans, facts: Sequence[Json]) -> Iterator[Json]:
    """Yield each change that began without a backup that was complete, read back (I6)."""
    for host, changes in spans.items():
        complete = [f["changed"] for f in _backups(facts, host) if f["complete"]]
        if changes and not any(at <= changes[0][0] + _CLOCK_TICK_SECONDS for at in complete):
            detail = f"changed at {changes[0][0]:.3f}, backups complete at {complete}"
            yield violation("no-backup", host, detail)


def _backups(facts: Sequence[Json], host: str) -> list[Json]:
    return [f for f in facts if f["host"] == host and "backup" in f]


def judge_copies(host: str, facts: Sequence[Json], release: Path, owned: Json) -> Iterator[Json]:
    """Yield how the backup differs from the release and from what the host owned (I6)."""
    for place in sorted({f["backup"] for f in _backups(facts, host) if f["complete"]}):
        tree = Path(place) / "tree"
        if tree.is_dir():
            copy = {"name": host, "folder": str(tree), "expected": release.name}
            for found in judge_disk(copy, owned, release):
                yield {**found, "kind": f"backup-{found['kind']}"}


def judge_places(host: str, written: Path, since: float) -> Iterator[Json]:
    """Yield what was changed where nobody had to write, in a disk's upper layer (I7)."""
    for path in sorted(changed_since(written, since)):
        if not any(fnmatch(path, allowed) for allowed in _ALLOWED):
            yield violation("elsewhere", host, f"/{path} was changed")


def changed_since(written: Path, since: float) -> Iterator[str]:
    """Yield what was made, changed or deleted in a disk's upper layer, below its root."""
    for folder, folders, files in os.walk(written):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.lstat().st_ctime > since + _CLOCK_TICK_SECONDS:
                yield str(path.relative_to(written))


def violation(kind: str, host: str, detail: str) -> Json:
    """Return one thing that must not be, as the witness says it."""
    return {"kind": kind, "host": host, "detail": detail}
