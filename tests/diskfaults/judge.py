"""Judges a host from its disk alone. Shares no code with the product, and is never loosened.

What it reads of the product is what lies on the disk: folders, files, and the journal's rows.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tests.diskfaults.judge_data import SHARES, DataJudge, sealed
from tests.diskfaults.office import (
    KEPT,
    NEW,
    OLDER,
    Place,
    Variant,
    package_files,
    release,
)
from tests.diskfaults.things import ANY, Thing, Tree, differences, look

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
    return expected | {path: thing for path, thing in old.items() if _is_pool(path)}


def _is_pool(path: str) -> bool:
    return Path(path).parts[:1] == ("pool",)


def without_pool(tree: Tree) -> dict[str, Thing]:
    """What moves in an update, but for the folder itself: the way back is the agent's own."""
    return {path: thing for path, thing in tree.items() if path != "." and not _is_pool(path)}


def installed_tree(place: Place) -> dict[str, Thing]:
    """What the installer makes of the old release: tried on a copy, without the product."""
    scratch = place.root / "tried"
    for path, content in package_files(Variant.INSTALLER).items():
        file = scratch / "package" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o755 if path.startswith(("payload/bin/", "setup/")) else 0o644)
    app = scratch / "app"
    subprocess.run(["cp", "-a", str(place.app), str(app)], check=True)
    subprocess.run([str(scratch / "package/setup/install"), str(app)], check=True)
    found = look(app)
    shutil.rmtree(scratch)
    changed = {p.removeprefix("payload/") for p in package_files(Variant.INSTALLER)}
    return {
        path: replace(thing, mtime_ns=ANY) if path in changed else thing
        for path, thing in found.items()
    }


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the office was before anything was ordered."""

    old: Tree
    new: Tree
    bystanders: Mapping[str, Tree]
    share: Tree


def baseline(place: Place) -> Baseline:
    """Read it; the office must be as it was built."""
    old = look(place.app)
    is_installed = place.variant is Variant.INSTALLER
    new = installed_tree(place) if is_installed else new_tree(old)
    around = {str(folder): look(folder) for folder in place.bystanders}
    return Baseline(old, new, around, look(place.share))


class Judge:
    """One office's disk against what it was and what it may be."""

    def __init__(self, place: Place, before: Baseline) -> None:
        self.place = place
        self.before = before
        self.data = DataJudge(place, before.share)

    def live(self) -> str:
        """Which release is in place: "old", "new", or how it is neither."""
        return self._release_at(self.place.app)

    def _release_at(self, folder: Path) -> str:
        found = look(folder)
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
        return wrong + self._around() + self.data.holds()

    def way_back(self) -> list[str]:
        """While the new release is in place and not tidied, the old one is kept, whole."""
        if self.live() != "new":
            return []
        if self.place.variant is Variant.INSTALLER:
            return self.backup_is_whole()
        found, wanted = look(self.place.outgoing), self.before.old
        if self.place.variant is Variant.STAY:
            found.pop(".", None)
            wanted = without_pool(wanted)
        return [f"way back {word}" for word in differences(found, wanted)]

    def backup_is_whole(self) -> list[str]:
        """The backup is the old release, with all about it; of a sealed one less is seen."""
        if self.place.variant is Variant.SEALED:
            return sealed(self.place.backup)
        found = look(self.place.backup / "tree")
        found.pop(".", None)
        return [f"backup {word}" for word in differences(found, without_pool(self.before.old))]

    def _around(self) -> list[str]:
        wrong = []
        for folder, expected in self.before.bystanders.items():
            told = differences(look(Path(folder)), expected, times_of=set(expected))
            wrong += [f"bystander {folder} {word}" for word in told]
        beside = {path.name for path in self.place.app.parent.iterdir()}
        aside = self.place.set_aside
        known = {"app", "app_old", "other", self.place.outgoing.name, aside.name, *SHARES}
        if aside.exists() and self._release_at(aside).startswith("neither"):
            wrong.append(f"set aside is {self._release_at(aside)}")
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
            ("back-up", "undo"): lambda: self._is("old"),
            ("back-up", "tidy"): self._backups_tidied,
            ("restore-backup", "do"): lambda: self._is("old") + self._was_set_aside(),
            ("back-up-data", "do"): self.data.is_backed_up,
            ("back-up-data", "undo"): self.data.is_back,
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

    def _was_set_aside(self) -> list[str]:
        return [] if self.place.set_aside.exists() else ["what was in place is not kept"]

    def _tidied(self) -> list[str]:
        left = self._absent(self.place.outgoing) + self._absent(self.place.discarded)
        return self._is("new") + left

    def _staged(self) -> list[str]:
        files = {p: t.content for p, t in look(self.place.incoming).items() if t.content}
        empty = hashlib.sha256(b"").hexdigest()
        package = package_files(self.place.variant)
        wanted = {p: hashlib.sha256(c).hexdigest() for p, c in package.items()}
        assert empty in wanted.values()
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
