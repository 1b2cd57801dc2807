"""Makes the stand-in's releases and prepares the demo's hosts with one.

A release is some 200 files, 20 MB in all, half of it noise, and the same bytes each time for
one version. What belongs to a host (configuration, preferences, certificate, data) is no part
of a release: an update must carry it over.
"""

import os
import random
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_PROGRAMS = ("officeapp.py", "servicemanager.py", "updater.py")
_EPOCH = (2026, 1, 1, 0, 0, 0)
_OF_THE_HOST = ("config", "certs", "prefs", "data", "archive")
_INSTALLER = b"""#!/bin/sh
# usage: install TARGET: puts the release over the one that is installed there, in place
set -e
cp -R "$(dirname "$0")/../payload/." "$1"
echo "installed into $1"
"""
_LAST_YEAR_NS = 1_763_000_000_123_456_789

File = tuple[str, int, bytes]
"""A path below the app's folder, a mode, the content."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything: a release's libraries, a host's own tables."""

    libraries: int = 196
    half_a_library: int = 53_000  # bytes; the other half is easy to compress
    table: int = 250_000  # bytes


_FULL_SIZE = Size()


def release_files(version: str, size: Size = _FULL_SIZE) -> Iterator[File]:
    """Yield every file of one release."""
    yield "VERSION", 0o644, f"app={version}\nservice_manager={version}\n".encode()
    for name in _PROGRAMS:
        yield name, 0o755, (_HERE / name).read_bytes()
    noise = random.Random(f"office {version}")
    for number in range(size.libraries):
        half = noise.randbytes(size.half_a_library)
        yield f"lib/module{number:03d}.dat", 0o644, half + half[:1000] * (len(half) // 1000)


def installer_files(version: str, size: Size = _FULL_SIZE) -> Iterator[File]:
    """Yield every file of a release that comes with a program that installs it."""
    yield "setup/install", 0o755, _INSTALLER
    for path, mode, content in release_files(version, size):
        yield f"payload/{path}", mode, content


def write_zip(file: Path, files: Iterable[File]) -> None:
    """Write the files of one release as the zip that a vendor would hand out."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for path, mode, content in files:
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, content, compresslevel=1)


def write_folder(version: str, folder: Path, size: Size = _FULL_SIZE) -> None:
    """Write one release as an installed app, in a folder that is made for it."""
    for path, mode, content in release_files(version, size):
        _write(folder / path, content, mode)


def copy_release(release: Path, folder: Path) -> None:
    """Copy an installed app that no host has used yet: quicker than writing it again."""
    shutil.copytree(release, folder)


@dataclass(frozen=True, slots=True)
class Share:
    """The data that a whole office shares; one way = an older release cannot read a newer's."""

    folder: Path
    one_way: bool = False


def seed_share(share: Share, version: str, size: Size = _FULL_SIZE) -> None:
    """Make the data that a whole office shares, as the given release keeps it."""
    _write(share.folder / "schema", f"{version}\n".encode())
    _write(share.folder / "ledger.db", random.Random("ledger").randbytes(size.table))
    _write(share.folder / "journal.txt", b"")
    _make_older([share.folder / "schema", share.folder / "ledger.db"])


def seed_host(
    folder: Path, host: str, port: int, size: Size = _FULL_SIZE, share: Share | None = None
) -> None:
    """Give an installed app what belongs to one host, and say where its evidence goes.

    The evidence log, `evidence.log`, and `office.ini`, which names it, lie beside the app's
    folder, so that no update touches them.
    """
    own = random.Random(f"host {host}")
    beside = folder.parent
    evidence = f"[office]\nhost = {host}\nevidence = {beside / 'evidence.log'}\n"
    if share is not None:
        evidence += f"share = {share.folder}\none_way = {share.one_way}\n"
    _write(beside / "office.ini", evidence.encode())
    _write(folder / "config/app.ini", f"[app]\nport = {port}\nsite = {host}\n".encode())
    _write(folder / "certs/server.pem", _certificate(own), 0o600)
    for user in ("marie", "paul"):
        preferences = f'{{"user": "{user}", "language": "fr", "seed": {own.randrange(10**9)}}}\n'
        _write(folder / f"prefs/{user}.json", preferences.encode(), 0o640)
    for number in range(4):
        _write(folder / f"data/table{number}.db", own.randbytes(size.table))
    _write(folder / "archive/last-year.db", own.randbytes(size.table))
    _make_older([file for name in _OF_THE_HOST for file in (folder / name).iterdir()])


def _certificate(own: random.Random) -> bytes:
    lines = "\n".join(own.randbytes(24).hex() for _ in range(16))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()


def _make_older(files: list[Path]) -> None:
    """Date the files back, each otherwise, so that a time carried over is told from a new one."""
    for number, file in enumerate(sorted(files)):
        moment = _LAST_YEAR_NS + number * 1_000_003
        os.utime(file, ns=(moment, moment))


def _write(file: Path, content: bytes, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
