"""Vendors' servers: HTTPS as this system's authorities vouch for it, within every bound.

TLS 1.2 at least, the certificate always verified, no password in an address, no compression (so
what is bounded is what was sent), no proxy. Redirections are followed five times at most, and to
https only; they may lead to another server, whose certificate is verified like the first one's.
This and `agent.wire.https`, which trusts our own CA alone, are the homes of urllib3.
"""

import contextlib
import http
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from agent.wire.limit import Limit, Patience
from coordinator.releases.source import CHUNK, TELL_VENDOR, Away, Body, NotGiven
from coordinator.vendor_text import on_one_line

MOST_REDIRECTIONS = 5
FEED_PATIENCE = Patience(whole=30.0)
PACKAGE_PATIENCE = Patience(whole=12 * 3600.0, slow=60.0)
"""A package comes with 64 KiB a minute at least, or it is tried again later."""
_STEP_SECONDS = 15.0  # to be reached; and between two bytes
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "roundsman"}
_REDIRECTIONS = {301, 302, 303, 307, 308}
_LATER = {408, 425, 429}  # and all of 500 and above
_AGAIN = "try again later; look whether this machine reaches it, by name and through the firewall"


class WebSource:
    """What lies at and beside one https address."""

    def __init__(
        self,
        address: str,
        feed: Patience = FEED_PATIENCE,
        package: Patience = PACKAGE_PATIENCE,
    ) -> None:
        self.where = address
        self._feed = feed
        self._package = package

    def read(self, place: str, most: int) -> bytes:
        """Return at most `most` bytes and one of what is at an address beside this one."""
        body = bytearray()
        with _answer(self._whole(place), 0, self._feed) as found:
            for chunk in found.chunks:
                body += chunk
                if len(body) > most:
                    break
        return bytes(body[: most + 1])

    @contextmanager
    def opened(self, place: str, start: int) -> Iterator[Body]:
        """Yield what is at an address from byte `start` on; the server may begin at 0."""
        with _answer(self._whole(place), start, self._package) as body:
            yield body

    def _whole(self, place: str) -> str:
        try:
            return urljoin(self.where, place)
        except ValueError:
            raise _bad_address(place) from None


