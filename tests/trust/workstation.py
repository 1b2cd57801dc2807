"""One workstation with an app, and a coordinator that has its packages: both real, on loopback."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from agent.packages import SignedPackages
from agent.platforms.linux import Linux
from agent.steps.apply.staging import unpack
from agent.steps.table import Folders, Installation, Packages, Work
from agent.wire.contract import NO_PROFILE, StepParams, Target
from agent.wire.https import Https
from agent.wire.manifest import Manifest
from coordinator.releases.patches import Patcher
from tests.trust.fake_work import FakeWork
from tests.trust.office import Office, make_zip

Files = dict[str, bytes]


class StillLinux(Linux):
    """Linux, whose time passes at pauses only, and whose disk is as large as one says."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def free_bytes(self, folder: Path) -> int:
        return 10**12


@dataclass
class Named:
    """All that is asked of a profile here."""

    name: str = "standin"


@dataclass
class HostWork(FakeWork):
    app: Path = Path("/nowhere")
    profile: Named = field(default_factory=Named)
    packages: Packages | None = None

    @property
    def installation(self) -> Installation:
        return Installation(self.app, {})


class Workstation:
    """A host that was enrolled, with the app that it has."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.state, self.id = office.enrol()
        self.https = office.https(self.state)
        self.app = office.folder / "app"
        self.mirrors: Sequence[str] = ()

    @property
    def into(self) -> Path:
        return self.state / "staging" / "incoming"

    def installs(self, files: Files) -> None:
        """Have these files as the app."""
        for path, content in files.items():
            (self.app / path).parent.mkdir(parents=True, exist_ok=True)
            (self.app / path).write_bytes(content)

    def release(self, files: Files, version: str, *, patched: bool = True) -> Manifest:
        """Add a package to the coordinator, its patches made."""
        zip_file = make_zip(self.office.folder / f"{version}.zip", files)
        manifest, _ = self.office.add_package(zip_file, version)
        if patched:
            Patcher(self.office.packages.blobs).make_missing()
        return manifest

    def work(self, manifest: Manifest, rate: int = 0, https: Https | None = None) -> HostWork:
        folders = Folders(
            download=self.state / "downloads",
            incoming=self.into,
            outgoing=self.office.folder / "app_old",
            discarded=self.state / "staging" / "discarded",
            backup=self.state / "backups",
            autosaves=self.state / "autosaves",
            ready=self.state / "staging" / "ready",
        )
        folders.download.mkdir(parents=True, exist_ok=True)
        packages = SignedPackages(self.state, self.id, https or self.https, mirrors=self.mirrors)
        return HostWork(
            folders,
            StillLinux(),  # type: ignore[arg-type]
            StepParams(NO_PROFILE, package=Target("standin", "1" * 64), rate=rate),
            ticket=self.office.tickets.make(self.id, manifest.content_sha256),
            app=self.app,
            packages=packages,
        )

    def unpack(self, manifest: Manifest, work: HostWork | None = None) -> HostWork:
        """Stage the release as a rollout does; what comes of it is whole or nothing."""
        work = work or self.work(manifest)
        unpack(cast("Work", work), manifest)
        return work

    def has(self) -> Files:
        """Return what was unpacked."""
        found = sorted(path for path in self.into.rglob("*") if path.is_file())
        return {path.relative_to(self.into).as_posix(): path.read_bytes() for path in found}

    def stored(self, kind: str, name: str) -> Path:
        """Return where the coordinator has a blob, a patch or a list of parts."""
        return self.office.data / "packages" / kind / name


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def changed(content: bytes, seed: int = 9) -> bytes:
    """Return a content as the next version has it: some bytes put in, some altered."""
    new = bytearray(content)
    dice = random.Random(seed)
    for _ in range(20):
        at = dice.randrange(len(new))
        new[at:at] = dice.randbytes(dice.randrange(1, 30))
    return bytes(new)
