"""One agent's fetch, by the product's own code over real HTTPS, in a process of its own.

`python -m tests.bench.fetcher SETTINGS` says "ready", waits for a line, fetches and verifies the
package, and says how many bytes came.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from agent.packages import SignedPackages
from agent.platforms.base import Platform
from agent.platforms.linux import Linux
from agent.steps.table import Folders, Installation, Work
from agent.wire.contract import NO_PROFILE, StepParams
from agent.wire.https import Https
from agent.wire.manifest import read_manifest

_FOLDERS = ("downloads", "in", "out", "off", "backup", "autosaves", "ready")


@dataclass(frozen=True)
class FetchSettings:
    """What one fetch is given. `app` "" = the package whole, else what the app lacks."""

    state: str
    host: str
    address: str
    ticket: str
    manifest: str
    place: str
    app: str = ""

    def write(self) -> str:
        """Return the argument of the process."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class _Named:
    name: str = "bench"


@dataclass
class _Work:
    folders: Folders
    installation: Installation
    params: StepParams = field(default_factory=lambda: StepParams(NO_PROFILE))
    platform: Platform = field(default_factory=Linux)
    profile: _Named = _Named()
    facts: dict[str, str] = field(default_factory=dict)

    def progress(self, done: int, total: int) -> None:
        """Nobody watches."""

    def pause(self, seconds: float) -> None:
        """Nothing is waited for."""

    def fact(self, key: str, value: str) -> None:
        self.facts[key] = value


def main() -> int:
    settings = FetchSettings(**json.loads(sys.argv[1]))
    place, state = Path(settings.place), Path(settings.state)
    folders = Folders(*[place / name for name in _FOLDERS])
    folders.download.mkdir(parents=True)
    own = _Work(folders, Installation(Path(settings.app or place / "none"), {}))
    work = cast("Work", own)
    manifest = read_manifest(Path(settings.manifest).read_bytes())
    with Https(settings.address, state / "ca.pem") as https:
        packages = SignedPackages(state, settings.host, https)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        into = folders.incoming
        if not (settings.app and packages.assemble(manifest, settings.ticket, work, into)):
            packages.fetch(manifest, settings.ticket, work)
    sys.stdout.write(own.facts["fetched_bytes"] + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