def judge_address(address: str) -> SplitResult:
    """Return the parts of an https address. Raises `NotGiven` when it is none to use."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _bad_address(address) from None
    plain = address.isascii() and address.isprintable() and " " not in address
    good = plain and parts.scheme == "https" and parts.hostname and port != 0
    if not good or "@" in parts.netloc or len(address) > 4000:
        raise _bad_address(address)
    return parts


def _bad_address(address: str) -> NotGiven:
    said = on_one_line(address, 200)
    return NotGiven(
        f"cannot fetch {said}: it must be an https address, without user and password", TELL_VENDOR
    )


@contextmanager
def _answer(address: str, start: int, patience: Patience) -> Iterator[Body]:
    """Yield what an address gives, wherever it leads. Raises `SourceError`."""
    trust, first = _trust(), address
    with Limit(patience) as limit:
        for _ in range(MOST_REDIRECTIONS + 1):
            with _asked(address, start, limit, trust) as answer:
                if answer.status not in _REDIRECTIONS:
                    yield _body(address, answer, limit)
                    return
                address = _redirected(address, answer)
    raise NotGiven(
        f"cannot fetch {first}: it leads on more than {MOST_REDIRECTIONS} times, last to "
        f"{on_one_line(address, 200)}",
        TELL_VENDOR,
    )


def _trust() -> ssl.SSLContext:
    trust = ssl.create_default_context()
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    return trust


@contextmanager
def _asked(
    address: str, start: int, limit: Limit, trust: ssl.SSLContext
) -> Iterator[urllib3.BaseHTTPResponse]:
    parts = judge_address(address)
    headers = _HEADERS | ({"Range": f"bytes={start}-"} if start else {})
    wanted = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    timeout = urllib3.Timeout(connect=_STEP_SECONDS, read=_STEP_SECONDS)
    with urllib3.HTTPSConnectionPool(
        parts.hostname or "", parts.port, timeout=timeout, retries=False, ssl_context=trust
    ) as pool:
        pool.ConnectionCls = _watched(limit)
        with _sorted(address, limit):
            answer = pool.urlopen(
                "GET", wanted, headers=headers, redirect=False, preload_content=False,
                decode_content=False,
            )  # fmt: skip
        try:
            yield answer
        finally:
            answer.close()


def _watched(limit: Limit) -> type[HTTPSConnection]:
    class Watched(HTTPSConnection):
        """A connection that the limit cuts, from before its first byte on."""

        def _new_conn(self) -> socket.socket:
            line = super()._new_conn()
            limit.hold(line)
            return line

    return Watched


def _redirected(address: str, answer: urllib3.BaseHTTPResponse) -> str:
    """Return where an answer leads. Raises `NotGiven` for anything but https."""
    place = answer.headers.get("Location", "")
    try:
        there = urljoin(address, place)
        judge_address(there if place else "")
    except (ValueError, NotGiven):
        raise NotGiven(
            f"cannot fetch {address}: it leads to {on_one_line(place, 200) or 'nowhere'}, and "
            "nothing is fetched but from https addresses",
            TELL_VENDOR,
        ) from None
    return there


def _body(address: str, answer: urllib3.BaseHTTPResponse, limit: Limit) -> Body:
    if answer.status not in {http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT}:
        raise _refusal(address, answer.status)
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in {"", "identity"}:
        raise NotGiven(
            f"cannot use {address}: it comes compressed ({on_one_line(encoding, 40)}), which was "
            "not asked for",
            TELL_VENDOR,
        )
    start, total = _extent(address, answer)
    return Body(start, total, _chunks(address, answer, limit))


def _refusal(address: str, status: int) -> Away | NotGiven:
    phrase = str(status)
    with contextlib.suppress(ValueError):
        phrase = f"{status} {http.HTTPStatus(status).phrase}"
    said = f"cannot fetch {address}: its server answers {phrase}"
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
        return Away(said, "try again later; the vendor's server has a trouble of its own")
    return NotGiven(said, "look in a browser whether the address is right, or ask the vendor")


def _extent(address: str, answer: urllib3.BaseHTTPResponse) -> tuple[int, int | None]:
    try:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            length = answer.headers.get("Content-Length")
            return 0, None if length is None else int(length)
        extent, _, total = answer.headers["Content-Range"].removeprefix("bytes ").partition("/")
        return int(extent.partition("-")[0]), None if total == "*" else int(total)
    except (KeyError, ValueError):
        raise NotGiven(
            f"cannot use {address}: its server does not say how long the answer is", TELL_VENDOR
        ) from None


def _chunks(address: str, answer: urllib3.BaseHTTPResponse, limit: Limit) -> Iterator[bytes]:
    with _sorted(address, limit):
        for chunk in answer.stream(CHUNK):
            limit.heard()
            yield chunk
        if limit.is_over:
            raise TimeoutError


@contextmanager
def _sorted(address: str, limit: Limit) -> Iterator[None]:
    """Turn what urllib3 and ssl raise inside into `SourceError`."""
    try:
        yield
    except (HTTPError, OSError) as error:
        wrong = _certificate_fault(error)
        if wrong:
            raise NotGiven(
                f"cannot trust the server of {address}: {wrong}",
                "look at the date of this machine first, then ask the vendor; a server of the "
                "office's own needs its authority among this system's",
            ) from None
        why = "it takes too long" if limit.is_over else _why(error)
        raise Away(f"cannot fetch {address}: {why}", _AGAIN) from None


def _certificate_fault(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return on_one_line(error.verify_message)
        inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        error = error.__cause__ or error.__context__ or inner
    return ""


def _why(error: BaseException) -> str:
    cause = error
    while isinstance(cause.__cause__, BaseException):
        cause = cause.__cause__
    if isinstance(error, NewConnectionError | OSError) and isinstance(cause, OSError):
        return on_one_line(cause.strerror or str(cause))
    return on_one_line(str(error)) or type(error).__name__
