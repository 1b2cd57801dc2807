"""A repository of signed metadata whose keys, versions and dates a test may bend, served by HTTP.

What is served is a dictionary, so a test may also serve what no repository would ever write.
"""

import contextlib
import datetime as dt
import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

ROLES = ("root", "timestamp", "snapshot", "targets")
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
FAR = NOW + dt.timedelta(days=30)
Signed = Root | Timestamp | Snapshot | Targets


def new_keys(count: int = 1) -> list[CryptoSigner]:
    """Return fresh keys."""
    return [CryptoSigner.generate_ed25519() for _ in range(count)]


def signed_by(signed: Signed, keys: Iterable[CryptoSigner]) -> bytes:
    """Return metadata with one signature of each key."""
    metadata = Metadata[Any](signed)
    for key in keys:
        metadata.sign(key, append=True)
    return metadata.to_bytes()


@dataclass
class Simulated:
    """A repository in memory: `served` is what clients get, `asked` what they asked for."""

    served: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_pinned: bool = False  # whether lengths and hashes of metadata are signed too

    def __post_init__(self) -> None:
        self.root = Root(expires=FAR, consistent_snapshot=True)
        self.timestamp = Timestamp(expires=FAR)
        self.snapshot = Snapshot(expires=FAR)
        self.targets = Targets(expires=FAR)
        self.keys: dict[str, list[CryptoSigner]] = {}
        for role in ROLES:
            self.trust(role, new_keys())
        self.write(*ROLES)

    def signed(self, role: str) -> Signed:
        """Return a role as it stands, to be bent."""
        by_role: dict[str, Signed] = {
            "root": self.root,
            "timestamp": self.timestamp,
            "snapshot": self.snapshot,
            "targets": self.targets,
        }
        return by_role[role]

    def trust(self, role: str, keys: list[CryptoSigner], threshold: int = 1) -> None:
        """Have these keys and no others sign a role from the next root on."""
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        for key in keys:
            self.root.add_key(key.public_key, role)
        self.root.roles[role].threshold = threshold
        self.keys[role] = keys

    def write(self, *roles: str) -> None:
        """Sign roles as they stand and serve them, the ones below before those above."""
        for role in sorted(roles, key=ROLES.index, reverse=True):
            self.put(role, signed_by(self.signed(role), self.keys[role]))

    def put(self, role: str, raw: bytes) -> None:
        """Serve something as the present version of a role, and have the role above say so."""
        version = self.signed(role).version
        self.served[f"metadata/{self.file(role)}"] = raw
        said = MetaFile(version)
        if self.is_pinned:
            said = MetaFile(version, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})
        if role == "targets":
            self.snapshot.meta["targets.json"] = said
        elif role == "snapshot":
            self.timestamp.snapshot_meta = said

    def publish(self, *roles: str) -> None:
        """Write roles, one version further."""
        for role in roles:
            self.signed(role).version += 1
        self.write(*roles)

    def file(self, role: str) -> str:
        """Return the name of the present version of a role."""
        is_plain = role == "timestamp" or (role != "root" and not self.root.consistent_snapshot)
        return f"{role}.json" if is_plain else f"{self.signed(role).version}.{role}.json"

    def add_target(self, name: str, content: bytes) -> None:
        """List a target, and serve it; it is published by `publish`."""
        entry = TargetFile.from_data(name, content, ["sha256"])
        self.targets.targets[name] = entry
        self.served[f"targets/{entry.get_prefixed_paths()[0]}"] = content

    def answer(self, path: str) -> bytes | None:
        """Return what is served at a path, None = nothing."""
        self.asked.append(path.removeprefix("metadata/"))
        return self.served.get(unquote(path))


@contextlib.contextmanager
def served(repository: Simulated) -> Iterator[str]:
    """Serve a repository on loopback; yields the address, "http://.../"."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = repository.answer(self.path.removeprefix("/"))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            with contextlib.suppress(OSError):  # who had enough of it hangs up
                self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
