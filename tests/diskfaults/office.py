"""A small office on a real disk: one app of twenty-odd files, the agent's folders, bystanders.

Written out by hand: what the old and the new release must be, file by file, is known without
asking the product.
"""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agent.wire.manifest import FileEntry, Manifest

HOST = "pc-03-1f2e3d"
ROLLOUT = "01JD0000000000000000000000"
ERRAND = "01JE0000000000000000000000"  # what is asked for outside of the rollout, after it
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

[close]
windowless = "end"

[service_manager]
kind = "program"
programs = ["bin/manager"]
start = ["bin/manager"]

[updater]
programs = ["bin/updater"]

[health]
timeout = 10
soak = 5

[apply]
"""
_REPLACE = """kind = "replace-folder"
keep = ["prefs/**", "certs/*.pem"]
"""
_INSTALLER = """kind = "installer"
program = "setup/install"
arguments = ["{{folder}}"]
"""
_SHARED = """
[data]
scope = "shared"
holder = "server"
folders = ["{share}"]
"""


class Variant(StrEnum):
    """What the profile says of the app; each has offices of its own."""

    FOLDER = "folder"
    STAY = "stay"  # a part of the app's folder belongs to something else
    INSTALLER = "installer"
    SEALED = "sealed"  # the backup is encrypted
    SHARED = "shared"  # the group has data on this host


_KINDS = {
    Variant.FOLDER: _REPLACE,
    Variant.STAY: _REPLACE + 'stay = ["pool"]\n',
    Variant.INSTALLER: _INSTALLER,
    Variant.SEALED: _REPLACE + "[backup]\nencrypt = true\n",
    Variant.SHARED: _REPLACE + _SHARED,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is, given the folder that holds the office and its bystanders."""

    root: Path

    @property
    def office(self) -> Path:
        return self.root / "office"

    @property
    def variant(self) -> Variant:
        return Variant((self.office / "variant").read_text())

    @property
    def profile(self) -> str:
        return (PROFILE + _KINDS[self.variant]).format(app=self.app, share=self.share)

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
    def set_aside(self) -> Path:
        """What was in the app's folder before a backup was restored."""
        return self.app.parent / f"app_old.{ERRAND}"

    @property
    def share(self) -> Path:
        """The data of the group."""
        return self.office / "srv" / "share"

    @property
    def newer_share(self) -> Path:
        return self.share.with_name(f"share.{ROLLOUT}")

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


POOL = {"pool/index": b"of another program", "pool/sub/blob.bin": b"blob" * 100}
SHARE = {"ledger.db": b"ledger" * 5000, "schema": b"1.0", "sub/notes.txt": b"notes"}
NEWER_SHARE = SHARE | {"schema": b"1.1", "sub/more.txt": b"written by the new release"}
_INSTALL = b"""#!/bin/sh
set -e
/bin/cp -R "$(/usr/bin/dirname "$0")/../payload/." "$1/"
/bin/chmod 644 "$1/lib/only-in-1.1.bin"
"""


def _mode(path: str) -> int:
    return 0o755 if path.startswith(("bin/", "setup/")) else 0o644


def package_files(variant: Variant) -> dict[str, bytes]:
    """The files of the new release's package."""
    if variant is not Variant.INSTALLER:
        return release(NEW)
    files = {path: content for path, content in release(NEW).items() if path not in KEPT}
    return {f"payload/{path}": content for path, content in files.items()} | {
        "setup/install": _INSTALL
    }


def manifest(variant: Variant) -> Manifest:
    """The signed list of the new release."""
    entries = tuple(
        FileEntry(path, _mode(path), len(content), hashlib.sha256(content).hexdigest())
        for path, content in package_files(variant).items()
    )
    return Manifest("bench-app", NEW, "client", "linux", "0" * 64, 1, entries)


def build(place: Place, variant: Variant) -> None:
    """Make the office with the old release in place, and its bystanders."""
    for bystander in place.bystanders:
        _write(bystander, {"precious.txt": b"not yours", "sub/more.txt": b"nor this"})
    place.state.mkdir(mode=0o700, parents=True)
    (place.office / "variant").write_text(variant)
    _write(place.app, release(OLD) | KEPT | NOT_KEPT)
    if variant is Variant.STAY:
        _write(place.app, POOL)
    _own(place.app)
    if variant is Variant.SHARED:
        write_share(place, SHARE)
    with zipfile.ZipFile(place.package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in package_files(variant).items():
            archive.writestr(name, content)


def write_share(place: Place, files: Mapping[str, bytes]) -> None:
    """Have the group's data; what is there and the same is left as it is."""
    present = {p: (place.share / p).read_bytes() for p in files if (place.share / p).exists()}
    _write(place.share, {p: c for p, c in files.items() if present.get(p) != c})
    for path in (place.share, *place.share.rglob("*")):
        os.chown(path, _USER, _OWNER)


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
