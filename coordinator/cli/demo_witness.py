"""Has the witness watch one rollout of the demo's office, and returns what it says.

The witness is made of scripts that import nothing of this project; here they are only started.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from coordinator.standin.make_release import Share

_SCRIPTS = Path(__file__).parents[1] / "standin"
_END_SECONDS = 30.0

Json = Any


class Watched(Protocol):
    """A workstation, as far as the witness looks at it."""

    name: str

    @property
    def folder(self) -> Path:
        """Where the app is installed."""

    @property
    def evidence(self) -> Path:
        """What the app itself writes when it opens and closes."""

    @property
    def autosaves(self) -> Path:
        """Where the agent copies what the app has saved by itself."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is watched: the files' name, the releases as zips or folders, from and to which."""

    name: str
    releases: Mapping[str, Path]
    before: str
    after: str
    share: Share | None = None
    drafts: Path | None = None  # where the app keeps what was written and not saved


class Witness:
    """Notes what every workstation owns, watches from then on, and judges at the end."""

    def __init__(self, base: Path, hosts: Sequence[Watched], case: Case) -> None:
        self._base = base
        self._hosts = hosts
        self._case = case
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def record(self) -> Path:
        """The watcher's own file."""
        return self._base / f"{self._case.name}-record.jsonl"

    def start(self) -> None:
        """Begin; returns once it watches."""
        self._configure({})
        self._run("inspector.py", "note", self._config, self._noted)
        log = (self._base / f"{self._case.name}.log").open("ab")
        with log:
            self._watcher = subprocess.Popen(
                [*_command("watcher.py"), str(self._config), str(self.record)],
                stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert self._watcher.stdout is not None
        self._watcher.stdout.readline()  # it says so once it watches

    def judge(self, stayed: Sequence[str] = ()) -> Json:
        """End the watch and return the verdict; `stayed` are to be on the old release."""
        self.close()
        return self._judged(stayed)

    def _judged(self, stayed: Sequence[str] = ()) -> Json:
        self._configure(dict.fromkeys(stayed, self._case.before))
        return json.loads(self._run("witness.py", self._config, self._noted, self.record))

    def judge_gone_back(self) -> Json:
        """End the watch and return the verdict; all are to be open again, on the old release."""
        self.close()
        self._case = replace(self._case, after=self._case.before)
        return self._judged()

    def close(self) -> None:
        """End the watch."""
        if self._watcher is not None:
            self._watcher.terminate()
            self._watcher.communicate(timeout=_END_SECONDS)
            self._watcher = None

    @property
    def _config(self) -> Path:
        return self._base / f"{self._case.name}.json"

    @property
    def _noted(self) -> Path:
        return self._base / f"{self._case.name}-noted.json"

    def _configure(self, versions: Mapping[str, str]) -> None:
        hosts = [
            {
                "name": host.name,
                "folder": str(host.folder),
                "evidence": str(host.evidence),
                "before": self._case.before,
                "expected": versions.get(host.name, self._case.after),
                "running": host.name not in versions,
                "drafts": self._drafts(host),
            }
            for host in self._hosts
        ]
        releases = {version: str(path) for version, path in self._case.releases.items()}
        share = self._case.share and {
            "folder": str(self._case.share.folder),
            "one_way": self._case.share.one_way,
        }
        content = json.dumps({"releases": releases, "hosts": hosts, "share": share}, indent=1)
        self._config.write_text(content, "utf-8")

    def _drafts(self, host: Watched) -> dict[str, str]:
        app = self._case.drafts
        own = {"the app's own autosave": str(app)} if app else {}
        return {"the agent's copy": str(host.autosaves), **own}

    def _run(self, script: str, *words: str | Path) -> bytes:
        command = [*_command(script), *map(str, words)]
        return subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout


def _command(script: str) -> list[str]:
    return [sys.executable, "-I", str(_SCRIPTS / script)]
