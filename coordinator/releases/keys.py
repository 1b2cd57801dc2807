"""The keys that sign what may be installed, and signing itself, apart from everything else.

The signing key signs the root and the list of targets. It is kept encrypted, in a folder of its
own that need not be on the coordinator at all: `sign` works on bytes and a key file, on any
machine. The online key signs snapshots and timestamps only; the daemon has it, unencrypted,
and cannot make a release with it.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Targets

from agent.wire.atomic import write_whole
from coordinator.releases.metadata import LIFETIMES

SIGNING_KEY = "signing-key.pem"
LEAST_PASSPHRASE = 12
_SLACK = dt.timedelta(days=1)  # by which two clocks may differ
Signer = CryptoSigner
"""A private key, opened: to be held, and handed on, by those who need not know what it is."""


class KeyProblem(Exception):  # noqa: N818 - reads better where it is caught
    """A key cannot be made, opened or used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class SignedItem:
    """One line of what is about to be signed."""

    name: str
    sha256: str
    size: int


def make_signing_key(folder: Path, passphrase: str) -> CryptoSigner:
    """Return the signing key of `folder`, opened; made there first when it has none.

    Raises `KeyProblem` for a passphrase that is too short, or not that key's.
    """
    path = folder / SIGNING_KEY
    return open_signing_key(path, passphrase) if path.exists() else new_key(folder, passphrase)


def new_key(folder: Path, passphrase: str) -> CryptoSigner:
    """Make a signing key, encrypted, in a folder that has none; return it, opened.

    Raises `KeyProblem` for a passphrase that is too short, or a folder with a key in it.
    """
    path = folder / SIGNING_KEY
    if path.exists():
        raise KeyProblem(f"cannot make a signing key in {folder}: one is there already")
    if len(passphrase) < LEAST_PASSPHRASE:
        raise KeyProblem(
            f"cannot make the signing key: a passphrase has at least {LEAST_PASSPHRASE} characters"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.generate()
    locked = serialization.BestAvailableEncryption(passphrase.encode())
    write_whole(path, _pkcs8(key, locked))
    return CryptoSigner(key)


def open_signing_key(path: Path, passphrase: str) -> CryptoSigner:
    """Return the key in `path`. Raises `KeyProblem`."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
    except OSError as error:
        raise KeyProblem(f"cannot read the signing key {path}: {error.strerror}") from None
    except TypeError:
        raise KeyProblem(f"cannot use {path}: a signing key must be encrypted") from None
    except ValueError:
        raise KeyProblem(
            f"cannot open the signing key {path}: the passphrase is wrong, or it is no key"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"cannot use {path}: it is no Ed25519 key")
    return CryptoSigner(key)


def online_key(path: Path) -> CryptoSigner:
    """Return the key in `path` (0600, for snapshots and timestamps); made when absent."""
    if not path.exists():
        write_whole(path, _pkcs8(Ed25519PrivateKey.generate(), serialization.NoEncryption()))
    return open_online_key(path)


def open_online_key(path: Path) -> CryptoSigner:
    """Return the key in `path`, which is there. Raises `KeyProblem`."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise KeyProblem(f"cannot read the online key {path}: {error.strerror}") from None
    except (TypeError, ValueError):
        raise KeyProblem(f"cannot use {path}: it is no unencrypted key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"cannot use {path}: it is no Ed25519 key")
    return CryptoSigner(key)


def is_unlocked(raw: bytes) -> bool:
    """True when these bytes are a private key that anybody who reads them can use."""
    return _can_load(raw, None)


def opens(raw: bytes, passphrase: str) -> bool:
    """True when this passphrase opens this encrypted key."""
    return _can_load(raw, passphrase.encode())


def _can_load(raw: bytes, passphrase: bytes | None) -> bool:
    for load in (
        serialization.load_pem_private_key,
        serialization.load_der_private_key,
        serialization.load_ssh_private_key,
    ):
        try:
            load(raw, passphrase)
        except (TypeError, ValueError, UnsupportedAlgorithm):
            continue
        return True
    return False


def fingerprint_in(raw: bytes) -> str:
    """Return the fingerprint of an unencrypted Ed25519 key, "" for what is none."""
    try:
        key = serialization.load_pem_private_key(raw, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return ""
    return fingerprint(CryptoSigner(key)) if isinstance(key, Ed25519PrivateKey) else ""


def fingerprint(signer: CryptoSigner) -> str:
    """Return by what a key is known: the SHA-256 of its public half, as TUF writes it."""
    return str(signer.public_key.keyid)


def sign(unsigned: bytes, key_file: Path, passphrase: str) -> bytes:
    """Return the list of targets, signed; signatures that it has stay. Needs no repository.

    Raises `KeyProblem` for another kind of file, a key that cannot be opened.
    """
    _read_targets(unsigned)
    return sign_with(unsigned, open_signing_key(key_file, passphrase))


def sign_with(unsigned: bytes, signer: CryptoSigner) -> bytes:
    """Return a list of targets or a root with one signature more."""
    metadata = Metadata[Any].from_bytes(unsigned)
    metadata.sign(signer, append=True)
    return metadata.to_bytes()


def describe(unsigned: bytes) -> list[SignedItem]:
    """Return what signing would vouch for, by name. Raises `KeyProblem`."""
    listed = _read_targets(unsigned).signed.targets
    return [
        SignedItem(name, target.hashes["sha256"], target.length)
        for name, target in sorted(listed.items())
    ]


def check_term(unsigned: bytes, now: dt.datetime) -> None:
    """Raise `KeyProblem` when a list would be good for longer than any list of ours."""
    ends = _read_targets(unsigned).signed.expires
    if ends > now + LIFETIMES[Targets] + _SLACK:
        raise KeyProblem(
            f"cannot sign: this list would be good until {ends:%d %B %Y}, and agents could be "
            "held at it for so long. Do not sign until a person has looked at the coordinator"
        )


def _read_targets(raw: bytes) -> Metadata[Targets]:
    try:
        listed = Metadata[Targets].from_bytes(raw)
    except RepositoryError:
        raise KeyProblem("cannot sign: this is no list of targets") from None
    if not isinstance(listed.signed, Targets):
        raise KeyProblem(f"cannot sign: this is a {listed.signed.type}, not a list of targets")
    if listed.signed.delegations is not None:
        raise KeyProblem(
            "cannot sign: this list would let other keys say what may be installed; no list of "
            "this fleet does. Do not sign until a person has looked at the coordinator"
        )
    return listed


def _pkcs8(key: Ed25519PrivateKey, locked: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
