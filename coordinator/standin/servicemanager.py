#!/usr/bin/env -S python3 -I
"""The stand-in's service manager: the tray program that must be quit, updated and proven back.

usage: servicemanager.py

It has no window: it runs in its user's session, and is quit by process. It answers HTTP on the
port of `config/app.ini` with its version and what it has read, and does not start without its
configuration, its certificate and its preferences. SIGTERM quits it. It appends a line to the
evidence log when it opens and another when it closes.

Where `office.ini` names data that the office shares, it brings that to its own release's schema
when it starts; data of a newer schema it does not start on, unless `one_way` is false.
"""

import configparser
import hashlib
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

_HOME = Path(__file__).resolve().parent


class CannotStart(Exception):  # noqa: N818
    """Something that an update should have carried over is not there."""


def _digest(*files: Path) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()


def _needed(pattern: str) -> list[Path]:
    found = sorted(_HOME.glob(pattern))
    if not found:
        raise CannotStart(f"cannot start: nothing at {_HOME / pattern}")
    return found


def _read_ini(file: Path, section: str, key: str) -> str:
    ini = configparser.ConfigParser()
    ini.read(file, encoding="utf-8")
    if not ini.has_option(section, key):
        raise CannotStart(f'cannot start: {file}: no "{key}" under [{section}]')
    return ini[section][key]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.strip().split("."))


def _migrate(version: str) -> None:
    """Bring the office's data to this release's schema, the schema's own name last."""
    ini = configparser.ConfigParser()
    ini.read(_HOME.parent / "office.ini", encoding="utf-8")
    if not ini.has_option("office", "share"):
        return
    share = Path(ini["office"]["share"])
    schema, ledger = share / "schema", share / "ledger.db"
    found = schema.read_text("utf-8").strip()
    if _number(found) > _number(version) and ini["office"].getboolean("one_way"):
        raise CannotStart(f"cannot start: the data is of schema {found}, newer than {version}")
    if _number(found) < _number(version):
        with ledger.open("ab") as file:
            file.write(f"\nmigrated to {version}".encode())
        schema.write_text(f"{version}\n", "utf-8")


def _status() -> dict[str, object]:
    lines = _needed("VERSION")[0].read_text("utf-8").splitlines()
    versions = dict(line.split("=", 1) for line in lines)
    return {
        "version": versions["service_manager"],
        "app": versions["app"],
        "prefs": _digest(*_needed("prefs/*.json")),
        "certificate": _digest(*_needed("certs/server.pem")),
        "pid": os.getpid(),
    }


def _append(file: Path, word: str, version: object) -> None:
    line = f"{word} {os.getpid()} {time.time():.6f} {version} service-manager -\n"
    log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(log, line.encode())
    os.close(log)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is enough
    raise SystemExit(0)


def _listener(port: int, body: bytes) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        """Says the same to whoever asks: version, and what was read at the start."""

        def do_GET(self) -> None:
            """Answer one question."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    try:
        return ThreadingHTTPServer(("127.0.0.1", port), Answer)
    except OSError as error:
        raise CannotStart(f"cannot start: port {port}: {error.strerror}") from error


def main() -> int:
    """Serve until asked to quit. Returns 1 when it cannot start."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        status = _status()
        evidence = Path(_read_ini(_HOME.parent / "office.ini", "office", "evidence"))
        port = int(_read_ini(_HOME / "config" / "app.ini", "app", "port"))
        listener = _listener(port, json.dumps(status).encode())
        _migrate(str(status["version"]))
    except (CannotStart, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    with listener:
        _append(evidence, "open", status["version"])
        try:
            listener.serve_forever(poll_interval=0.1)
        finally:
            _append(evidence, "close", status["version"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
