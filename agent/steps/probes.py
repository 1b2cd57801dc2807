"""Asks this very host whether a port answers and what a page says. Speaks to no other host."""

import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

_SECONDS = 3.0
_PAGE_SECONDS = 10.0
_MOST_BYTES = 2**20
_HOST = "127.0.0.1"


def why_no_answer(port: int) -> str:
    """Return why nothing answers on the port, "" when something does."""
    try:
        with socket.create_connection((_HOST, port), _SECONDS):
            return ""
    except OSError as error:
        return f"port {port} does not answer: {error.strerror or error}"


def page(url: str) -> str:
    """Return the page at a URL of this host; no redirect is followed.

    Raises `OSError` when there is no answer, `ValueError` for a bad URL or another status
    than 200.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or _HOST, parts.port)
    try:
        connection.request("GET", parts.path or "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        body = _bounded(answer)
    except http.client.HTTPException as error:
        raise ValueError(f"it does not speak HTTP: {error!r}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"it says {answer.status} {answer.reason}")
    return body.decode("utf-8", "replace")


def _bounded(answer: http.client.HTTPResponse) -> bytes:
    """Return the first part of a page, however long it is and however slowly it comes."""
    body, end = b"", time.monotonic() + _PAGE_SECONDS
    while len(body) < _MOST_BYTES and (chunk := answer.read1(_MOST_BYTES - len(body))):
        body += chunk
        if time.monotonic() > end:
            raise ValueError(f"it takes longer than {_PAGE_SECONDS:g} s")
    return body


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    context = ssl.create_default_context()  # an app's own certificate, on this very host
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
