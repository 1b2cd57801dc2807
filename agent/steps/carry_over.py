"""Carries what the profile keeps from the live folder into the new release.

Preferences, certificates and the app's own backups arrive with content, mode, owner, times and
extended attributes as they were. What the package ships under the same name is set aside as
`.new`. May run again at any time before the swap: the live folder is only read.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.extract import sha256_of, strangers, verify_tree
from agent.package_paths import BadPackage
from agent.platforms.base import Item, Spot
from agent.steps.apply.parts import keeps, moving
from agent.steps.table import Refused, Work
from agent.steps.tree import matching, total_bytes
from agent.wire.contract import Refusal
from agent.wire.manifest import FileEntry, Manifest


@dataclass(frozen=True, slots=True)
class Carried:
    """What is kept, and where the package's own files of the same name are set aside."""

    kept: list[Item]
    aside: Mapping[str, str]  # path on the manifest -> path in the new release


def carry_over(work: Work, manifest: Manifest) -> Carried:
    """Bring the kept files into `folders.incoming`, with the rights of the old release.

    Raises `Refused` PACKAGE_MISMATCH when a kept file is a folder in the package.
    """
    live, incoming = work.installation.folder, work.folders.incoming
    carried = _plan(work, manifest)
    for path, aside in carried.aside.items():
        if not (incoming / aside).exists():
            (incoming / path).rename(incoming / aside)
    _copy(work, carried.kept)
    _give_rights(work, manifest, carried)
    for item in reversed(carried.kept):  # last, since what is put into a folder changes its time
        if item.is_folder:
            about = (live / item.path).stat()
            os.utime(incoming / item.path, ns=(about.st_atime_ns, about.st_mtime_ns))
    return carried


def verify_release(work: Work, manifest: Manifest, carried: Carried) -> None:
    """Raise `BadPackage` unless `folders.incoming` is the signed release and the kept files."""
    incoming = work.folders.incoming
    verify_tree(incoming, manifest, carried.aside)
    known = {carried.aside.get(entry.path, entry.path) for entry in manifest.files}
    if strange := strangers(incoming, known | {item.path for item in carried.kept}):
        raise BadPackage(f'cannot use the new release: "{strange[0]}" does not belong to it')
    for item in carried.kept:
        if not _is_same(work, item):
            raise BadPackage(f'cannot carry over "{item.path}": it did not arrive as it was')


def _plan(work: Work, manifest: Manifest) -> Carried:
    live = work.installation.folder
    found = matching(moving(work.profile, work.platform.items(live)), keeps(work.profile))
    shipped = {entry.path: entry for entry in manifest.files}
    _check_kinds(work, found, shipped)
    aside = {
        item.path: _free_name(item.path, shipped)
        for item in found
        if item.path in shipped and not _is_shipped(live, item, shipped[item.path])
    }
    newer = set(aside.values())  # the package's, in the place of an earlier package's
    return Carried([item for item in found if item.path not in newer], aside)


def _check_kinds(work: Work, found: list[Item], shipped: Mapping[str, FileEntry]) -> None:
    for item in found:
        there = work.platform.look_at(Spot(work.folders.incoming, item.path))
        if item.is_folder and item.path in shipped:
            kinds = "a folder here and a file in the package"
        elif not item.is_folder and there is not None and there.is_folder:
            kinds = "a file here and a folder in the package"
        else:
            continue
        raise Refused(Refusal.PACKAGE_MISMATCH, f'cannot carry over "{item.path}": it is {kinds}')


def _is_shipped(live: Path, item: Item, entry: FileEntry) -> bool:
    same_size = item.is_file and item.size == entry.size
    return same_size and sha256_of(live / item.path) == entry.sha256


def _free_name(path: str, shipped: Mapping[str, FileEntry]) -> str:
    name = f"{path}.new"
    while name in shipped:
        name += ".new"
    return name


def _copy(work: Work, kept: list[Item]) -> None:
    live, incoming = work.installation.folder, work.folders.incoming
    done, total = 0, total_bytes(kept)
    for item in kept:
        target = incoming / item.path
        if item.is_folder:
            target.mkdir(mode=0o700, exist_ok=True)
        else:
            work.platform.copy_file(live / item.path, target)
            done += item.size if item.is_file else 0
            work.progress(done, total)


def _give_rights(work: Work, manifest: Manifest, carried: Carried) -> None:
    """Give the new release the owners and rights that the old one has on this host."""
    kept = {item.path for item in carried.kept if not item.is_folder}
    for item in work.platform.items(work.folders.incoming):
        if item.is_folder:
            _copy_rights(work, _folder_like(work, item.path), item.path)
    for entry in manifest.files:
        path = carried.aside.get(entry.path, entry.path)
        if path not in kept:
            _check_plain(work, path)
            _copy_rights(work, _file_like(work, entry.path), path)
            (work.folders.incoming / path).chmod(entry.mode & 0o777)
    _copy_rights(work, work.installation.folder, "")


def _check_plain(work: Work, path: str) -> None:
    found = work.platform.look_at(Spot(work.folders.incoming, path))
    if found is None or not found.is_file:
        raise BadPackage(f'cannot use "{path}" of the new release: it is not a plain file')


def _copy_rights(work: Work, source: Path | None, path: str) -> None:
    if source is not None:
        work.platform.copy_rights(source, work.folders.incoming / path)


def _folder_like(work: Work, path: str) -> Path:
    """Return the same folder in the old release, or the nearest one above that it has."""
    live = work.installation.folder
    while path:
        found = work.platform.look_at(Spot(live, path))
        if found is not None and found.is_folder:
            return live / path
        path = path.rpartition("/")[0]
    return live


def _file_like(work: Work, path: str) -> Path | None:
    """Return the same file in the old release, else the one file every release has."""
    live = work.installation.folder
    for candidate in (path, work.profile.app.version.source):
        found = work.platform.look_at(Spot(live, candidate))
        if found is not None and found.is_file:
            return live / candidate
    return None


def _is_same(work: Work, item: Item) -> bool:
    old, new = work.installation.folder / item.path, work.folders.incoming / item.path
    copy = work.platform.look_at(Spot(work.folders.incoming, item.path))
    if copy is None or stat.S_IFMT(copy.mode) != stat.S_IFMT(item.mode):
        return False
    if item.is_link:
        return old.readlink() == new.readlink()
    if (copy.mode, copy.mtime_ns) != (item.mode, item.mtime_ns):
        return False
    return item.is_folder or (copy.size == item.size and sha256_of(old) == sha256_of(new))
