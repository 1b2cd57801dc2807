#!/usr/bin/env -S python3 -I
"""The stand-in's client: one user's window on the office application, with a document open.

usage: officeapp.py USER [--home FOLDER] [--stubborn]

It appends a line to the evidence log when it opens and another when it closes, and what its user
does to a document of his own and to the journal that the office shares. SIGTERM is the user who
saves and closes; a stubborn one asks about unsaved work and waits. `--home` names the
application's folder when the program itself was copied elsewhere.
"""

import argparse
import configparser
import contextlib
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from types import FrameType

_TALKS_EVERY_SECONDS = 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The office application, for one user.")
    parser.add_argument("user")
    parser.add_argument("--home", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--stubborn", action="store_true", help="do not close when asked to")
    return parser.parse_args()


def _read_ini(file: Path, section: str) -> configparser.SectionProxy:
    ini = configparser.ConfigParser()
    ini.read(file, encoding="utf-8")
    return ini[section]


def _version(home: Path) -> str:
    lines = (home / "VERSION").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)["app"]


def _append(file: Path, line: str) -> None:
    log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(log, line.encode())
    os.close(log)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is enough
    raise SystemExit(0)


def _work(port: int, user: str) -> None:
    """Talk to the service manager now and then, until somebody closes the window."""
    while True:
        with contextlib.suppress(OSError):  # the application works on without it
            urllib.request.urlopen(f"http://127.0.0.1:{port}/hello/{user}", timeout=2).close()
        time.sleep(_TALKS_EVERY_SECONDS)


def _write_down(documents: list[Path], word: str) -> None:
    for document in documents:
        _append(document, f"{word} {os.getpid()} {time.time():.6f}\n")


def main() -> int:
    """Open the document, work, save, close."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if asked.stubborn else _leave)
    office = _read_ini(asked.home.parent / "office.ini", "office")
    evidence = Path(office["evidence"])
    port = int(_read_ini(asked.home / "config" / "app.ini", "app")["port"])
    who = f"{_version(asked.home)} client {asked.user}\n"
    _append(evidence, f"open {os.getpid()} {time.time():.6f} {who}")
    documents = [asked.home / "data" / f"{asked.user}.txt"]
    if "share" in office:
        documents.append(Path(office["share"]) / "journal.txt")
    try:
        _write_down(documents, "opened")
        _work(port, asked.user)
    finally:
        _write_down(documents, "saved")
        _append(evidence, f"close {os.getpid()} {time.time():.6f} {who}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
