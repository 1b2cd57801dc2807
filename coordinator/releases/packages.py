"""Packages by their content: a zip goes in, is judged as an agent will judge it, and is kept.

What is stored is the zip itself, under the SHA-256 of its bytes, and each of its files by its
own (`coordinator.releases.blobs`); what is signed is its manifest. A zip that an agent would
refuse to unpack is refused here, with the entry's name.
"""

import hashlib
import os
import re
import secrets
import shutil
import stat
import threading
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from agent.extract import check_paths, extract, wipe
from agent.package_paths import BadPackage
from agent.wire.atomic import sync_folder
from agent.wire.manifest import MOST_FILES, FileEntry, Manifest
from agent.wire.terms import NO_TERMS, Terms
from coordinator.releases.blobs import BlobStore

__all__ = ["BadPackage", "Label", "PackageStore", "manifest_name", "profile_name"]

MOST_UNPACKED = 64 * 2**30
"""How large a package may be once unpacked, in bytes."""
_CHUNK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OWNER_ONLY_WRITES = 0o755


@dataclass(frozen=True, slots=True)
class Label:
    """What a package is: for which app, version, role and system."""

    app: str
    version: str
    role: str
    system: str


def profile_name(app: str) -> str:
    """Return the target name of an app's profile."""
    return f"profiles/{app}.toml"


def manifest_name(label: Label) -> str:
    """Return the target name of a package's manifest."""
    return f"packages/{label.app}/{label.version}/{label.role}-{label.system}.json"


class PackageStore:
    """The contents of all packages, in one folder, each under its SHA-256."""

    def __init__(self, folder: Path) -> None:
        """Open what is there; what was being taken in when the daemon before died is deleted."""
        self._folder = folder
        for left in [*folder.glob(".*"), *folder.glob("blobs/.*")]:
            wipe(left) if left.is_dir() else left.unlink()
        self.blobs = BlobStore(folder)
        self.lock = threading.RLock()  # held while something is taken in, or deleted

    def path(self, sha256: str) -> Path | None:
        """Return the file with this content, None when there is none."""
        path = self._folder / sha256
        return path if _SHA256.fullmatch(sha256) and path.is_file() else None

    def files(self) -> list[Path]:
        """Return the contents of all packages."""
        return sorted(p for p in self._folder.glob("*") if _SHA256.fullmatch(p.name))

    def build(self, zip_file: Path, label: Label, terms: Terms = NO_TERMS) -> Manifest:
        """Take a zip in and return the manifest to be signed, with the release's terms.

        Raises:
            BadPackage: no agent would unpack it; names the entry. Nothing is kept.
            OSError: it cannot be read or stored.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        work = self._folder / f".{secrets.token_hex(8)}"
        work.mkdir(mode=0o700)
        try:
            content = work / "content.zip"
            shutil.copyfile(zip_file, content)
            manifest = replace(_read(content, label), terms=terms)
            extract(content, manifest, work / "unpacked", _ignore)
            with self.lock:
                self.blobs.take(work / "unpacked", manifest)
                self._keep(content, manifest.content_sha256)
        finally:
            wipe(work)
        return manifest

    def _keep(self, content: Path, sha256: str) -> None:
        with content.open("rb+") as file:
            os.fsync(file.fileno())
        content.replace(self._folder / sha256)
        sync_folder(self._folder)


def _read(content: Path, label: Label) -> Manifest:
    try:
        with zipfile.ZipFile(content) as archive:
            infos = _judged(archive)
            files = tuple(_entry(archive, info) for info in infos)
    except zipfile.BadZipFile as error:
        raise BadPackage(f"cannot take the package: it is no sound zip file: {error}") from None
    with content.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = content.stat().st_size
    return Manifest(label.app, label.version, label.role, label.system, digest, size, files)


def _judged(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if not info.orig_filename.endswith("/")]
    if not infos or len(infos) > MOST_FILES:
        raise BadPackage(f"cannot take the package: it holds {len(infos)} files")
    if sum(info.file_size for info in infos) > MOST_UNPACKED:
        raise BadPackage(f"cannot take the package: larger than {MOST_UNPACKED} bytes unpacked")
    bare = tuple(FileEntry(info.orig_filename, 0, 0, "") for info in infos)
    check_paths(Manifest("", "", "", "", "", 0, bare))
    return infos


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> FileEntry:
    digest = hashlib.sha256()
    try:
        with archive.open(info) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise BadPackage(f"cannot take {info.orig_filename!a}: {error}") from None
    mode = stat.S_IMODE(info.external_attr >> 16) & _OWNER_ONLY_WRITES or 0o644
    return FileEntry(info.orig_filename, mode | 0o600, info.file_size, digest.hexdigest())


def _ignore(_done: int, _total: int) -> None:
    """Nobody watches."""
