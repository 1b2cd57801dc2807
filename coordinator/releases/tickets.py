"""Tickets let one agent fetch one content for a while; they travel over its link.

HTTPS hides who the agent is (uvicorn shows no client certificate), the link does not. A ticket
is `<host id>.<expiry>.<mac>`, the mac over these and the content's hash.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from agent.wire.atomic import write_whole

TICKET_SECONDS = 3600.0
_KEY_BYTES = 32


class BadTicket(Exception):  # noqa: N818 - reads better where it is caught
    """This ticket does not let this host fetch this content now."""


class Tickets:
    """Makes and checks tickets; the key is kept, so that a restart does not end downloads."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    @classmethod
    def open(cls, key_file: Path, clock: Callable[[], float] = time.time) -> "Tickets":
        """Return tickets by the key in `key_file` (0600), made when absent."""
        if not key_file.exists():
            write_whole(key_file, secrets.token_bytes(_KEY_BYTES))
        return cls(key_file.read_bytes(), clock)

    def make(self, host_id: str, sha256: str, seconds: float = TICKET_SECONDS) -> str:
        """Return a ticket for one host and one content."""
        expiry = str(int(self._clock() + seconds))
        return f"{host_id}.{expiry}.{self._mac(host_id, sha256, expiry)}"

    def check(self, ticket: str, host_id: str, sha256: str) -> None:
        """Return when the ticket is good. Raises `BadTicket`, which says what is wrong with it."""
        named, expiry, mac = _split(ticket)
        if not hmac.compare_digest(mac.encode(), self._mac(named, sha256, expiry).encode()):
            raise BadTicket("the ticket is not for this content, or was not made here")
        if named != host_id:
            raise BadTicket("the ticket is another host's")
        if int(expiry) <= self._clock():
            raise BadTicket("the ticket has expired: the next attempt brings another")

    def _mac(self, host_id: str, sha256: str, expiry: str) -> str:
        said = f"{host_id}\n{sha256}\n{expiry}".encode()
        digest = hmac.digest(self._key, said, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _split(ticket: str) -> tuple[str, str, str]:
    parts = ticket.rsplit(".", 2)
    if len(parts) != 3 or not ticket.isascii():
        raise BadTicket("this is no ticket")
    return parts[0], parts[1], parts[2]
