"""A real `serve` that knows a vendor's feed: it looks by itself, and is killed in a download."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from coordinator.settings import Settings, write_settings
from coordinator.store.database import open_database
from coordinator.store.marks import Marks
from tests.api.real import APP, copy_home, make_zip
from tests.cli.terminal import Terminal
from tests.releases.vendor import Answer, Vendor, a_release, trusting
from tests.until import until

PLACE = f"/{APP}.zip"


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    """A vendor with a package of some megabytes."""
    made = Vendor()
    monkeypatch.setenv("SSL_CERT_FILE", trusting(made, tmp_path))
    content = make_zip(
        tmp_path / "big.zip", big=random.Random(7).randbytes(4_000_000)
    ).read_bytes()
    with made.open():
        release = a_release("1.2", content)
        release["packages"][0]["url"] = PLACE
        made.feed(app=APP, releases=[release])
        made.give(PLACE, content)
        yield made


@pytest.fixture
def settings(template: Path, tmp_path: Path, vendor: Vendor) -> Settings:
    """A coordinator that knows the vendor, and looks as soon as it is up."""
    office = copy_home(template, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        link, https = (int(server.getsockname()[1]) for server in (one, other))
    made = Settings(
        home=tmp_path / "home",
        listen="127.0.0.1",
        link_port=link,
        https_port=https,
        addresses=("127.0.0.1",),
        feeds={APP: f"{vendor.address}/feed.json"},
        feeds_at="00:00",
    )
    write_settings(made)
    office.address = f"127.0.0.1:{https}"
    office.write_access(tmp_path / "operator", office.access().token)
    office.database.dispose()
    return made


@contextmanager
def _serving(settings: Settings, terminal: Terminal) -> Iterator["subprocess.Popen[str]"]:
    """Have a daemon up meanwhile; it is killed in the end."""
    command = [sys.executable, "-m", "coordinator.cli", "serve"]
    env = os.environ | {"ROUNDSMAN_HOME": str(settings.home)}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            until(lambda: terminal("health").code == 0, 40, "the coordinator answers")
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)


def test_it_looks_by_itself_once_a_day(
    settings: Settings, terminal: Terminal, vendor: Vendor
) -> None:
    log = settings.log_folder / "coordinator.log"
    for _ in range(2):
        with _serving(settings, terminal):
            until(lambda: len(_told(log)) > 0, 30, "the newer release is logged")
    database = open_database(settings.database)
    assert Marks(database).read("feeds looked at") != ""
    database.dispose()
    assert len(vendor.asked) == 1
    assert [line["release"] for line in _told(log)] == ["1.2"]


def _told(log: Path) -> list[dict[str, str]]:
    if not log.exists():
        return []
    lines = log.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if "newer release" in line]


def test_a_download_goes_on_after_the_daemon_was_killed_in_it(
    settings: Settings, terminal: Terminal, vendor: Vendor
) -> None:
    whole = vendor.answers[PLACE]
    vendor.answers[PLACE] = _half(vendor)
    folder = settings.home / "downloads"
    with _serving(settings, terminal), _adding() as adding:
        until(lambda: _bytes_in(folder) == HALF, 30, "half of it has come")
        adding.kill()
    assert _bytes_in(folder) == HALF
    vendor.answers[PLACE] = whole
    with _serving(settings, terminal):
        done = terminal(f"release add {APP} 1.2 --json")
        assert (done.code, done.json["state"]) == (0, "done")
        assert [p["version"] for p in terminal("release list --json").json] == ["1.2"]
    assert vendor.asked[-1] == (PLACE, f"bytes={HALF}-")
    assert list(folder.iterdir()) == []


HALF = 30 * 65536
"""What is written of a package is written in pieces of 64 KiB."""


def _half(vendor: Vendor) -> Answer:
    """Answer with half of what is promised, and nothing more until the test is over."""
    content = vendor.contents[PLACE]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode())
        handler.wfile.write(content[:HALF])
        vendor.gone.wait(60)

    return answer


@contextmanager
def _adding() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "coordinator.cli", "release", "add", APP, "1.2"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.part"))
