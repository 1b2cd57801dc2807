"""HTTPS to the coordinator: TLS 1.3, our CA and nothing else, identity from the certificate.

The server's certificate is judged right after the handshake, before a byte of the request is
sent; names and addresses prove nothing, so host names are not checked. There are no redirects,
no proxies, no retries behind the caller's back, and no answer longer than asked for.
"""

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError

from agent.wire.enrolment import split_address
from agent.wire.errors import IdentityError
from agent.wire.https_errors import BadAnswer, HttpsError, Refused, Unreachable, sorted_errors
from agent.wire.tls import Role, check_peer

MOST_JSON = 4 * 2**20
"""The longest JSON answer that is read, in bytes."""
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0  # between two bytes, not for the whole
_CHUNK = 64 * 1024  # what a cut costs at most

Json = Any


@dataclass(frozen=True, slots=True)
class Stream:
    """A body under way. `start` is where it really begins, `total` the size of the whole."""

    start: int
    total: int
    chunks: Iterator[bytes]  # raises `Unreachable` when the line is cut


class Https:
    """The coordinator at one address ("host:port"). Threads may share it; close it at the end.

    Args:
        address: Where it is; "[::1]:7702" for IPv6.
        ca: The PEM file of the fleet's CA.
        headers: Sent with every request, say an operator's token.
        role: What the server's certificate must say that it is.
        seconds: How long is waited for the next byte.
    """

    def __init__(
        self,
        address: str,
        ca: Path,
        headers: Mapping[str, str] | None = None,
        role: Role = Role.COORDINATOR,
        seconds: float = _READ_SECONDS,
    ) -> None:
        host, port = split_address(address)
        self.address = address
        self._headers = dict(headers or {})
        self._pool = urllib3.HTTPSConnectionPool(
            host,
            port,
            timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds), read=seconds),
            maxsize=4,
            retries=False,
            ssl_context=_context(ca),
            cert_reqs="CERT_REQUIRED",
            assert_hostname=False,
        )
        self._pool.ConnectionCls = _connection_for(role)

    def __enter__(self) -> "Https":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pool.close()

    def get_json(self, path: str) -> Json:
        """Return what the coordinator answers, as JSON. Raises `HttpsError`."""
        return _read_json(self.get_bytes(path, MOST_JSON))

    def post_json(self, path: str, message: Json) -> Json:
        """Send JSON, return the JSON answered (None for an empty answer). Raises `HttpsError`."""
        headers = {"Content-Type": "application/json"}
        with self._ask("POST", path, headers, json.dumps(message).encode()) as answer:
            raw = _bounded(answer, MOST_JSON)
        return _read_json(raw) if raw else None

    def send_file(self, path: str, file: BinaryIO, size: int) -> Json:
        """Send `size` bytes of a file, return the JSON answered. Raises `HttpsError`."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        with self._ask("POST", path, headers, file) as answer:
            return _read_json(_bounded(answer, MOST_JSON))

    def get_bytes(self, path: str, most: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Return a body of at most `most` bytes. Raises `HttpsError`."""
        with self._ask("GET", path, headers or {}, None) as answer:
            return _bounded(answer, most)

    @contextlib.contextmanager
    def stream(self, path: str, start: int, headers: Mapping[str, str]) -> Iterator[Stream]:
        """Yield the body from byte `start` on; the server may begin at 0 all the same.

        Raises `HttpsError`; `Refused` with status 416 when `start` lies beyond the end.
        """
        wanted = dict(headers) | ({"Range": f"bytes={start}-"} if start else {})
        with self._ask("GET", path, wanted, None) as answer:
            yield stream_of(answer)

    @contextlib.contextmanager
    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO | None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        with sorted_errors(self.address):
            answer = self._pool.urlopen(
                method,
                path,
                body=body,
                headers=self._headers | dict(headers),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        try:
            if answer.status not in {200, 201, 202, 204, 206}:
                raise _refusal(answer)
            yield answer
        finally:
            answer.close()


def stream_of(answer: urllib3.BaseHTTPResponse) -> Stream:
    """Return the body of an answer that is under way. Raises `BadAnswer`."""
    begin, total = _extent(answer)
    return Stream(begin, total, _chunks(answer))


def _context(ca: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(ca)
    return context


def _connection_for(role: Role) -> type[HTTPSConnection]:
    class Pinned(HTTPSConnection):
        """A connection that is closed again unless the peer's certificate says `role`."""

        def connect(self) -> None:
            super().connect()
            if not isinstance(self.sock, ssl.SSLSocket):
                raise IdentityError("cannot tell who the peer is: the line is not encrypted")
            try:
                check_peer(self.sock, role)
            except IdentityError:
                self.close()
                raise

    return Pinned


def _refusal(answer: urllib3.BaseHTTPResponse) -> Refused:
    detail, word, mend = f"the coordinator answered {answer.status}", "", ""
    with contextlib.suppress(HttpsError):
        said = _read_json(_bounded(answer, MOST_JSON))
        if isinstance(said, dict):
            detail = str(said.get("detail") or said.get("error") or detail)
            word, mend = str(said.get("word", "")), str(said.get("mend", ""))
    return Refused(answer.status, word, detail, mend)


def _bounded(answer: urllib3.BaseHTTPResponse, most: int) -> bytes:
    end = time.monotonic() + _READ_SECONDS * 3
    body = bytearray()
    for chunk in _chunks(answer):
        body += chunk
        if len(body) > most:
            raise BadAnswer(f"the coordinator's answer is longer than {most} bytes")
        if time.monotonic() > end:
            raise Unreachable("cannot wait for the coordinator's answer any longer")
    return bytes(body)


def _chunks(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read1(_CHUNK):  # whatever is there: a slow line is heard of, too
            yield chunk
    except (HTTPError, OSError) as error:
        raise Unreachable(f"the line to the coordinator was cut: {error}") from None


def _extent(answer: urllib3.BaseHTTPResponse) -> tuple[int, int]:
    try:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            return 0, int(answer.headers["Content-Length"])
        extent, _, total = answer.headers["Content-Range"].removeprefix("bytes ").partition("/")
        return int(extent.partition("-")[0]), int(total)
    except (KeyError, ValueError):
        raise BadAnswer("the coordinator does not say how long its answer is") from None


def _read_json(raw: bytes) -> Json:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise BadAnswer("the coordinator's answer is not JSON") from None
