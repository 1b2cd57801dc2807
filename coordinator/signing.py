"""What a signature would vouch for, seen with the signer's own eyes, and signing itself.

The coordinator says what is to be signed, and may be in a thief's hands. So nothing that it
says about the list is believed: each content is fetched, compared with the hash that the list
gives, and read here; a target that cannot be read is not signed.
"""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.wire.codec import BadMessage
from agent.wire.manifest import Manifest, read_manifest
from agent.wire.profile_reader import ProfileError, read_profile
from coordinator.complaint import Complaint
from coordinator.releases.actions import actions
from coordinator.releases.keys import (
    SIGNING_KEY,
    KeyProblem,
    SignedItem,
    check_term,
    describe,
    sign,
)
from coordinator.releases.packages import Label, manifest_name, profile_name
from coordinator.terms import in_words

_NO_TERMS = "no terms: may be put over anything older"
_LOOK = "do not sign until a person has looked at the coordinator"
_OTHER_KEY = (
    "try again with the passphrase of that key; another key: roundsman release sign --key FILE"
)
Fetch = Callable[[str, str], bytes]
"""Returns the content of a target, by name and SHA-256."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """One target, as it was read: a package's files, bytes and terms, a profile's actions."""

    name: str
    sha256: str
    what: str  # "package" or "profile"
    files: int = 0
    size: int = 0  # bytes, unpacked
    actions: tuple[str, ...] = ()  # in words; of a package, the terms on which it is installed
    content: str = ""  # SHA-256 of a package's zip, as its vendor may tell it


def read_list(unsigned: str, fetch: Fetch) -> list[Vouched]:
    """Return what signing the list would vouch for, by name. Raises `Complaint`."""
    try:
        items = describe(unsigned.encode())
        check_term(unsigned.encode(), dt.datetime.now(dt.UTC))
    except KeyProblem as error:
        raise Complaint(str(error)) from None
    return [_read(item, fetch(item.name, item.sha256)) for item in items]


def _read(item: SignedItem, content: bytes) -> Vouched:
    if hashlib.sha256(content).hexdigest() != item.sha256:
        raise Complaint(
            f"cannot sign: what the coordinator shows of {item.name} is not what the list names",
            _LOOK,
        )
    try:
        if item.name.startswith("profiles/"):
            profile = read_profile(content.decode(), item.name)
            _check_name(item.name, profile_name(profile.name))
            return Vouched(item.name, item.sha256, "profile", actions=tuple(actions(profile)))
        manifest = read_manifest(content)
    except (ProfileError, BadMessage, ValueError) as error:
        raise Complaint(f"cannot sign {item.name}: it cannot be read: {error}") from None
    return _package(item, manifest)


def _package(item: SignedItem, manifest: Manifest) -> Vouched:
    label = Label(manifest.app, manifest.version, manifest.role, manifest.system)
    _check_name(item.name, manifest_name(label))
    terms = tuple(in_words(manifest.terms)) or (_NO_TERMS,)
    files, size = len(manifest.files), manifest.unpacked_size
    zip_sha256 = manifest.content_sha256
    return Vouched(item.name, item.sha256, "package", files, size, terms, zip_sha256)


def _check_name(listed: str, own: str) -> None:
    """Raise `Complaint` unless a target is listed under the name that its content gives it."""
    if listed != own:
        raise Complaint(f"cannot sign {listed}: what the coordinator shows of it is {own}", _LOOK)


def key_file(given: Path | None, home: Path) -> Path:
    """Return the key file that is meant: one given, in a folder given, or the home's own."""
    if given is None:
        return home / "signing" / SIGNING_KEY
    return given / SIGNING_KEY if given.is_dir() else given


def found_key(given: Path | None, home: Path) -> Path:
    """Return the key file that is meant, which is there. Raises `Complaint`."""
    file = key_file(given, home)
    if not file.exists():
        raise Complaint(
            f"cannot find the signing key {file}", "name it: --key FILE, or its folder or stick"
        )
    return file


def sign_list(unsigned: str, key: Path, passphrase: str) -> str:
    """Return the list, signed. Raises `Complaint`."""
    try:
        return sign(unsigned.encode(), key, passphrase).decode()
    except KeyProblem as error:
        raise Complaint(str(error), _OTHER_KEY) from None
