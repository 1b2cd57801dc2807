"""Somebody who has all that lies in a coordinator's home, and serves what they like with it.

Not the signing keys: these are encrypted, or were never there.
"""

import datetime as dt
import json
import time
from collections.abc import Iterable

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, TargetFile, Targets

from coordinator.releases.metadata import Holders, unsigned_root, unsigned_targets
from coordinator.releases.shelf import Shelf
from tests.trust.office import Office


class Thief:
    """Writes into the stolen repository with the stolen keys."""

    def __init__(self, office: Office) -> None:
        self.home = office.data
        self.repository = office.data / "releases"
        self.metadata = self.repository / "metadata"
        self._shelf = Shelf(self.repository, time.time)
        self.online = self._shelf.online()
        self.own = CryptoSigner.generate_ed25519()
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)

    def keys(self) -> list[CryptoSigner]:
        """Return every private key that the home gives without a passphrase."""
        found = []
        for file in sorted(path for path in self.home.rglob("*") if path.is_file()):
            raw = file.read_bytes()
            if b"PRIVATE KEY-----" in raw and b"ENCRYPTED" not in raw:
                found.append(CryptoSigner(load_pem_private_key(raw, None)))
        return found

    def version(self, role: str) -> int:
        """Return the highest version that there is of a role."""
        return max(int(path.name.split(".")[0]) for path in self.metadata.glob(f"*.{role}.json"))

    def present(self) -> bytes:
        """Return the present list of targets."""
        return (self.metadata / f"{self.version('targets')}.targets.json").read_bytes()

    def listed(self, name: str, content: bytes) -> bytes:
        """Return the next list of targets, with one of the thief's on it; it is unsigned."""
        present = Metadata[Targets].from_bytes(self.present())
        entry = TargetFile.from_data(name, content, ["sha256"])
        path = self.repository / "targets" / entry.get_prefixed_paths()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        targets = {**present.signed.targets, name: entry}
        return unsigned_targets(targets, self.version("targets") + 1, self.now)

    def signed(self, raw: bytes, keys: Iterable[CryptoSigner]) -> bytes:
        """Sign a list of targets with keys that one has."""
        metadata = Metadata[Targets].from_bytes(raw)
        for key in keys:
            metadata.sign(key, append=True)
        return metadata.to_bytes()

    def with_the_old_signatures(self, raw: bytes) -> bytes:
        """Put the signatures of the present list under another one."""
        new, old = json.loads(raw), json.loads(self.present())
        return json.dumps({"signed": new["signed"], "signatures": old["signatures"]}).encode()

    def serve(self, targets: bytes, version: int) -> None:
        """Name a list of targets in a fresh snapshot and timestamp, rightly signed."""
        self._shelf.put_targets(version, targets)

    def take_over(self, keys: list[CryptoSigner]) -> None:
        """Serve a root of one's own that names the thief's key, signed with keys that one has."""
        version = self.version("root") + 1
        holders = Holders((self.own.public_key,))
        root = Metadata(unsigned_root(version, holders, [self.online.public_key], self.now))
        for key in [self.own, *keys]:
            root.sign(key, append=True)
        (self.metadata / f"{version}.root.json").write_bytes(root.to_bytes())
