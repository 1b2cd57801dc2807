"""Carries what the profile keeps from the live folder into the new release.

Preferences, certificates and the app's own backups arrive with content, mode, owner, times and
extended attributes as they were. What the package ships under the same name is set aside as
`.new`. May run again at any time before the swap: the live folder is only read, and both sides
only as `Spot`s: what is a link there is carried over as a link, and never followed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.extract import strangers, verify_tree
from agent.package_paths import BadPackage, folders_of
from agent.platforms.base import Item, Spot
from agent.steps.apply.parts import keeps, moving
from agent.steps.backup_copies import read_chunks
from agent.steps.modules import kept_modules
from agent.steps.table import Refused, Work
from agent.steps.tree import matching, sha256_at, total_bytes
from agent.wire.contract import Refusal
from agent.wire.manifest import FileEntry, Manifest


@dataclass(frozen=True, slots=True)
class Carried:
    """What is kept, and where the package's own files of the same name are set aside."""

    kept: list[Item]
    aside: Mapping[str, str]  # path on the manifest -> path in the new release


def carry_over(work: Work, manifest: Manifest) -> Carried:
    """Bring the kept files into `folders.incoming`, with the rights of the old release.

    Nothing of it is sure to be on the disk until the volume is synced.
    Raises `Refused` PACKAGE_MISMATCH when a kept file is a folder in the package.
    """
    carried = _plan(work, manifest)
    for path, aside in carried.aside.items():
        if work.platform.look_at(_new(work, aside)) is None:
            incoming = work.folders.incoming  # the agent's own, and the package's own folders
            (incoming / path).rename(incoming / aside)
    _copy(work, carried.kept)
    _give_rights(work, manifest, carried)
    for item in reversed(carried.kept):  # last, since what is put into a folder changes its time
        if item.is_folder:
            work.platform.give_times(_old(work, item.path), _new(work, item.path))
    return carried


def try_carry_over(work: Work, manifest: Manifest) -> None:
    """Read all that would be carried over, and tell how much it is; nothing is copied.

    What the step tells of its progress stays what was fetched. Raises `Refused` FOLDER_RIGHTS
    when a file cannot be read, PACKAGE_MISMATCH as `carry_over`.
    """
    files = [item for item in _plan(work, manifest).kept if item.is_file]
    for item in files:
        _try_reading(work, item)
    work.fact("kept_files", str(len(files)))
    work.fact("kept_bytes", str(total_bytes(files)))


def _try_reading(work: Work, item: Item) -> None:
    try:
        for _ in read_chunks(work.platform, _old(work, item.path)):
            work.pause(0)
    except FileNotFoundError:
        return  # the app is open meanwhile, and what it keeps may go
    except OSError as error:
        why = error.strerror or error
        raise Refused(
            Refusal.FOLDER_RIGHTS,
            f'cannot carry over "{_old(work, item.path)}": it cannot be read: {why}; have it '
            "readable for the agent, or take it out of what the profile keeps",
        ) from error


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


def _old(work: Work, path: str) -> Spot:
    return Spot(work.installation.folder, path)


def _new(work: Work, path: str) -> Spot:
    return Spot(work.folders.incoming, path)


def _plan(work: Work, manifest: Manifest) -> Carried:
    live = moving(work.profile, work.platform.items(work.installation.folder))
    found = matching(live, keeps(work.profile) + kept_modules(work, manifest))
    shipped = {entry.path: entry for entry in manifest.files}
    _check_kinds(found, shipped)
    aside = {
        item.path: _free_name(item.path, shipped)
        for item in found
        if item.path in shipped and not _is_shipped(work, item, shipped[item.path])
    }
    newer = set(aside.values())  # the package's, in the place of an earlier package's
    return Carried([item for item in found if item.path not in newer], aside)


def _check_kinds(found: list[Item], shipped: Mapping[str, FileEntry]) -> None:
    folders = folders_of(shipped)
    for item in found:
        if item.is_folder and item.path in shipped:
            kinds = "a folder here and a file in the package"
        elif not item.is_folder and item.path in folders:
            kinds = "a file here and a folder in the package"
        else:
            continue
        raise Refused(Refusal.PACKAGE_MISMATCH, f'cannot carry over "{item.path}": it is {kinds}')


def _is_shipped(work: Work, item: Item, entry: FileEntry) -> bool:
    same_size = item.is_file and item.size == entry.size
    return same_size and sha256_at(work.platform, _old(work, item.path)) == entry.sha256


def _free_name(path: str, shipped: Mapping[str, FileEntry]) -> str:
    name = f"{path}.new"
    while name in shipped:
        name += ".new"
    return name


def _copy(work: Work, kept: list[Item]) -> None:
    done, total = 0, total_bytes(kept)
    for item in kept:
        target = _new(work, item.path)
        there = work.platform.look_at(target)
        if there is not None and there.is_folder is not item.is_folder:
            work.platform.remove(target)  # kept by an earlier attempt; it is another kind now
        if item.is_folder:
            work.platform.make_folder(target)
        else:
            work.platform.copy(_old(work, item.path), target, durable=False)
            done += item.size if item.is_file else 0
            work.progress(done, total)


def _give_rights(work: Work, manifest: Manifest, carried: Carried) -> None:
    """Give the new release the owners and rights that the old one has on this host."""
    kept = {item.path for item in carried.kept if not item.is_folder}
    old, new = (_by_path(work, folder) for folder in _both(work))
    for path, item in new.items():
        if item.is_folder:
            work.platform.give_rights(_old(work, _folder_like(old, path)), _new(work, path))
    for entry in manifest.files:
        path = carried.aside.get(entry.path, entry.path)
        if path not in kept:
            like = _file_like(old, (entry.path, work.profile.app.version.source))
            _give_file_rights(work, entry, new.get(path), like)
    work.platform.give_rights(_old(work, ""), _new(work, ""))


def _give_file_rights(work: Work, entry: FileEntry, found: Item | None, like: str | None) -> None:
    """Give a file of the package the owner of its like in the old release, and its own mode."""
    if found is None or not found.is_file:
        raise BadPackage(f'cannot use "{entry.path}" of the new release: it is not a plain file')
    if like is not None:
        work.platform.give_rights(_old(work, like), _new(work, found.path))
    (work.folders.incoming / found.path).chmod(entry.mode & 0o777)


def _both(work: Work) -> tuple[Path, Path]:
    return work.installation.folder, work.folders.incoming


def _by_path(work: Work, folder: Path) -> dict[str, Item]:
    return {item.path: item for item in work.platform.items(folder)}


def _folder_like(old: Mapping[str, Item], path: str) -> str:
    """Return the same folder of the old release, or the nearest one above that it has."""
    while path and not (path in old and old[path].is_folder):
        path = path.rpartition("/")[0]
    return path


def _file_like(old: Mapping[str, Item], candidates: Iterable[str]) -> str | None:
    """Return the same file of the old release, else the one file every release has."""
    return next((path for path in candidates if path in old and old[path].is_file), None)


def _is_same(work: Work, item: Item) -> bool:
    old, new = _old(work, item.path), _new(work, item.path)
    copy = work.platform.look_at(new)
    if copy is None or _about(copy) != _about(item):
        return False
    if item.is_link:
        return work.platform.read_link(old) == work.platform.read_link(new)
    return item.is_folder or (
        copy.size == item.size and sha256_at(work.platform, old) == sha256_at(work.platform, new)
    )


def _about(item: Item) -> tuple[int, ...]:
    return (item.mode, item.owner, item.group, item.mtime_ns)
