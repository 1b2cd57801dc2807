"""Judges the data that a group shares, and what can be seen of an encrypted backup."""

import hashlib
import json
from pathlib import Path

from tests.diskfaults.office import KEPT, NEWER_SHARE, ROLLOUT, Place
from tests.diskfaults.things import Tree, differences, look

SHARES = ("share", f"share.{ROLLOUT}")
_SECRETS = (*KEPT.values(), b"user.ini", b"server.pem", b"#!/bin/sh")


def sealed(backup: Path) -> list[str]:
    """What is wrong with an encrypted backup: not complete, or something of it can be read."""
    files = [file for file in backup.rglob("*") if file.is_file()]
    told = [
        f"backup: {file.name} shows {s!r}" for file in files for s in _SECRETS if _has(file, s)
    ]
    listed = backup / "backup.json"
    if not listed.exists():
        return [*told, "backup has no list"]
    if not json.loads(listed.read_bytes().partition(b"\n")[2])["head"]["complete"]:
        told.append("backup is not complete")
    return told


def _has(file: Path, secret: bytes) -> bool:
    return len(secret) > 4 and secret in file.read_bytes()


class DataJudge:
    """One office's data against what it was, and what the new release has made of it."""

    def __init__(self, place: Place, before: Tree) -> None:
        self._place = place
        self._before = before

    def holds(self) -> list[str]:
        """The data is in place, old or newer, and of the newer nothing is lost."""
        if not self._before:
            return []
        wrong, live = [], self._live()
        if live == "neither" or (live == "newer" and not self._is_newer):
            wrong.append("the shared data is neither the old nor the newer")
        aside = look(self._place.newer_share)
        if aside and not _has_content(aside, NEWER_SHARE):
            wrong.append("the newer data that was set aside is not whole")
        if self._is_newer and live == "old" and not aside:
            wrong.append("the newer data is lost")
        return wrong

    def is_backed_up(self) -> list[str]:
        """What is wrong when the data is called backed up."""
        found = look(self._place.backup / "data" / "1" / "tree")
        wanted = {path: thing for path, thing in self._before.items() if path != "."}
        found.pop(".", None)
        return [f"the data's backup {word}" for word in differences(found, wanted)]

    def is_back(self) -> list[str]:
        """What is wrong when the data is called restored."""
        told = differences(look(self._place.share), self._before)
        if self._is_newer and not self._place.newer_share.exists():
            told.append("and the newer is not kept")
        return [f"the data {word}" for word in told]

    @property
    def _is_newer(self) -> bool:
        return (self._place.office / "data-is-newer").exists()

    def _live(self) -> str:
        found = look(self._place.share)
        if not differences(found, self._before):
            return "old"
        return "newer" if _has_content(found, NEWER_SHARE) else "neither"


def _has_content(tree: Tree, files: dict[str, bytes]) -> bool:
    hashes = {p: t.content for p, t in tree.items() if t.content}
    wanted = {path: _digest(content) for path, content in files.items()}
    return hashes == wanted


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
