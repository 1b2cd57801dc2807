"""The mail server that the coordinator hands its mail to: section [mail] of `coordinator.toml`.

Nothing goes unencrypted but to a server on this machine, and the server's certificate is always
verified, by this system's authorities or by `ca_file`. The password stands in a file of its own,
which nobody else may read.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from coordinator.complaint import Complaint
from coordinator.model import ADDRESS

_ADDRESS = re.compile(ADDRESS)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_MOST_RECIPIENTS = 50


class Security(StrEnum):
    """How the line to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"  # to this machine only


class Language(StrEnum):
    """What mails are written in."""

    ENGLISH = "en"
    FRENCH = "fr"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Everything needed to send mail; `recipients` are told of every rollout."""

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password_file: Path | None = None
    recipients: tuple[str, ...] = ()
    language: Language = Language.ENGLISH
    ca_file: Path | None = None  # the authority of an office's own mail server

    def password(self) -> str:
        """Return the password, read anew. Raises `Complaint`."""
        if self.password_file is None:
            return ""
        _check_private(self.password_file)
        try:
            found = self.password_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            raise Complaint(f"cannot read {self.password_file}: {error}") from None
        if not found or not found[0]:
            raise Complaint(f"cannot use {self.password_file}: its first line is no password")
        return found[0]


def _check_private(file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise Complaint(f"cannot read {file}: {error.strerror}") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise Complaint(
            f"cannot use {file}: other users of this machine can read it", f"chmod 600 {file}"
        )


def read_mail(value: object) -> MailSettings:
    """Return what the section says. Raises `ValueError` naming the key and what it must be."""
    given: dict[str, Any] = value if isinstance(value, dict) else {"mail": value}
    if unknown := [key for key in given if key not in _KEYS]:
        raise ValueError(f"{unknown[0]}: unknown; known are {', '.join(_KEYS)}")
    if missing := [key for key in ("host", "sender") if key not in given]:
        raise ValueError(f"{missing[0]}: missing")
    return _judged({key: _read(key, item) for key, item in given.items()})


def _judged(given: dict[str, Any]) -> MailSettings:
    security = given.setdefault("security", Security.STARTTLS)
    given.setdefault("port", _PORTS[security])
    made = MailSettings(**given)
    if bool(made.user) != (made.password_file is not None):
        raise ValueError("user and password_file: either needs the other")
    if made.security is Security.NONE and not _is_here(made.host):
        raise ValueError('security: "none" is for a mail server on this machine only')
    return made


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(key: str, value: object) -> Any:
    try:
        return _KEYS[key](value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _host(value: object) -> str:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ValueError("must be the name or number of a mail server")
    return value


def _port(value: object) -> int:
    if type(value) is not int or not 0 < value < 65536:
        raise ValueError("must be a port, 1 to 65535")
    return value


def _user(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value:
        raise ValueError("must be a name")
    return value


def _file(value: object) -> Path:
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise ValueError("must be the whole path of a file")
    return Path(value)


def _address(value: object) -> str:
    if not isinstance(value, str) or len(value) > 254 or not _ADDRESS.fullmatch(value):
        raise ValueError("must be an address, as ann@example.org")
    return value


def _addresses(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_RECIPIENTS:
        raise ValueError(f"must be a list of at most {_MOST_RECIPIENTS} addresses")
    return tuple(_address(item) for item in value)


def _security(value: object) -> Security:
    return Security(_one_of(list(Security), value))


def _language(value: object) -> Language:
    return Language(_one_of(list(Language), value))


def _one_of(words: Sequence[str], value: object) -> str:
    if value not in words:
        raise ValueError(f"must be one of {', '.join(words)}")
    return str(value)


_KEYS: Mapping[str, Any] = {
    "host": _host,
    "port": _port,
    "security": _security,
    "sender": _address,
    "user": _user,
    "password_file": _file,
    "recipients": _addresses,
    "language": _language,
    "ca_file": _file,
}
"""Every key of the section; only host and sender must be given."""
