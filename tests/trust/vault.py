"""A small package with all that vouches for it, in memory: each part can be given otherwise."""

import io
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from agent.extract import extract, strangers, verify_tree, wipe, write_entry
from agent.package_paths import BadPackage
from agent.trusted import NotTrusted, TargetFile, Trusted
from agent.wire import zstd
from agent.wire.https_errors import BadAnswer, Refused
from agent.wire.manifest import FileEntry, Manifest
from coordinator.releases.packages import Label
from tests.trust.keyring import Keyring
from tests.trust.office import Office, make_zip

OLD = b"a line that stays\n" * 12
NEW = b"another beginning\n" + OLD[:-3]
FILES = {"bin/app": NEW, "readme": b"text, text, text, text, text"}
ROLES = ("root", "timestamp", "snapshot", "targets")


@dataclass
class Vault:
    """What one host would fetch, by its path; `given` is what it gets instead."""

    folder: Path
    given: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        office = Office(self.folder / "office")
        Keyring(office).renew("init")
        zip_file = make_zip(self.folder / "a.zip", FILES)
        self.manifest: Manifest = office.packages.build(
            zip_file, Label("standin", "1.1", "workstation", "linux")
        )
        _, target = office.add_package(zip_file)
        office.publish()
        self.name, self.zip = target.name, zip_file.read_bytes()
        there = office.repository.folder
        files = (path for path in there.rglob("*") if path.is_file())
        self.files = {path.relative_to(there).as_posix(): path.read_bytes() for path in files}
        self.state, self.into = self.folder / "state", self.folder / "into"
        self.entry = self.refreshed()
        (self.signed,) = (path for path in self.files if path.startswith("targets/packages"))
        self.blob, self.patch = self._frames()

    def get(self, path: str, most: int) -> bytes:
        """Answer as the agent's HTTPS does."""
        body = self.given.get(path, self.files.get(path))
        if body is None:
            raise Refused(404, "", "no such file")
        if len(body) > most:
            raise BadAnswer(f"longer than {most} bytes")
        return body

    def path(self, role: str) -> str:
        """Return where the present metadata of a role is."""
        found = (path for path in self.files if path.endswith(f"{role}.json"))
        return max(found, key=lambda path: (len(path), path))

    def _client(self) -> Trusted:
        return Trusted(self.state, self.files["metadata/1.root.json"], self.get, "metadata/")

    def refreshed(self) -> TargetFile:
        """Return what a host that was just enrolled finds signed. Raises `NotTrusted`."""
        shutil.rmtree(self.state, ignore_errors=True)
        entry = self._client().entry(self.name)
        if entry is None:
            raise NotTrusted("not listed")
        return entry

    def manifest_of(self, raw: bytes) -> bytes:
        """Return a manifest as the agent accepts it. Raises `NotTrusted`."""
        self.given = {self.signed: raw}
        return self._client().content(self.entry, "targets/")

    def unzipped(self, raw: bytes) -> None:
        """Unpack a zip and look at what came of it. Raises `BadPackage`."""
        (self.folder / "got.zip").write_bytes(raw)
        wipe(self.into)
        extract(self.folder / "got.zip", self.manifest, self.into, lambda *_: None)
        verify_tree(self.into, self.manifest)
        assert strangers(self.into, set(FILES)) == []

    def opened(self, frame: bytes, base: bytes = b"") -> bytes:
        """Return the file that a blob or a patch gives. Raises `BadPackage`."""
        (self.folder / "app").unlink(missing_ok=True)
        try:
            write_entry(zstd.Opened(io.BytesIO(frame), len(NEW), base), self._app, self.folder)
        except zstd.BadFrame as error:
            raise BadPackage(str(error)) from None
        return (self.folder / "app").read_bytes()

    @property
    def _app(self) -> FileEntry:
        (listed,) = (entry for entry in self.manifest.files if entry.path == "bin/app")
        return FileEntry("app", listed.mode, listed.size, listed.sha256)

    def _frames(self) -> tuple[bytes, bytes]:
        plain, blob = self.folder / "plain", self.folder / "blob"
        plain.write_bytes(NEW)
        zstd.compress(plain, blob)
        return blob.read_bytes(), zstd.make_patch(OLD, NEW)
