"""Mirrors give what they have; one that fails, lies or dawdles is left, and no harm is done."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.platforms.linux import Linux
from agent.wire import places
from agent.wire.https_errors import HttpsError
from agent.wire.manifest import Manifest
from agent.wire.mirror import Mirror
from tests.trust.office import Office
from tests.trust.test_assembly import CORE, NEW, OLD, PATCH
from tests.trust.workstation import HostWork, Workstation, noise

Answer = Callable[["Asked", bytes], None]


class Asked(BaseHTTPRequestHandler):
    """One request to a mirror, which answers in its own way."""

    server: "MirrorServer"

    def do_GET(self) -> None:
        self.server.heard.append((self.path, dict(self.headers)))
        path = self.server.folder / self.path.removeprefix("/copy/")
        if path.is_file():
            self.server.answer(self, path.read_bytes())
        else:
            self.send_error(404)

    def begin(self, length: int | None, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class MirrorServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.folder = folder
        self.answer = answer
        self.heard: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/copy"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: most that are tested here hang up."""

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


def honest(asked: Asked, content: bytes) -> None:
    wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", "bytes=0-"))
    start = int(wanted[1]) if wanted else 0
    last = len(content) - 1
    asked.begin(len(content) - start, 206, Content_Range=f"bytes {start}-{last}/{len(content)}")
    asked.wfile.write(content[start:])


def endless_headers(asked: Asked, _content: bytes) -> None:
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not asked.server.over.wait(0.05):
        asked.wfile.write(b"x")


def other_content(asked: Asked, content: bytes) -> None:
    asked.begin(len(content))
    asked.wfile.write(noise(55, len(content)))


def one_bit_off(asked: Asked, content: bytes) -> None:
    asked.begin(len(content))
    asked.wfile.write(content[:-1] + bytes([content[-1] ^ 1]))


def short(asked: Asked, content: bytes) -> None:
    asked.begin(len(content) - 1)
    asked.wfile.write(content[:-1])


