"""An office whose disk fills up with releases, and a judge of what is left of it."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.wire.manifest import Manifest, read_manifest
from agent.wire.parts import read_parts
from agent.wire.zstd import Opened
from coordinator.api.asks import PackageAsk, ProfileAsk, WithdrawAsk
from coordinator.api.client import Client
from coordinator.api.office import Office
from coordinator.releases.clearing import Stores
from coordinator.releases.patches import Patcher
from tests.api.real import APP, PROFILE, RealOffice
from tests.trust.office import make_zip
from tests.trust.workstation import changed, noise

DAY = 86_400.0
LONG = 200 * DAY
SHARED = {"lib/shared": noise(1, 9000)}
Files = Mapping[str, bytes]


def files_of(version: str, **more: bytes) -> dict[str, bytes]:
    """Return a release: a file of its own, one that changes a little, one that stays."""
    number = int(version.replace(".", ""))
    code = noise(2, 20_000)
    for seed in range(number):
        code = changed(code, seed)
    own = {"VERSION": f"app={version}\n".encode() * 50, "bin/code": code}
    return own | SHARED | {name: content for name, content in more.items()}


@dataclass
class Filled:
    """The office, with what was put on its disk."""

    real: RealOffice
    folder: Path
    office: Office = field(init=False)

    def __post_init__(self) -> None:
        self.office = self.real.office()

    @property
    def stores(self) -> Stores:
        return Stores(self.office.repository, self.office.packages)

    def add(self, version: str, files: Files | None = None, role: str = "workstation") -> None:
        """Add a release, and make the patches to it."""
        zip_file = make_zip(
            self.folder / f"{version}-{role}.zip", dict(files or files_of(version))
        )
        with self.real.client() as client:
            client.add_package(PackageAsk(app=APP, version=version, role=role), zip_file)
        Patcher(self.office.packages.blobs).make_missing()
        self.real.clock.ahead += 60

    def withdraw(self, *versions: str, sign: bool = True) -> None:
        with self.real.client() as client:
            for version in versions:
                client.withdraw(APP, version, WithdrawAsk())
        if sign:
            self.real.sign()

    def client(self) -> Client:
        return self.real.client()

    def files(self) -> dict[str, bytes]:
        """Return everything that releases take on the disk."""
        homes = (self.real.settings.packages_folder, self.real.settings.repository_folder)
        found = (path for home in homes for path in sorted(home.rglob("*")) if path.is_file())
        return {
            str(path.relative_to(self.real.settings.home)): path.read_bytes() for path in found
        }

    def manifests(self) -> list[Manifest]:
        """Return the packages that agents may ask for now."""
        listed = [*self.real.repository.published(), *self.real.repository.drafted()]
        packages = [target for target in listed if target.name.startswith("packages/")]
        return [read_manifest(self.real.repository.content(target)) for target in packages]

    def broken(self) -> list[str]:
        """Return what an agent would be promised and not get, or not get rightly."""
        return [fault for manifest in self.manifests() for fault in self._faults(manifest)]

    def _faults(self, manifest: Manifest) -> Iterable[str]:
        store, name = self.office.packages, manifest.content_sha256
        zip_file = store.path(name)
        if zip_file is None or _sha256(zip_file.read_bytes()) != name:
            yield f"{manifest.version}: its zip"
        for entry in manifest.files:
            blob = store.blobs.blob(name, entry.sha256)
            if blob is None or _opened(blob, entry.size) != entry.sha256:
                yield f"{manifest.version}: {entry.path}"
        parts = store.blobs.parts(name)
        if parts is None:
            yield f"{manifest.version}: its parts"
            return
        for patch in read_parts(parts.read_bytes()).patches:
            new = manifest.files[patch.file].sha256
            if store.blobs.patch(name, patch.base, new) is None:
                yield f"{manifest.version}: a patch to {manifest.files[patch.file].path}"

    def grown_old(self) -> None:
        """Have all of it be of long ago."""
        self.real.clock.ahead += LONG


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _opened(blob: Path, size: int) -> str:
    with blob.open("rb") as file:
        return _sha256(Opened(file, size).read(size))


def filled(real: RealOffice, folder: Path) -> Filled:
    """Return an office with a signed profile, and hosts."""
    real.add_hosts()
    with real.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
    made = Filled(real, folder)
    real.sign()
    return made


def long_used(real: RealOffice, folder: Path) -> Filled:
    """Return an office with three releases, the first of which was withdrawn long ago."""
    made = filled(real, folder)
    for version in ("1.0", "1.1", "1.2"):
        made.add(version)
    real.sign()
    made.withdraw("1.0")
    made.grown_old()
    return made


def some_files(dice: random.Random) -> dict[str, bytes]:
    """Return a release of some of a few files, so that many are shared."""
    names = dice.sample(range(8), dice.randint(1, 5))
    return {f"f{n}": noise(n, 200 + 700 * n) for n in names}
