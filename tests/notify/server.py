"""A real mail server on loopback, that keeps what it takes and refuses what it is told to."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from coordinator.mail_settings import MailSettings, Security

USER, PASSWORD = "roundsman", "correct horse"
SENDER = "roundsman@office.example"


@dataclass
class Postbox:
    """What came in, and what is answered to whom instead of taking it."""

    taken: list[EmailMessage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # by recipient
    cut_off: set[str] = field(default_factory=set)  # recipients that make it hang up
    at_the_end: str = ""  # answered once the whole mail was sent

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.cut_off:
            server.transport.abort()
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.at_the_end:
            return self.at_the_end
        mail = message_from_bytes(envelope.content, policy=SMTP)
        assert isinstance(mail, EmailMessage)
        assert envelope.rcpt_tos == [mail["To"]]
        self.taken.append(mail)
        return "250 OK"


class Office:
    """A certificate authority, a password file, and the server's box."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        self.box = Postbox()
        self.authority = trustme.CA()
        self.port = free_port()
        self._folder = folder
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(self.context)
        self.authority.cert_pem.write_to_path(folder / "mail-ca.pem")
        self.password(PASSWORD)

    def password(self, word: str) -> None:
        """Have the coordinator use this password from now on."""
        file = self._folder / "mail.password"
        file.write_text(word + "\n")
        file.chmod(0o600)

    def settings(self, **changes: Any) -> MailSettings:
        given: dict[str, Any] = {
            "host": "127.0.0.1", "port": self.port, "security": Security.STARTTLS,
            "sender": SENDER, "user": USER, "password_file": self._folder / "mail.password",
            "recipients": ("it@office.example",), "ca_file": self._folder / "mail-ca.pem",
        }  # fmt: skip
        return MailSettings(**given | changes)

    @contextlib.contextmanager
    def serving(self) -> Iterator[Postbox]:
        """Have the server up meanwhile: STARTTLS and a password are demanded."""
        controller = Controller(
            self.box,
            hostname="127.0.0.1",
            port=self.port,
            tls_context=self.context,
            require_starttls=True,
            auth_required=True,
            authenticator=_authenticate,
        )
        controller.start()
        try:
            yield self.box
        finally:
            controller.stop()


def _authenticate(_server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=good, handled=False)


def free_port() -> int:
    """Return a port on loopback where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def talking(port: int, talk: Callable[[socket.socket], None]) -> Iterator[None]:
    """Have something else answer there: `talk` with each who connects, one after the other."""
    with socket.create_server(("127.0.0.1", port)) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    peer, _ = server.accept()
                    with peer:
                        peer.settimeout(30)
                        talk(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
