"""What is looked at before the coordinator serves: can it read a key that it must not be able to?

Whoever takes the coordinator over gets what it can read. So no private key may lie there
unlocked but those that it needs to work, none of which signs releases; and no passphrase where it
opens a key. A key or passphrase that the daemon's user cannot read is none of its business.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.access import PASSPHRASE_VARIABLE
from coordinator.complaint import Complaint
from coordinator.releases.expiry import endings
from coordinator.releases.keys import KeyProblem, fingerprint, fingerprint_in, is_unlocked, opens
from coordinator.releases.repository import Repository, is_repository
from coordinator.releases.shelf import NEXT_ONLINE_KEY, ONLINE_KEY, Damaged, Shelf, moment
from coordinator.settings import Settings

_MOST_KEY, _MOST_TEXT, _MOST_LINES = 32_768, 4096, 40
_WORDS = re.compile(r"[=:]\s*(.+)$")


@dataclass(frozen=True, slots=True)
class _File:
    """One small file of the home, read."""

    path: Path
    raw: bytes

    @property
    def is_locked_key(self) -> bool:
        """True for a private key that is encrypted."""
        return b"PRIVATE KEY" in self.raw and b"ENCRYPTED" in self.raw


def check_keys(settings: Settings, environment: Mapping[str, str]) -> None:
    """Raise `Complaint` when the coordinator could sign releases, or cannot do its own part."""
    files = list(_small_files(settings))
    needed = _needed(settings)
    for file in files:
        if file.path not in needed and is_unlocked(file.raw):
            raise Complaint(
                f"cannot serve: {file.path} is a private key that is not encrypted: whoever "
                "takes this coordinator over has it",
                f"delete it, or take it away from {settings.home}; roundsman keys ceremony makes "
                "keys that are encrypted",
            )
    _check_passphrases(settings, files, environment)
    if is_repository(settings.repository_folder):
        _check_online(settings, [file for file in files if file.path in needed])


def _check_passphrases(
    settings: Settings, files: list[_File], environment: Mapping[str, str]
) -> None:
    locked = [file for file in files if file.is_locked_key]
    for key in locked:
        if _opens_one(key, _texts(environment.get(PASSPHRASE_VARIABLE, ""))):
            raise Complaint(
                f"cannot serve: the passphrase of the signing key {key.path} stands in the "
                f"environment variable {PASSPHRASE_VARIABLE}, where the coordinator can read it",
                f"unset {PASSPHRASE_VARIABLE}, then: roundsman serve",
            )
        for file in files:
            if file not in locked and _opens_one(key, _texts_in(file)):
                raise Complaint(
                    f"cannot serve: the passphrase of the signing key {key.path} stands in "
                    f"{file.path}, where the coordinator can read it",
                    f"keep it elsewhere, and delete {file.path}; or take the key away from "
                    f"{settings.home}",
                )


def _check_online(settings: Settings, needed: list[_File]) -> None:
    """Raise `Complaint` unless the online key is there, and none of these signs by hand."""
    try:
        root = Repository(settings.repository_folder).roles()
    except Damaged as error:
        mend = f"put {settings.repository_folder} back from your backup"
        raise Complaint(f"cannot serve: {error}", mend) from None
    by_hand = {*root["root"].fingerprints, *root["targets"].fingerprints}
    for file in needed:
        if fingerprint_in(file.raw) in by_hand:
            raise Complaint(
                f"cannot serve: {file.path} is a key that signs releases, not encrypted",
                "roundsman keys ceremony, then roundsman keys rotate --online",
            )
    mend = f"put {settings.repository_folder / ONLINE_KEY} back from your backup"
    try:
        online = fingerprint(Shelf(settings.repository_folder, lambda: 0.0).online())
    except KeyProblem as error:
        raise Complaint(f"cannot serve: {error}", mend) from None
    if online not in root["timestamp"].fingerprints and not _next(settings).exists():
        raise Complaint(
            "cannot serve: the online key is not the one that agents take: they would refuse "
            "everything that it signs",
            mend,
        )


def _next(settings: Settings) -> Path:
    return settings.repository_folder / NEXT_ONLINE_KEY


def _needed(settings: Settings) -> set[Path]:
    """Return the private keys without which the coordinator cannot work."""
    return {
        settings.ca_folder / "ca-key.pem",
        settings.ca_folder / "coordinator-key.pem",
        settings.repository_folder / ONLINE_KEY,
        _next(settings),
    }


def _small_files(settings: Settings) -> Iterator[_File]:
    """Yield what of the home could be a key or a passphrase: not what vendors and agents sent."""
    left_out = {
        settings.packages_folder,
        settings.repository_folder / "targets",
        settings.repository_folder / "metadata",
        settings.home / "uploads",
    }
    seen: set[Path] = set()
    for folder in (settings.home, settings.signing_folder):
        for path in _walk(folder, left_out):
            raw = _read(path) if path not in seen else None
            seen.add(path)
            if raw is not None:
                yield _File(path, raw)


def _walk(folder: Path, left_out: set[Path]) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return
    for path in inside:
        if path.is_dir() and not path.is_symlink() and path not in left_out:
            yield from _walk(path, left_out)
        elif path.is_file():
            yield path


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= _MOST_KEY else None
    except OSError:
        return None


def _opens_one(key: _File, words: Iterator[str]) -> bool:
    return any(opens(key.raw, word) for word in words)


def _texts_in(file: _File) -> Iterator[str]:
    if len(file.raw) <= _MOST_TEXT:
        yield from _texts(file.raw.decode("utf-8", "replace"))


def _texts(text: str) -> Iterator[str]:
    """Yield what could be a passphrase: each line, and what follows a "=" or ":" in it."""
    for line in text.splitlines()[:_MOST_LINES]:
        found = _WORDS.search(line)
        for word in (line, line.strip(), found[1].strip(" \"'") if found else ""):
            if word:
                yield word


def expired(settings: Settings, now: float) -> list[str]:
    """Return what somebody who starts the coordinator must hear: what agents refuse by now."""
    if not is_repository(settings.repository_folder):
        return []
    repository = Repository(settings.repository_folder)
    found = endings(repository.expiries(), moment(lambda: now))
    return [f"{one.text}\nmend: {one.mend}" for one in found if one.is_over and one.is_by_hand]
