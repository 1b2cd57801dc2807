"""TLS for the links: version 1.3, our CA and nothing else, identity from the certificate.

A name or an address proves nothing here, so host names are not checked: whoever makes a link
must call `check_peer` on it. With TLS 1.3 a certificate that the *server* refuses shows at the
client's first read, not when it connects: `is_refusal` tells that from a broken line.
"""

import re
import socket
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from agent.wire.errors import IdentityError

_URN = re.compile(r"urn:roundsman:([a-z]+):([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_KEEPALIVE_IDLE, _KEEPALIVE_EVERY, _KEEPALIVE_COUNT = 20, 5, 3
"""Seconds, seconds, probes: the fallback behind the pings of the coordinator."""


class Role(StrEnum):
    """What a certificate lets its holder be."""

    AGENT = "agent"
    COORDINATOR = "coordinator"


class Side(StrEnum):
    """Which end of the TLS handshake."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The three PEM files of one end: its key, its certificate, the CA it trusts."""

    key: Path
    certificate: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate says that its holder is.

    `serial` is lower-case hexadecimal without leading zeros: `format(serial_number, "x")`.
    """

    role: Role
    id: str
    serial: str


def make_context(side: Side, credentials: Credentials) -> ssl.SSLContext:
    """Return a fresh context. Raises `ssl.SSLError` or `OSError` when a file is unfit."""
    server = side is Side.SERVER
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(credentials.certificate, credentials.key)
    context.load_verify_locations(credentials.ca)
    if server:
        context.num_tickets = 0  # links live long: nothing to resume
    return context


def peer_identity(link: ssl.SSLSocket) -> Identity:
    """Return who is at the other end. Raises `IdentityError` when its certificate is unclear."""
    certificate = cast("dict[str, Any]", link.getpeercert() or {})
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    found = _URN.fullmatch(names[0]) if len(names) == 1 else None
    if found is None or found[1] not in list(Role):
        raise IdentityError("cannot tell who the peer is: no single urn:roundsman name in its SAN")
    serial = format(int(certificate["serialNumber"], 16), "x")
    return Identity(Role(found[1]), found[2], serial)


def check_peer(link: ssl.SSLSocket, role: Role, name: str | None = None) -> Identity:
    """Return the peer's identity. Raises `IdentityError` when it is of another role or id."""
    identity = peer_identity(link)
    if identity.role is not role or (name is not None and identity.id != name):
        wanted = f"{role}:{name}" if name else role
        raise IdentityError(f"cannot accept {identity.role}:{identity.id} where {wanted} belongs")
    return identity


def dial(
    address: tuple[str, int], context: ssl.SSLContext, seconds: float, source: str = ""
) -> ssl.SSLSocket:
    """Return a link whose handshake is over; the caller checks the peer, and closes it.

    `source` is the address of this host to dial from, "" = whichever the system takes.
    Raises `OSError` (`ssl.SSLError` among them) when there is none within `seconds` for the
    connection and as much for the handshake.
    """
    raw = socket.create_connection(address, seconds, (source, 0) if source else None)
    try:
        tune(raw)
        link = context.wrap_socket(raw, do_handshake_on_connect=False)
    except OSError:
        raw.close()
        raise
    try:
        link.settimeout(seconds)
        link.do_handshake()
    except OSError:
        link.close()
        raise
    return link


def tune(link: socket.socket) -> None:
    """Send small messages at once, and let the system notice a dead peer in about 35 s."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE": _KEEPALIVE_IDLE,
        "TCP_KEEPINTVL": _KEEPALIVE_EVERY,
        "TCP_KEEPCNT": _KEEPALIVE_COUNT,
        "TCP_USER_TIMEOUT": (_KEEPALIVE_IDLE + _KEEPALIVE_EVERY * _KEEPALIVE_COUNT) * 1000,
    }
    for name, value in options.items():
        with suppress(OSError, AttributeError):  # an older system lacks some: pings remain
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def cut(link: socket.socket) -> None:
    """End a link from any thread: whoever reads or writes it wakes, and closes it.

    Goes past `SSLSocket.shutdown`, which would pull the TLS layer from under a reader.
    """
    with suppress(OSError):
        socket.socket.shutdown(link, socket.SHUT_RDWR)


def is_refusal(error: BaseException | None) -> bool:
    """True when `error` says that one end does not accept the other's certificate."""
    if isinstance(error, ssl.SSLCertVerificationError | IdentityError):
        return True
    reason = getattr(error, "reason", None) or ""
    return isinstance(error, ssl.SSLError) and any(word in reason for word in _ALERTS)


_ALERTS = ("UNKNOWN_CA", "CERTIFICATE", "ACCESS_DENIED", "DECRYPT_ERROR")
