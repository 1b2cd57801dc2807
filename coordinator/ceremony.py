"""Keys are made, and changes of them signed, by the people who have them: on any machine.

Nothing here asks anybody: folders, files and passphrases come in, a signed change goes out.
"""

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.wire.atomic import write_whole
from coordinator.complaint import Complaint
from coordinator.releases import ceremony
from coordinator.releases.changes import Change
from coordinator.releases.keys import (
    LEAST_PASSPHRASE,
    SIGNING_KEY,
    KeyProblem,
    Signer,
    fingerprint,
    new_key,
    open_signing_key,
)
from coordinator.releases.metadata import Holders
from coordinator.releases.roots import MOST_KEYS, chain_in_words, check_chain, short
from coordinator.releases.sheet import BadSheet, Sheet, as_page, as_text, read_key
from coordinator.releases.signatures import NotPublished

_OPEN = "roundsman keys list shows the keys that may sign"


@dataclass(frozen=True, slots=True)
class Present:
    """The root and the list of targets as they are now."""

    root: str
    targets: str

    @property
    def both(self) -> tuple[bytes, bytes]:
        """Both, as they were signed."""
        return self.root.encode(), self.targets.encode()


@dataclass(frozen=True, slots=True)
class Draft:
    """A change of keys, with the signatures that it has so far."""

    roots: tuple[str, ...]
    targets: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A signing key, opened."""

    signer: Signer
    where: Path

    @property
    def fingerprint(self) -> str:
        """By what it is known."""
        return fingerprint(self.signer)


def follow(file: Path, roots: Sequence[str]) -> None:
    """Raise `Complaint` unless these roots lead on from the one that `file` keeps; keep the last.

    What somebody signs rests on the present keys, and who tells them may be a thief. The first
    time they are believed, and kept.
    """
    raw = [root.encode() for root in roots]
    with _complaining("do not sign until a person has looked at the coordinator"):
        check_chain(file.read_bytes() if file.exists() else None, raw)
        write_whole(file, raw[-1])


def open_key(file: Path, passphrase: str) -> Opened:
    """Return the key in a file. Raises `Complaint`."""
    with _complaining("try again with the passphrase of that key"):
        return Opened(open_signing_key(file, passphrase), file.parent)


def make_key(folder: Path, passphrase: str) -> Opened:
    """Make an encrypted key in a folder or on a stick that has none. Raises `Complaint`."""
    with _complaining(
        "an empty folder or stick for each key, and a passphrase of "
        f"at least {LEAST_PASSPHRASE} characters"
    ):
        return Opened(new_key(folder, passphrase), folder)


def recover(sheet: str, folder: Path, passphrase: str) -> Opened:
    """Put the key of a recovery sheet into a folder, once it has been opened.

    Raises `Complaint`; nothing is left in the folder then.
    """
    file = folder / SIGNING_KEY
    if file.exists():
        raise Complaint(
            f"cannot put the key into {folder}: one is there already", "another folder"
        )
    try:
        raw = read_key(sheet)
        write_whole(file, raw)
    except BadSheet as error:
        raise Complaint(str(error)) from None
    except OSError as error:
        raise Complaint(f"cannot write {file}: {error.strerror}") from None
    try:
        return open_key(file, passphrase)
    except Complaint:
        file.unlink()
        raise


def handed_over(
    present: Present, old: Sequence[Opened], new: Sequence[Opened], threshold: int
) -> Draft:
    """Return the change to new keys, of which so many must sign. Raises `Complaint`."""
    keys = tuple(one.signer.public_key for one in new)
    with _complaining(_OPEN):
        change = ceremony.replacement(*present.both, Holders(keys, threshold), _now())
        return _signed(change, [*old, *new])


def renewed(present: Present, by: Sequence[Opened]) -> Draft:
    """Return the change that gives root and targets a new expiry. Raises `Complaint`."""
    with _complaining(_OPEN):
        return _signed(ceremony.renewal(*present.both, _now()), by)


def replaced(present: Present, gone: str, new: Opened, by: Sequence[Opened]) -> Draft:
    """Return the change in which a new key takes the place of another. Raises `Complaint`."""
    with _complaining(_OPEN):
        holders = ceremony.without(present.both[0], gone, new.signer)
        return _signed(ceremony.replacement(*present.both, holders, _now()), [*by, new])


def online_replaced(
    present: Present, keyid: str, key: dict[str, Any], by: Sequence[Opened]
) -> Draft:
    """Return the change to another online key. Raises `Complaint`."""
    with _complaining(_OPEN):
        following = ceremony.public_key(keyid, key)
        return _signed(ceremony.online_replacement(present.both[0], following, _now()), by)


def sign_draft(draft: Draft, by: Iterable[Opened]) -> Draft:
    """Return the change with further signatures. Raises `Complaint`."""
    with _complaining(_OPEN):
        return _signed(_change(draft), by)


def draft_in_words(present: str, roots: Sequence[str]) -> list[str]:
    """Return what a change does to the keys, for whoever is to sign it. Raises `Complaint`."""
    with _complaining("make the change anew"):
        return chain_in_words([present.encode(), *(root.encode() for root in roots)])


def named_key(present: Present, typed: str) -> str:
    """Return the fingerprint of the key that was meant. Raises `Complaint`."""
    with _complaining(_OPEN):
        return ceremony.named_key(present.both[0], typed)


def check_numbers(keys: int, threshold: int) -> None:
    """Raise `Complaint` unless so many keys, of which so many must sign, make sense."""
    if not 1 <= threshold <= keys <= MOST_KEYS:
        raise Complaint(
            f"cannot have {threshold} of {keys} keys sign: there are 1 to {MOST_KEYS} keys, and "
            "no more must sign than there are",
            "roundsman keys ceremony --keys 3 --threshold 2",
        )


def may_sign(present: str, roots: Sequence[str]) -> list[str]:
    """Return the fingerprints of the keys whose signatures on a change count."""
    with _complaining("make the change anew"):
        return ceremony.holders([present.encode(), *(root.encode() for root in roots)])


def settle(new: Opened, folder: Path) -> None:
    """Put a new key in the place of the one that it has replaced. Raises `Complaint`."""
    with _complaining(f"move it into {folder} yourself"):
        (new.where / SIGNING_KEY).replace(folder / SIGNING_KEY)
        new.where.rmdir()


def sheet_of(made: Opened, what: str) -> Sheet:
    """Return the recovery sheet of a key that was just made."""
    pem = (made.where / SIGNING_KEY).read_bytes()
    return Sheet(what, made.fingerprint, str(made.where.absolute()), _now(), pem)


def write_sheet(folder: Path, sheet: Sheet) -> list[Path]:
    """Write a sheet as text and as a page, readable by this user only. Raises `Complaint`."""
    name = f"recovery-{sheet.fingerprint[:16]}"
    files = [folder / f"{name}.txt", folder / f"{name}.html"]
    try:
        for file, said in zip(files, (as_text(sheet), as_page(sheet)), strict=True):
            write_whole(file, said.encode())
    except OSError as error:
        raise Complaint(
            f"cannot write the recovery sheets into {folder}: {error.strerror}",
            "--sheets another folder",
        ) from None
    return files


def sheet_text(sheet: Sheet) -> str:
    """Return a sheet as it is printed."""
    return as_text(sheet)


def in_fours(fingerprint: str) -> str:
    """Return a fingerprint as people read it out."""
    return short(fingerprint)


@contextlib.contextmanager
def _complaining(mend: str) -> Iterator[None]:
    try:
        yield
    except (KeyProblem, NotPublished) as error:
        raise Complaint(str(error), mend) from None
    except OSError as error:
        raise Complaint(f"cannot use {error.filename}: {error.strerror}", mend) from None


def _signed(change: Change, by: Iterable[Opened]) -> Draft:
    for one in by:
        change = ceremony.sign_change(change, one.signer)
    return Draft(tuple(raw.decode() for raw in change.roots), change.targets.decode())


def _change(draft: Draft) -> Change:
    return Change(tuple(raw.encode() for raw in draft.roots), draft.targets.encode())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
