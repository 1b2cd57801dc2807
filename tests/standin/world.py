"""A small office of the stand-in: hosts as folders, its programs as real processes."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator.standin.make_release import Share, copy_release, seed_host, seed_share
from tests.until import until

SCRIPTS = Path(__file__).parents[2] / "coordinator" / "standin"

Json = dict[str, Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Desk:
    """One host: its app folder, what runs there, and what is expected of it."""

    name: str
    place: Path
    port: int
    before: str = "1.0"
    expected: str = "1.1"
    running: bool | None = True
    drafts: dict[str, str] = field(default_factory=dict)
    proc: Path | None = None
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.place / "office"

    @property
    def evidence(self) -> Path:
        return self.place / "evidence.log"

    def lines(self) -> list[list[str]]:
        text = self.evidence.read_text("utf-8") if self.evidence.exists() else ""
        return [line.split() for line in text.splitlines()]

    def has_said(self, word: str, pid: int) -> bool:
        return any(line[:2] == [word, str(pid)] for line in self.lines())

    def run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", str(self.folder / program), *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.processes.append(process)
        return process

    def open_app(self, user: str = "marie", *more: str) -> subprocess.Popen[bytes]:
        """Open a client, and return once it has said so."""
        process = self.run("officeapp.py", user, *more)
        until(lambda: self.has_said("open", process.pid), what="the app opens")
        return process

    def open_manager(self) -> subprocess.Popen[bytes]:
        """Start the service manager, and return once it answers."""
        process = self.run("servicemanager.py")
        until(lambda: self.has_said("open", process.pid), what="the service manager opens")
        return process

    def ask(self) -> Json:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=5) as reply:
            answer: Json = json.load(reply)
            return answer

    def close(self) -> None:
        """Close everything that runs here, as a user would."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            end(process)
        self.processes.clear()

    def swap(self, release: Path) -> None:
        """Put another release in place, with what the host owns carried over."""
        incoming, outgoing = self.place / "incoming", self.place / f"{os.urandom(4).hex()}_old"
        copy_release(release, incoming)
        for own in ("config", "prefs", "certs", "data", "archive"):
            shutil.copytree(self.folder / own, incoming / own)
        self.folder.rename(outgoing)
        incoming.rename(self.folder)


def end(process: subprocess.Popen[bytes]) -> str:
    """Wait for a process and return what it complained about."""
    _, complaint = process.communicate(timeout=20)
    return complaint.decode() if complaint else ""


@dataclass
class World:
    """Some hosts, their releases, and whoever watches and judges them."""

    base: Path
    releases: Path
    desks: list[Desk]
    share: Share | None = None

    def release(self, version: str) -> Path:
        return self.releases / version

    def open_everything(self) -> None:
        for desk in self.desks:
            desk.open_manager()
            desk.open_app()

    def close_everything(self) -> None:
        for desk in self.desks:
            desk.close()

    def visit(self, desk: Desk) -> None:
        """Do what a visit does: change, service manager back, and closed again."""
        desk.swap(self.release("1.1"))
        desk.open_manager()
        desk.close()

    def open_managers(self) -> None:
        for desk in self.desks:
            desk.open_manager()

    def share_data(self, *, one_way: bool) -> Share:
        """Have every host share one folder of data, of the old release's schema."""
        self.share = Share(self.base / "share", one_way)
        seed_share(self.share, "1.0")
        for desk in self.desks:
            seed_host(desk.folder, desk.name, desk.port, share=self.share)
        return self.share

    def note(self) -> None:
        """Note what every host owns, before the rollout."""
        self.note_end()
        script("inspector.py", "note", self._config, self._noted)

    def note_end(self) -> None:
        """Write down what is to be expected of each host."""
        hosts = [
            {
                "name": desk.name,
                "folder": str(desk.folder),
                "evidence": str(desk.evidence),
                "before": desk.before,
                "expected": desk.expected,
                "running": desk.running,
                "drafts": desk.drafts,
                **({"proc": str(desk.proc)} if desk.proc else {}),
            }
            for desk in self.desks
        ]
        releases = {"1.0": str(self.releases / "1.0"), "1.1": str(self.releases / "1.1.zip")}
        share = self.share and {"folder": str(self.share.folder), "one_way": self.share.one_way}
        about = {"releases": releases, "hosts": hosts, "share": share}
        self._config.write_text(json.dumps(about))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note what is there, and have the watcher look on until the end of the block."""
        self.note()
        command = [sys.executable, "-I", str(SCRIPTS / "watcher.py")]
        files = [str(self._config), str(self._record)]
        with subprocess.Popen([*command, *files], stdout=subprocess.PIPE) as watcher:
            assert watcher.stdout
            assert watcher.stdout.readline() == b"watching\n"
            try:
                yield
            finally:
                watcher.terminate()
        assert watcher.returncode == 0

    def judge(self) -> Json:
        """Return what the witness says; its exit code must say the same."""
        judged = script("witness.py", self._config, self._noted, self._record)
        verdict: Json = json.loads(judged.stdout)
        assert judged.returncode == (1 if verdict["violations"] else 0), judged.stderr
        return verdict

    def kinds(self) -> set[str]:
        return {violation["kind"] for violation in self.judge()["violations"]}

    @property
    def _config(self) -> Path:
        return self.base / "witness.json"

    @property
    def _noted(self) -> Path:
        return self.base / "noted.json"

    @property
    def _record(self) -> Path:
        return self.base / "record.jsonl"


def script(name: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run one of the stand-in's scripts as the demo does: apart, and isolated."""
    command = [sys.executable, "-I", str(SCRIPTS / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=30)


def desk_in(place: Path, name: str, release: Path) -> Desk:
    """Return a host with a release installed and its own files in it."""
    desk = Desk(name, place / name, free_port())
    desk.place.mkdir(parents=True)
    copy_release(release, desk.folder)
    seed_host(desk.folder, name, desk.port)
    return desk
