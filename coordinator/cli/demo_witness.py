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

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def folder(self) -> Path:
        """Where the app is installed."""

    @property
    def evidence(self) -> Path:
        """What the app itself writes when it opens and closes."""

    @property
    def autosaves(self) -> Path:
        """Where the agent copies what the app has saved by itself."""

    @property
    def proc(self) -> Path | None:
        """Its own /proc, None when its processes are this machine's."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is watched: the files' name, the releases as zips or folders, from and to which."""

    name: str
    releases: Mapping[str, Path]
    before: str
    after: str
    share: Share | None = None
    drafts: Path | None = None  # where the app keeps what was written and not saved


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a workstation is to be at the end."""

    version: str
    running: bool | None = True  # whether its service manager is to be back; None = not judged


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
        return self.judge_each(dict.fromkeys(stayed, Wanted(self._case.before, running=False)))

    def judge_each(self, wanted: Mapping[str, Wanted]) -> Json:
        """End the watch and return the verdict; all but these are to be on the new release."""
        self.close()
        self._configure(wanted)
        return json.loads(self._run("witness.py", self._config, self._noted, self.record))

    def judge_gone_back(self) -> Json:
        """End the watch and return the verdict; all are to be open again, on the old release."""
        self._case = replace(self._case, after=self._case.before)
        return self.judge_each({})

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

    def _configure(self, wanted: Mapping[str, Wanted]) -> None:
        otherwise = Wanted(self._case.after)
        hosts = [self._about(host, wanted.get(host.name, otherwise)) for host in self._hosts]
        releases = {version: str(path) for version, path in self._case.releases.items()}
        share = self._case.share and {
            "folder": str(self._case.share.folder),
            "one_way": self._case.share.one_way,
        }
        content = json.dumps({"releases": releases, "hosts": hosts, "share": share}, indent=1)
        self._config.write_text(content, "utf-8")

    def _about(self, host: Watched, wanted: Wanted) -> dict[str, object]:
        return {
            "name": host.name,
            "folder": str(host.folder),
            "evidence": str(host.evidence),
            "before": self._case.before,
            "expected": wanted.version,
            "running": wanted.running,
            "drafts": self._drafts(host),
            **({"proc": str(host.proc)} if host.proc else {}),
        }

    def _drafts(self, host: Watched) -> dict[str, str]:
        app = self._case.drafts
        own = {"the app's own autosave": str(app)} if app else {}
        return {"the agent's copy": str(host.autosaves), **own}

    def _run(self, script: str, *words: str | Path) -> bytes:
        command = [*_command(script), *map(str, words)]
        return subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout


def _command(script: str) -> list[str]:
    return [sys.executable, "-I", str(_SCRIPTS / script)]
