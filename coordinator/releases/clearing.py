"""Deletes what nobody needs any more of packages, signed contents and metadata.

Nothing refers to what is deleted, and what refers is deleted before what it refers to: a list of
a package's files goes first, then what the list names. So a kill at any moment leaves nothing
that is promised and not there; what it left over, the next time finds.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from agent.wire.contract import Target
from coordinator.releases.packages import PackageStore
from coordinator.releases.repository import Repository

_SUPERSEDED = re.compile(r"([1-9][0-9]{0,8})\.(snapshot|targets)\.json")


class Kind(StrEnum):
    """What may be deleted."""

    PACKAGE = "packages"
    FILE = "files of packages"
    PATCH = "patches"
    CONTENT = "signed contents"
    METADATA = "signed lists"


@dataclass(frozen=True, slots=True)
class Item:
    """One file that nobody needs."""

    kind: Kind
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What must stay; so does whatever is younger than `before`, in seconds since 1970."""

    targets: frozenset[Target]
    packages: frozenset[str]  # by the SHA-256 of their zip
    before: float


@dataclass(frozen=True, slots=True)
class Stores:
    """Where releases are kept."""

    repository: Repository
    packages: PackageStore


def found(stores: Stores, needs: Callable[[], Needs]) -> list[Item]:
    """Return what would be deleted now, in the order in which it would be.

    Raises `OSError`, or `ValueError` for what cannot be read: then nothing may be deleted.
    """
    with stores.packages.lock, stores.repository.lock:  # `needs` is asked inside: it may change
        return _found(stores, needs())


def clear(
    stores: Stores, needs: Callable[[], Needs], delete: Callable[[Path], None] = Path.unlink
) -> list[Item]:
    """Delete it and return what was deleted. Raises as `found` does."""
    with stores.packages.lock, stores.repository.lock:
        items = _found(stores, needs())
        for item in items:
            delete(item.path)
            if item.kind is Kind.CONTENT:
                _leave_no_empty_folder(item.path.parent)
    return items


def _found(stores: Stores, needs: Needs) -> list[Item]:
    repository = stores.repository
    stay = {repository.path_of(target) for target in needs.targets}
    return [
        *_in_packages(stores.packages, needs),
        *_old(
            Kind.CONTENT,
            (p for p in _below(repository.folder / "targets") if p not in stay),
            needs,
        ),
        *_in_metadata(repository, needs),
    ]


def _in_packages(store: PackageStore, needs: Needs) -> Iterator[Item]:
    blobs = store.blobs
    lists = [path for path in _below(blobs.folder("lists")) if path.name not in needs.packages]
    gone = [*_old(Kind.PACKAGE, lists, needs)]
    yield from gone
    left = {p.name for p in _below(blobs.folder("lists"))} - {item.path.name for item in gone}
    for kind in ("parts", "unpatched"):
        yield from _items(Kind.PACKAGE, _besides(blobs.folder(kind), left))
    zips = (p for p in store.files() if p.name not in left | needs.packages)
    yield from _old(Kind.PACKAGE, zips, needs)
    used = {entry.sha256 for name in sorted(left) for entry in blobs.manifest(name).files}
    yield from _items(Kind.FILE, _besides(blobs.folder("blobs"), used))
    patches = _below(blobs.folder("patches"))
    yield from _items(Kind.PATCH, (p for p in patches if p.name.rpartition(".")[2] not in used))


def _in_metadata(repository: Repository, needs: Needs) -> Iterator[Item]:
    """Yield lists that others have followed long ago; one is followed when the next is written."""
    present = repository.versions()
    kept: dict[str, dict[int, Path]] = {}
    for path in _below(repository.folder / "metadata"):
        if match := _SUPERSEDED.fullmatch(path.name):
            kept.setdefault(match[2], {})[int(match[1])] = path
    for role, files in kept.items():
        versions = sorted(version for version in files if version <= present[role])
        for version, following in pairwise(versions):
            if files[following].stat().st_mtime < needs.before:
                yield from _items(Kind.METADATA, [files[version]])


def _old(kind: Kind, paths: Iterable[Path], needs: Needs) -> Iterator[Item]:
    yield from _items(kind, (p for p in paths if p.stat().st_mtime < needs.before))


def _items(kind: Kind, paths: Iterable[Path]) -> Iterator[Item]:
    for path in paths:
        yield Item(kind, path, path.stat().st_size)


def _besides(folder: Path, names: Collection[str]) -> Iterator[Path]:
    return (path for path in _below(folder) if path.name not in names)


def _below(folder: Path) -> list[Path]:
    """Return the files below a folder; those still being written have a dot first."""
    every = (path for path in folder.rglob("*") if path.name[0] != ".")
    return sorted(path for path in every if path.is_file())


def _leave_no_empty_folder(folder: Path) -> None:
    with suppress(OSError):  # there is something in it
        folder.rmdir()
