"""What lies in a folder, whole, and how that differs from what must lie there."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ANY = -1  # the time of a file that is not carried over


@dataclass(frozen=True, slots=True)
class Thing:
    """One file, link or folder, whole."""

    mode: int  # with the kind
    owner: tuple[int, int]
    mtime_ns: int  # ANY for folders that are not kept, and for what the package brings
    content: str = ""  # hash of a file, target of a link
    attributes: tuple[tuple[str, bytes], ...] = ()


Tree = Mapping[str, Thing]


def look(folder: Path) -> dict[str, Thing]:
    """Everything below a folder, and the folder itself as "."; {} when it is absent."""
    if not os.path.lexists(folder):
        return {}
    found = {".": _thing(folder)}
    for here, folders, files in os.walk(folder, onerror=_raise):
        for name in (*folders, *files):
            path = Path(here, name)
            found[str(path.relative_to(folder))] = _thing(path)
    return found


def _raise(error: OSError) -> None:
    raise error


def _thing(path: Path) -> Thing:
    about = path.lstat()
    content = ""
    if stat.S_ISREG(about.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(about.st_mode):
        content = str(path.readlink())
    names = os.listxattr(path, follow_symlinks=False)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return Thing(
        about.st_mode,
        (about.st_uid, about.st_gid),
        about.st_mtime_ns,
        content,
        tuple(sorted(attributes.items())),
    )


def differences(found: Tree, expected: Tree, *, times_of: set[str] | None = None) -> list[str]:
    """How `found` is not as `expected`; times are compared of `times_of`, None: of all files."""
    if not found:
        return ["is absent"]
    told = [f"lacks {path}" for path in expected.keys() - found.keys()]
    told += [f"has {path} besides" for path in found.keys() - expected.keys()]
    for path in expected.keys() & found.keys():
        told += _difference(path, found[path], expected[path], times_of)
    return sorted(told)


def _difference(path: str, found: Thing, expected: Thing, times_of: set[str] | None) -> list[str]:
    told = []
    for what in ("mode", "owner", "content", "attributes"):
        if getattr(found, what) != getattr(expected, what):
            told.append(f"{path}: {what} {getattr(found, what)}, not {getattr(expected, what)}")
    is_folder = stat.S_ISDIR(expected.mode)
    timed = path in times_of if times_of is not None else not is_folder
    if timed and expected.mtime_ns not in {ANY, found.mtime_ns}:
        told.append(f"{path}: time {found.mtime_ns}, not {expected.mtime_ns}")
    return told
