"""Hands one mail to the mail server: encrypted, its certificate verified, within a time limit.

A mail server may hang, answer a byte a minute, or talk without end: each call of the socket has
a limit, the whole has one, and so has the number of lines that are read.

MailError
├── ServerAway     the server cannot be used now: no mail can be sent, try again later
├── BrokenOff      the server took us in and then broke off: this mail later, others meanwhile
├── RefusedNow     the server wants this mail later (4xx)
└── RefusedForGood the server does not want this mail (5xx): trying again would change nothing
"""

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from coordinator.complaint import Complaint
from coordinator.mail_settings import MailSettings, Security

_MOST_LINES = 1000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a mail server may take, seconds."""

    call: float = 20.0  # for each answer, and to be reached
    whole: float = 60.0  # for all of one mail
    tests: float = 30.0  # so long after the first test no other is begun: somebody waits


USUAL = Patience()


class MailError(Exception):
    """A mail was not sent; the text says why."""


class ServerAway(MailError):  # noqa: N818
    """The server cannot be reached, is not who it says, or does not know us."""


class BrokenOff(MailError):  # noqa: N818
    """The line was up, and broke or stood still over this mail."""


class RefusedNow(MailError):  # noqa: N818
    """The server asks to try again later."""


class RefusedForGood(MailError):  # noqa: N818
    """The server will never take this mail."""


def send(
    settings: MailSettings, mail: EmailMessage, recipient: str, patience: Patience = USUAL
) -> None:
    """Hand a mail to the server, for one recipient. Raises `MailError`."""
    with contextlib.ExitStack() as stack:
        try:
            line = stack.enter_context(_opened(settings, patience))
        except (OSError, smtplib.SMTPException, UnicodeError, Complaint) as error:
            raise ServerAway(_why(settings, error)) from None
        try:
            line.sendmail(settings.sender, [recipient], mail.as_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(*error.recipients[recipient]) from None
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            raise BrokenOff(_why(settings, error)) from None


@contextlib.contextmanager
def _opened(settings: MailSettings, patience: Patience) -> Iterator["_Line"]:
    """Yield a line that is encrypted and logged in."""
    trust = ssl.create_default_context(cafile=settings.ca_file)
    line = _Line(patience, trust if settings.security is Security.TLS else None)
    try:
        line.connect(settings.host, settings.port)
        line.ehlo()
        if settings.security is Security.STARTTLS:
            line.starttls(context=trust)
        if settings.user:
            line.login(settings.user, settings.password())
        yield line
        with contextlib.suppress(smtplib.SMTPException, OSError):  # the mail is taken already
            line.quit()
    finally:
        line.end()


class _Line(smtplib.SMTP):
    """A line that is cut when it takes too long, and reads so many lines only."""

    def __init__(self, patience: Patience, trust: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname=socket.gethostname(), timeout=patience.call)
        self._trust = trust
        self._held: socket.socket | None = None
        self._limit = threading.Timer(patience.whole, self._cut)
        self._limit.daemon = True

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._host = host  # starttls() looks for this name in the certificate
        found = socket.create_connection((host, port), timeout)
        self._held = found.dup()  # shut down through it, the line ends in whatever it is
        self._limit.start()
        return found if self._trust is None else _wrapped(self._trust, found, host)

    def getreply(self) -> tuple[int, bytes]:
        """Return the server's answer, read from what gives so many lines only."""
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()

    def _cut(self) -> None:
        if self._held is not None:
            with contextlib.suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Close everything."""
        self._limit.cancel()
        self.close()
        if self._held is not None:
            self._held.close()


def _wrapped(trust: ssl.SSLContext, found: socket.socket, host: str) -> socket.socket:
    try:
        return trust.wrap_socket(found, server_hostname=host)
    except OSError:
        found.close()
        raise


class _Bounded:
    """A file that gives so many lines only."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = _MOST_LINES

    def readline(self, most: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise OSError("it talks without end")
        line: bytes = self._file.readline(most)
        return line

    def close(self) -> None:
        self._file.close()


def _refusal(code: int, said: bytes | str) -> MailError:
    kind = RefusedForGood if 500 <= code < 600 else RefusedNow
    return kind(f"the mail server says {code} {_words(said)}")


def _why(settings: MailSettings, error: Exception) -> str:
    server = f"cannot use the mail server {settings.host}:{settings.port}"
    return f"{server}: {_reason(error)}"


def _reason(error: Exception) -> str:
    """Return what went wrong, for a person."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses user and password: {error.smtp_code} {_words(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it says {error.smtp_code} {_words(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"it does not offer what is needed: {error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not one to trust: {error.verify_message}"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, UnicodeError):
        return "user and password must be plain letters, digits and signs"
    return _words(str(getattr(error, "strerror", None) or error)) or type(error).__name__


def _words(said: bytes | str) -> str:
    """Return what a server said on one line, nothing unprintable in it."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(c if c.isprintable() else " " for c in text)[:300].strip()
