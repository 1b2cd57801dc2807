"""A vendor: a real HTTPS server on loopback, with a certificate of a real authority."""

import contextlib
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

NAME = "127.0.0.1"
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Vendor:
    """What is answered at which path, and what was asked for."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    answers: dict[str, Answer] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)  # by path
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range
    gone: threading.Event = field(default_factory=threading.Event)  # the test is over
    port: int = 0

    @property
    def address(self) -> str:
        return f"https://{NAME}:{self.port}"

    @contextlib.contextmanager
    def open(self, name: str = NAME) -> Iterator["Vendor"]:
        """Serve until the end; the certificate is for `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        server = _Server((NAME, 0), _handler(self))
        server.context = context
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.gone.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def give(self, path: str, content: bytes, kind: str = "application/json") -> None:
        """Have a content there, with ranges."""
        self.contents[path] = content
        self.answers[path] = lambda handler: _give(handler, content, kind)

    def feed(self, **changes: Any) -> None:
        """Have a feed at /feed.json."""
        self.give("/feed.json", json.dumps(a_feed(**changes)).encode())


def a_feed(**changes: Any) -> dict[str, Any]:
    """Return a good feed with one release, changed."""
    return {"format": 1, "app": "my-app", "releases": [a_release()]} | changes


def a_release(version: str = "1.2", content: bytes = b"x", **changes: Any) -> dict[str, Any]:
    """Return a good release with one package that has this content, changed."""
    package = {
        "role": "workstation",
        "system": "linux",
        "url": f"my-app-{version}.zip",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    made = {"version": version, "released": "2026-11-01", "notes": f"# What is new in {version}"}
    return made | {"packages": [package]} | changes


def says(raw: bytes) -> Answer:
    """Answer with bytes as they are, headers and all."""
    return lambda handler: _write(handler, raw)


def leads_to(place: str) -> Answer:
    """Answer with a redirection."""
    return says(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())


def at_first(vendor: Vendor, first: Answer, later: Answer) -> Answer:
    """Answer the first who asks in another way than all who come later."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (first if len(vendor.asked) == 1 else later)(handler)

    return answer


def dribbles(vendor: Vendor, head: bytes, piece: bytes = b" ", seconds: float = 0.05) -> Answer:
    """Answer with a piece now and then, until the test is over."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _write(handler, head)
        with contextlib.suppress(OSError):
            while not vendor.gone.wait(seconds):
                handler.wfile.write(piece)

    return answer


def _give(handler: BaseHTTPRequestHandler, content: bytes, kind: str) -> None:
    start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - start))
    handler.send_header("Content-Type", kind)
    handler.end_headers()
    _write(handler, content[start:])


def _write(handler: BaseHTTPRequestHandler, raw: bytes) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(raw)


class _Server(ThreadingHTTPServer):
    context: ssl.SSLContext
    daemon_threads = False

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS with each who connects, in a thread of its own."""
        request.settimeout(20)
        with contextlib.suppress(OSError), self.context.wrap_socket(request, True) as line:
            super().finish_request(line, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are what is tested."""


def _handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers what the vendor has."""

        def do_GET(self) -> None:
            vendor.asked.append((self.path, self.headers.get("Range", "")))
            absent = says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            vendor.answers.get(self.path, absent)(self)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def trusting(vendor: Vendor, folder: Path) -> str:
    """Return a file with the vendor's authority, for SSL_CERT_FILE."""
    file = folder / "authorities.pem"
    vendor.authority.cert_pem.write_to_path(file)
    return str(file)
