"""Unpacks a package, driven by its signed manifest: what is not on it never reaches the disk.

`zipfile.extractall` bends bad names into good ones and knows no bounds. Here the manifest says
which files there are, how large and with which content, and anything else is refused. Entries
are judged before the first write; content while it is written, into a folder that only the
agent can read. Memory stays bounded by the manifest, whatever the zip declares.
"""

import hashlib
import io
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from agent.package_paths import BadPackage, check_path, check_together, folders_of
from agent.wire.manifest import FileEntry, Manifest


class Source(Protocol):
    """Something that is read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""


Progress = Callable[[int, int], None]
"""Told how many bytes of how many are done; may raise to end the work."""

_CHUNK = 256 * 1024
_ENTRY_BYTES = 46 + 4 * 400 + 256  # a directory entry: header, longest name, extra fields
_ENTRY = b"PK\1\2"  # what each entry of the directory begins with
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_REPARSE_POINT = 0x400
_WRITE_NEW = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def check_paths(manifest: Manifest) -> None:
    """Raise `BadPackage` unless every path is plain, below the folder and of one meaning."""
    for entry in manifest.files:
        check_path(entry.path)
    check_together(entry.path for entry in manifest.files)


def extract(content: Path, manifest: Manifest, into: Path, progress: Progress) -> None:
    """Unpack the zip `content` into the folder `into`, which must be absent or empty.

    Raises:
        BadPackage: a path, an entry or a content is not as the manifest says; nothing was
            written outside `into`.
        OSError: the disk did not take it.
    """
    check_paths(manifest)
    wanted = {entry.path: entry for entry in manifest.files}
    with _opened(content, len(wanted) + len(folders_of(wanted))) as archive:
        entries = _entries(archive, wanted)
        _make_folders(into, sorted(folders_of(wanted)))
        done = 0
        for path, entry in wanted.items():
            with _legible(path):
                _write(archive, entries[path], entry, into)
            done += entry.size
            progress(done, manifest.unpacked_size)


def write_entry(source: Source, entry: FileEntry, into: Path) -> None:
    """Write one file of a release where nothing is, wherever its content comes from.

    Raises `BadPackage` when it is not what the manifest says; what was written stays then.
    """
    target = into / entry.path
    with open(os.open(target, _WRITE_NEW, 0o600), "wb") as file:  # noqa: PTH123 - O_EXCL
        _copy(source, file, entry)
    target.chmod(entry.mode & 0o777)


def verify_tree(folder: Path, manifest: Manifest, elsewhere: Mapping[str, str] = {}) -> None:
    """Raise `BadPackage` unless every file of the manifest is there, whole and unchanged.

    `elsewhere` gives the path of those that were moved. Files that are not on the manifest are
    not judged here: see `strangers`.
    """
    for entry in manifest.files:
        _verify(folder / elsewhere.get(entry.path, entry.path), entry)


def strangers(folder: Path, known: set[str]) -> list[str]:
    """Return what lies in `folder` and is neither in `known` nor a plain folder."""
    found = []
    for here, folders, files in os.walk(folder):
        below = Path(here).relative_to(folder)
        links = [name for name in folders if Path(here, name).is_symlink()]
        paths = [(below / name).as_posix() for name in files + links]
        found += [path for path in paths if path not in known]
    return sorted(found)


def sha256_of(path: Path) -> str:
    """Return the hash of a plain file; a symlink is not followed."""
    digest = hashlib.sha256()
    with open(os.open(path, _READ), "rb") as file:  # noqa: PTH123 - O_NOFOLLOW
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _Bounded(io.BufferedReader):
    """Refuses to read more at once than the manifest can account for, in bytes and in entries."""

    def __init__(self, path: Path, most_entries: int) -> None:
        super().__init__(io.FileIO(path, "r"))
        self._most = max(most_entries * _ENTRY_BYTES, 2 * _CHUNK)
        self._most_entries = 2 * most_entries + 100  # those that are there twice are named later
        self.in_directory = True

    def read(self, size: int | None = -1) -> bytes:
        """Return at most `size` bytes. Raises `BadPackage` when that is beyond the bound."""
        if size is not None and size > self._most:
            raise BadPackage(
                f"cannot unpack the package: its directory of {size} bytes is larger than its "
                f"manifest allows ({self._most} bytes)"
            )
        found = super().read(size)
        if self.in_directory and found.count(_ENTRY) > self._most_entries:
            raise BadPackage(
                "cannot unpack the package: it has more entries than its manifest has files"
            )
        return found


@contextmanager
def _opened(content: Path, most_entries: int) -> Iterator[zipfile.ZipFile]:
    with _Bounded(content, most_entries) as file:
        with _legible("the package"):
            archive = zipfile.ZipFile(file)
        file.in_directory = False
        with archive:
            yield archive


@contextmanager
def _legible(what: str) -> Iterator[None]:
    """Turn the many ways in which a damaged zip shows itself into one."""
    try:
        yield
    except BadPackage:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        IndexError,
        OverflowError,
    ) as error:
        raise BadPackage(f"cannot unpack {what}: the zip is damaged: {error}") from error


def _entries(
    archive: zipfile.ZipFile, wanted: Mapping[str, FileEntry]
) -> dict[str, zipfile.ZipInfo]:
    folders = {f"{folder}/" for folder in folders_of(wanted)}
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if not 0 <= info.header_offset < archive.start_dir:
            raise BadPackage(f"cannot unpack {info.orig_filename!a}: the zip is damaged")
        _check_entry(info, wanted, folders)
        if info.orig_filename in found:
            raise BadPackage(f"cannot unpack {info.orig_filename!a}: it is in the zip twice")
        found[info.orig_filename] = info
    if missing := sorted(set(wanted) - set(found)):
        raise BadPackage(f"cannot unpack {missing[0]!a}: it is not in the zip")
    return found


def _check_entry(
    info: zipfile.ZipInfo, wanted: Mapping[str, FileEntry], folders: set[str]
) -> None:
    name = info.orig_filename
    if why := _unfit(info, name.endswith("/")):
        raise BadPackage(f"cannot unpack {name[:80]!a}: {why}")
    if name in folders:
        return
    if name not in wanted:
        raise BadPackage(f"cannot unpack {name[:80]!a}: it is not on the manifest")
    if info.file_size != wanted[name].size:
        raise BadPackage(
            f"cannot unpack {name!a}: {info.file_size} bytes in the zip, "
            f"{wanted[name].size} on the manifest"
        )


def _unfit(info: zipfile.ZipInfo, is_folder: bool) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFDIR if is_folder else stat.S_IFREG}:
        return "it is a link or a special file"
    if info.external_attr & _REPARSE_POINT:
        return "it is a link"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return "it is compressed in a way that packages do not use"
    return ""


def _make_folders(into: Path, folders: list[str]) -> None:
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    if into.is_symlink() or any(into.iterdir()):
        raise BadPackage(f"cannot unpack into {into}: it is a link or not empty")
    for folder in folders:
        (into / folder).mkdir(mode=0o755)


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: FileEntry, into: Path) -> None:
    with archive.open(info) as source:
        write_entry(source, entry, into)


def _copy(source: Source, target: BinaryIO, entry: FileEntry) -> None:
    digest, left = hashlib.sha256(), entry.size
    while chunk := source.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise BadPackage(f"cannot unpack {entry.path}: longer than its manifest says")
        digest.update(chunk)
        target.write(chunk)
    if left or digest.hexdigest() != entry.sha256:
        raise BadPackage(f"cannot unpack {entry.path}: its content is not what was signed")


def _verify(path: Path, entry: FileEntry) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise BadPackage(f"cannot use {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise BadPackage(f"cannot use {path}: it is not a plain file")
    if found.st_size != entry.size or sha256_of(path) != entry.sha256:
        raise BadPackage(f"cannot use {path}: its content is not what was signed")


def wipe(folder: Path) -> None:
    """Delete a folder of the agent's own and all below; an absent one is no error."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