def cut(asked: Asked, content: bytes) -> None:
    asked.begin(len(content))
    asked.wfile.write(content[: len(content) // 2])


def poisoned_and_cut(asked: Asked, content: bytes) -> None:
    asked.begin(len(content))
    asked.wfile.write(bytes(len(content) // 2))


def elsewhere_begun(asked: Asked, content: bytes) -> None:
    asked.begin(len(content), 206, Content_Range=f"bytes 7-{len(content)}/{len(content)}")
    asked.wfile.write(content)


def without_length(asked: Asked, content: bytes) -> None:
    asked.begin(None)
    asked.wfile.write(content * 3)


def without_end(asked: Asked, content: bytes) -> None:
    asked.begin(10**15)
    while not asked.server.over.is_set():
        asked.wfile.write(bytes(65_536))


def faulty(status: int, asked: Asked, _content: bytes) -> None:
    asked.begin(0, status, Location="http://127.0.0.1:1/")


def silent(asked: Asked, _content: bytes) -> None:
    asked.server.over.wait(60)


def dripping(asked: Asked, content: bytes) -> None:
    asked.begin(len(content))
    for byte in content:
        if asked.server.over.wait(0.05):
            return
        asked.wfile.write(bytes([byte]))
        asked.wfile.flush()


LIARS: dict[str, Answer] = {
    "gives other content": other_content,
    "is one bit off": one_bit_off,
    "gives too little": short,
    "hangs up": cut,
    "gives half of something else and hangs up": poisoned_and_cut,
    "begins elsewhere": elsewhere_begun,
    "does not say how long it is": without_length,
    "never ends": without_end,
    "has a fault": partial(faulty, 500),
    "has no such file": partial(faulty, 404),
    "knows no ranges": partial(faulty, 416),
    "sends elsewhere": partial(faulty, 302),
}


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Workstation]:
    with Office(tmp_path / "office").open() as office:
        host = Workstation(office)
        with host.https:
            host.release(OLD, "1.0")
            yield host


def mirror(host: Workstation, held: ExitStack, answer: Answer) -> MirrorServer:
    """Have a copy of what the coordinator serves at a mirror, the last that is asked."""
    copy = host.office.folder / f"mirror-{len(host.mirrors)}"
    shutil.copytree(host.office.data / "packages", copy / "packages")
    server = MirrorServer(copy, answer)
    held.callback(server.close)
    host.mirrors = [*host.mirrors, server.url]
    return server


def lose(host: Workstation, manifest: Manifest) -> None:
    """Have the coordinator lose all but what it says there is."""
    for kind, name in (("blobs", CORE), ("patches", PATCH)):
        host.stored(kind, name).unlink()
    path = host.office.packages.path(manifest.content_sha256)
    assert path is not None
    path.unlink()


def test_what_a_mirror_has_is_not_asked_of_the_coordinator(
    host: Workstation, held: ExitStack
) -> None:
    host.installs(OLD)
    manifest = host.release(NEW, "1.1")
    server = mirror(host, held, honest)
    lose(host, manifest)

    host.unpack(manifest)

    assert host.has() == NEW
    assert {path for path, _ in server.heard} == {
        f"/copy/packages/blobs/{CORE}",
        f"/copy/packages/patches/{PATCH}",
    }


def test_a_package_comes_whole_from_a_mirror(host: Workstation, held: ExitStack) -> None:
    manifest = host.release(NEW, "1.1")
    server = mirror(host, held, honest)
    lose(host, manifest)

    host.unpack(manifest)

    assert host.has() == NEW
    assert [path for path, _ in server.heard] == [f"/copy/packages/{manifest.content_sha256}"]


def test_no_ticket_and_no_name_is_told_to_a_mirror(host: Workstation, held: ExitStack) -> None:
    host.installs(OLD)
    manifest = host.release(NEW, "1.1")
    server = mirror(host, held, honest)

    work = host.unpack(manifest)

    said = {
        (name.lower(), value) for _, headers in server.heard for name, value in headers.items()
    }
    assert not {name for name, _ in said} & {
        places.TICKET_HEADER.lower(),
        places.HOST_HEADER.lower(),
        places.PACKAGE_HEADER.lower(),
    }
    assert not [value for _, value in said if host.id in value or work.ticket in value]


@pytest.mark.parametrize("has_app", [True, False], ids=["in parts", "whole"])
@pytest.mark.parametrize("lie", list(LIARS))
def test_a_mirror_that_fails_or_lies_is_left_and_the_coordinator_asked(
    host: Workstation, held: ExitStack, lie: str, has_app: bool
) -> None:
    if has_app:
        host.installs(OLD)
    manifest = host.release(NEW, "1.1")
    server = mirror(host, held, LIARS[lie])

    host.unpack(manifest)

    assert host.has() == NEW
    assert len(server.heard) == 1


def test_a_mirror_after_one_that_lies_is_asked_before_the_coordinator(
    host: Workstation, held: ExitStack
) -> None:
    host.installs(OLD)
    manifest = host.release(NEW, "1.1")
    liar, second = mirror(host, held, other_content), mirror(host, held, honest)
    lose(host, manifest)

    host.unpack(manifest)

    assert host.has() == NEW
    assert (len(liar.heard), len(second.heard)) == (1, 2)


class RealTime(Linux):
    now = 0.0

    def free_bytes(self, folder: Path) -> int:
        return 10**12


@pytest.mark.parametrize("answer", [silent, dripping])
def test_a_mirror_that_dawdles_is_left(host: Workstation, held: ExitStack, answer: Answer) -> None:
    host.installs(OLD)
    manifest = host.release(NEW, "1.1")
    server = mirror(host, held, answer)
    work: HostWork = host.work(manifest)
    work.platform = RealTime()  # type: ignore[assignment]

    host.unpack(manifest, work)

    assert host.has() == NEW
    assert len(server.heard) == 1


def test_a_mirror_whose_headers_never_end_is_cut_off(host: Workstation, held: ExitStack) -> None:
    host.installs(OLD)
    manifest = host.release(NEW, "1.1")
    server = mirror(host, held, endless_headers)
    path = places.PACKAGES + manifest.content_sha256
    for url in (server.url, server.url.replace("http:", "https:")):
        with (
            Mirror(url, answer_seconds=0.5) as asked,
            pytest.raises(HttpsError),
            asked.stream(path, 0, {}),
        ):
            pass
    assert len(server.heard) == 1


def test_a_mirror_that_is_not_there_is_left(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    host.mirrors = ["http://127.0.0.1:1/copy", "https://127.0.0.1:1"]

    host.unpack(manifest)

    assert host.has() == NEW
