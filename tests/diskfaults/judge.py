"""Judges a host from its disk alone. Shares no code with the product, and is never loosened.

What it reads of the product is what lies on the disk: folders, files, and the journal's rows.
"""

import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.diskfaults.office import KEPT, NEW, OLDER, Place, release

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


_KEPT_PATHS = {*KEPT, "prefs", "prefs/deep", "prefs/link"}


def new_tree(old: Tree) -> dict[str, Thing]:
    """The new release as it must stand in the place of `old`, written out file by file."""
    files = release(NEW)
    expected = {path: old[path] for path in _KEPT_PATHS}
    like_any = old["version.txt"].owner
    for path, content in files.items():
        name = f"{path}.new" if path in KEPT else path
        mode = 0o755 if path.startswith("bin/") else 0o644
        owner = old[path].owner if path in old else like_any
        digest = hashlib.sha256(content).hexdigest()
        expected[name] = Thing(stat.S_IFREG | mode, owner, ANY, digest)
    for path in list(expected):
        for above in Path(path).parents:
            expected.setdefault(str(above), old[str(above)])
    return expected


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


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the office was before anything was ordered."""

    old: Tree
    new: Tree
    bystanders: Mapping[str, Tree]


def baseline(place: Place) -> Baseline:
    """Read it; the office must be as it was built."""
    old = look(place.app)
    around = {str(folder): look(folder) for folder in place.bystanders}
    return Baseline(old, new_tree(old), around)


class Judge:
    """One office's disk against what it was and what it may be."""

    def __init__(self, place: Place, before: Baseline) -> None:
        self.place = place
        self.before = before

    def live(self) -> str:
        """Which release is in place: "old", "new", or how it is neither."""
        found = look(self.place.app)
        not_old = differences(found, self.before.old)
        if not not_old:
            return "old"
        not_new = differences(found, self.before.new, times_of=_KEPT_PATHS)
        if not not_new:
            return "new"
        nearer = min(not_old, not_new, key=len)
        return f"neither: {'; '.join(nearer[:4])}"

    def holds(self, allowed: set[str]) -> list[str]:
        """What is wrong with the release in place, the way back, and what lies around."""
        live = self.live()
        wrong = [] if live in allowed else [f"live is {live}, not {' or '.join(sorted(allowed))}"]
        return wrong + self._around()

    def way_back(self) -> list[str]:
        """While the new release is in place and not tidied, the old one lies beside it, whole."""
        if self.live() != "new":
            return []
        return [
            f"way back {word}" for word in differences(look(self.place.outgoing), self.before.old)
        ]

    def backup_is_whole(self) -> list[str]:
        """The backup is the old release, with everything about it."""
        found = look(self.place.backup / "tree")
        wanted = {path: thing for path, thing in self.before.old.items() if path != "."}
        found.pop(".", None)
        return [f"backup {word}" for word in differences(found, wanted)]

    def _around(self) -> list[str]:
        wrong = []
        for folder, expected in self.before.bystanders.items():
            told = differences(look(Path(folder)), expected, times_of=set(expected))
            wrong += [f"bystander {folder} {word}" for word in told]
        beside = {path.name for path in self.place.app.parent.iterdir()}
        known = {"app", "app_old", "other", self.place.outgoing.name}
        wrong += [f"stranger beside the app: {name}" for name in sorted(beside - known)]
        inside = {path.name for path in self.place.root.iterdir()} - {"lost+found"}
        if inside != {"office", "outside"}:
            wrong.append(f"strangers beside the office: {sorted(inside)}")
        return wrong

    def done(self, step: str, direction: str) -> list[str]:
        """What is wrong when the journal or the agent says that this is done."""
        ways = {
            ("stage", "do"): self._staged,
            ("stage", "undo"): lambda: self._absent(self.place.incoming),
            ("back-up", "do"): self.backup_is_whole,
            ("back-up", "tidy"): self._backups_tidied,
            ("apply-release", "do"): lambda: self._is("new") + self.way_back(),
            ("apply-release", "undo"): lambda: self._is("old") + self._absent(self.place.outgoing),
            ("apply-release", "tidy"): self._tidied,
        }
        return [f"{step} {direction} is called done: {w}" for w in ways[step, direction]()]

    def _is(self, wanted: str) -> list[str]:
        live = self.live()
        return [] if live == wanted else [f"live is {live}"]

    @staticmethod
    def _absent(folder: Path) -> list[str]:
        return [f"{folder.name} is still there"] if os.path.lexists(folder) else []

    def _tidied(self) -> list[str]:
        left = self._absent(self.place.outgoing) + self._absent(self.place.discarded)
        return self._is("new") + left

    def _staged(self) -> list[str]:
        files = {p: t.content for p, t in look(self.place.incoming).items() if t.content}
        empty = hashlib.sha256(b"").hexdigest()
        wanted = {p: hashlib.sha256(c).hexdigest() for p, c in release(NEW).items()}
        assert wanted["lib/empty"] == empty
        return [] if files == wanted else ["what is staged is not the release"]

    def _backups_tidied(self) -> list[str]:
        names = {path.name for path in self.place.backup.parent.iterdir()}
        wanted = {self.place.backup.name, OLDER[-1]}
        return [] if names == wanted else [f"backups are {sorted(names)}"]

    def journal(self) -> dict[tuple[str, str], str]:
        """State of every step the journal knows, by (step, direction)."""
        if not self.place.journal.exists():
            return {}
        with closing(sqlite3.connect(f"file:{self.place.journal}?mode=ro", uri=True)) as file:
            try:
                rows = file.execute("SELECT step_id, direction, state, record FROM step")
                told = rows.fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # killed before its first transaction
                    return {}
                raise
        for step_id, _direction, state, record in told:
            assert json.loads(record)["report"]["state"] == state, step_id
        return {(row[0].rpartition("/")[2], row[1]): row[2] for row in told}
