"""What a host and the coordinator say to each other before the host has a certificate.

It travels as JSON over HTTPS. A token is what an operator hands to whoever sets a host up: it
carries where the coordinator is, what proves it (the fingerprint of its CA, the hash of the
signed root of its releases) and a secret that may be used a number of times for a day.
Certificates and requests travel as base64 of their PEM, since the contract's texts have no
line ends. Standard library only.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Text, Whole
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.contract import HostId, Name, Sentence, Sha256

_PREFIX = "roundsman1."
_LONGEST_TOKEN = 4000

Address = Annotated[str, Text(260, r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")]
Secret = Annotated[str, Text(64, r"[A-Za-z0-9_-]{22,64}")]
Base64 = Annotated[str, Text(8000, r"[A-Za-z0-9+/]+={0,2}")]


class BadToken(ValueError):  # noqa: N818 - reads better where it is caught
    """A text that is no token, or one that was cut short when it was copied."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a host needs to find the coordinator, know it, and be let in."""

    addresses: Annotated[tuple[Address, ...], Entries(8)]  # HTTPS, tried in this order
    ca: Sha256  # of the CA's certificate, DER
    root: Sha256  # of the root metadata, version `root_version`
    secret: Secret
    root_version: Annotated[int, Whole(1, 100_000)] = 1


@dataclass(frozen=True, slots=True)
class EnrolAsk:
    """A host asks for a certificate; asking again with the same proof is harmless."""

    secret: Secret
    name: Name
    csr: Base64
    proof: Secret  # made on the host; whoever shows it later is the one who asked


@dataclass(frozen=True, slots=True)
class CollectAsk:
    """A host that waits for approval asks whether it has come."""

    request: HostId
    proof: Secret


@dataclass(frozen=True, slots=True)
class RenewAsk:
    """An enrolled host asks for its next certificate, signed with the key of the current one."""

    certificate: Base64
    csr: Base64
    signature: Base64  # ECDSA with SHA-256 over the PEM of `csr`


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Where one coordinator is: for links (agents dial in) and for HTTPS."""

    link: Address
    https: Address


@dataclass(frozen=True, slots=True)
class Granted:
    """The host is enrolled."""

    host_id: HostId
    certificate: Base64
    coordinators: Annotated[tuple[Coordinator, ...], Entries(8)] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """An operator has to approve the host first."""

    request: HostId


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """Exactly one of the two."""

    granted: Granted | None = None
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the coordinator said no, for programs and for people."""

    word: Annotated[str, Text(40, r"[a-z-]+")]
    detail: Sentence


def write_token(token: Token) -> str:
    """Return the text an operator copies."""
    raw = json.dumps(encode(token), separators=(",", ":")).encode()
    return _PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_token(text: str) -> Token:
    """Return what the text says. Raises `BadToken`, whose message says what to do."""
    body = text.strip().removeprefix(_PREFIX)
    if body == text.strip() or len(text) > _LONGEST_TOKEN:
        raise BadToken('this is no enrolment token: one begins with "roundsman1."')
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return decode(Token, json.loads(raw))
    except (binascii.Error, UnicodeError, json.JSONDecodeError, BadMessage, RecursionError):
        raise BadToken("the token cannot be read: copy the whole of it, on one line") from None


def wrap(pem: str) -> str:
    """Return a PEM text as the base64 that travels."""
    return base64.b64encode(pem.encode()).decode()


def unwrap(text: str) -> str:
    """Return the PEM text of a `wrap`. Raises `BadMessage`."""
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise BadMessage("not the base64 of a PEM text") from None


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "https://host:port". Raises `ValueError`."""
    host, _, port = address.removeprefix("https://").rstrip("/").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is no address: it is written host:port")
    return host.strip("[]"), int(port)
