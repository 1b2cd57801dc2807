"""A small office on a real disk: one app of twenty-odd files, the agent's folders, bystanders.

Written out by hand: what the old and the new release must be, file by file, is known without
asking the product.
"""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.wire.manifest import FileEntry, Manifest

HOST = "pc-03-1f2e3d"
ROLLOUT = "01JD0000000000000000000000"
OLDER = ("01JC0000000000000000000000", "01JC0000000000000000000001")
OLD, NEW = "1.0", "1.1"
_USER, _OWNER = 1000, 1001
_KEPT_TIME = 1_234_567_891_234_567_891
PROFILE = """
[profile]
name = "bench-app"
title = "Bench App"
help = "ask the vendor"

[app]
folders = ["{app}"]
programs = ["bin/app"]
kill = false
version = {{ file = "version.txt", pattern = '^app=(.+)$' }}

[service_manager]
kind = "program"
programs = ["bin/manager"]
start = ["bin/manager"]

[updater]
programs = ["bin/updater"]

[apply]
kind = "replace-folder"
keep = ["prefs/**", "certs/*.pem"]

[health]
timeout = 10
soak = 5
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is, given the folder that holds the office and its bystanders."""

    root: Path

    @property
    def office(self) -> Path:
        return self.root / "office"

    @property
    def state(self) -> Path:
        return self.office / "state"

    @property
    def app(self) -> Path:
        return self.office / "srv" / "app"

    @property
    def outgoing(self) -> Path:
        return self.app.parent / f"app_old.{ROLLOUT}"

    @property
    def incoming(self) -> Path:
        return self.state / "staging" / ROLLOUT / "incoming"

    @property
    def discarded(self) -> Path:
        return self.state / "staging" / ROLLOUT / "discarded"

    @property
    def backup(self) -> Path:
        return self.state / "backups" / ROLLOUT

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite"

    @property
    def package(self) -> Path:
        return self.office / "package.zip"

    @property
    def bystanders(self) -> tuple[Path, ...]:
        """What nothing may change: outside the office, and beside the app."""
        beside = self.app.parent
        return (self.root / "outside", beside / "app_old", beside / "other")


def release(version: str) -> dict[str, bytes]:
    """The files of one release."""
    return {
        "version.txt": f"app={version}\n".encode(),
        "README": b"read me " + version.encode(),
        "bin/app": b"#!/bin/sh\necho app " + version.encode(),
        "bin/manager": b"#!/bin/sh\necho manager " + version.encode(),
        "bin/updater": b"#!/bin/sh\necho updater",
        "lib/a.bin": version.encode() * 100_000,
        "lib/b.bin": b"the same in both",
        "lib/sub/c.bin": version.encode() * 1000,
        "lib/empty": b"",
        "help/index.html": b"<p>" + version.encode(),
        "help/img/logo.png": bytes(range(256)),
        "prefs/default.ini": b"shipped with " + version.encode(),
        f"lib/only-in-{version}.bin": version.encode() * 10,
    }


KEPT = {
    "prefs/user.ini": b"mine",
    "prefs/default.ini": b"changed by me",
    "prefs/deep/window.ini": b"1280x1024",
    "certs/server.pem": b"secret",
}
NOT_KEPT = {"certs/readme.txt": b"about", "data/old.db": b"not kept" * 100}


def _mode(path: str) -> int:
    return 0o755 if path.startswith("bin/") else 0o644


def manifest() -> Manifest:
    """The signed list of the new release."""
    entries = tuple(
        FileEntry(path, _mode(path), len(content), hashlib.sha256(content).hexdigest())
        for path, content in release(NEW).items()
    )
    return Manifest("bench-app", NEW, "client", "linux", "0" * 64, 1, entries)


def build(place: Place) -> None:
    """Make the office with the old release in place, and its bystanders."""
    for bystander in place.bystanders:
        _write(bystander, {"precious.txt": b"not yours", "sub/more.txt": b"nor this"})
    place.state.mkdir(mode=0o700, parents=True)
    _write(place.app, release(OLD) | KEPT | NOT_KEPT)
    _own(place.app)
    with zipfile.ZipFile(place.package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in release(NEW).items():
            archive.writestr(name, content)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(_mode(path))


def _own(app: Path) -> None:
    """Give the app its owners, and the kept files what must arrive with them."""
    for path in (app, *app.rglob("*")):
        os.chown(path, _USER, _USER)
    (app / "prefs/link").symlink_to("../../../../outside/precious.txt")
    os.chown(app / "prefs/link", _OWNER, _USER, follow_symlinks=False)
    (app / "certs/server.pem").chmod(0o600)
    (app / "prefs").chmod(0o2770)
    user = app / "prefs/user.ini"
    user.chmod(0o640)
    os.chown(user, _OWNER, _OWNER)
    os.setxattr(user, "user.note", b"carried")
    for kept in (*KEPT, "prefs/link", "prefs/deep", "prefs", "certs"):
        os.utime(app / kept, ns=(_KEPT_TIME, _KEPT_TIME), follow_symlinks=False)
