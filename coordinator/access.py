"""How one operator reaches the coordinator: address, CA and personal token, for his eyes only."""

import os
import secrets
import ssl
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from agent.wire.atomic import READABLE, write_whole
from coordinator.settings import SettingsError, quoted, read_toml, text

OPERATOR_FILE = "operator.toml"
CA_FILE = "ca.pem"
PASSPHRASE_VARIABLE = "ROUNDSMAN_PASSPHRASE"
"""Holds the passphrase of a signing key, for programs; never in the daemon's environment."""
_PREFIX = "rmo_"
_HEAD = "# Whoever reads this file can speak to the coordinator in your name.\n"


@dataclass(frozen=True, slots=True)
class Access:
    """What a program needs to speak to the coordinator as one operator."""

    address: str  # "host:port"
    ca: Path
    token: str


def new_token() -> str:
    """Return a fresh personal token; only its hash is ever stored by the coordinator."""
    return _PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what the coordinator keeps of a token, 64 hex digits."""
    return sha256(token.encode()).hexdigest()


def read_access(folder: Path) -> Access:
    """Return what `operator.toml` says. Raises `SettingsError`."""
    file = folder / OPERATOR_FILE
    if not file.exists():
        raise SettingsError(
            f"cannot find {file}: this user has no access to a coordinator",
            "on the coordinator: roundsman init; on another PC: roundsman login",
        )
    _check_private(file)
    given = read_toml(file, dict.fromkeys(_KEYS, text))
    for key in _KEYS:
        if key not in given:
            raise SettingsError(f"cannot use {file}: {key}: missing")
    return Access(given["address"], folder / given["ca"], given["token"])


def write_access(folder: Path, access: Access, ca_pem: bytes) -> None:
    """Write `operator.toml` (0600) and the CA's certificate beside it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / CA_FILE, ca_pem, READABLE)
    values = {"address": access.address, "ca": CA_FILE, "token": access.token}
    lines = [f"{key} = {quoted(value)}\n" for key, value in values.items()]
    write_whole(folder / OPERATOR_FILE, (_HEAD + "".join(lines)).encode())


_KEYS = ("address", "ca", "token")


def _check_private(file: Path) -> None:
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise SettingsError(
            f"cannot use {file}: other users of this machine can read it", f"chmod 600 {file}"
        )


def fingerprint_of(ca_pem: bytes) -> str:
    """Return the SHA-256 of a CA's certificate, 64 hex digits."""
    return sha256(ssl.PEM_cert_to_DER_cert(ca_pem.decode("ascii"))).hexdigest()
