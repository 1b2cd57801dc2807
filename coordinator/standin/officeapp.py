#!/usr/bin/env -S python3 -I
"""The stand-in's client: one user's window on the office application, with a document open.

usage: officeapp.py USER [--home FOLDER] [--stubborn] [--unsaved FOLDER [--patience SECONDS]]

It appends a line to the evidence log when it opens and another when it closes, and what its user
does to a document of his own and to the journal that the office shares. SIGTERM is the user who
saves and closes; a stubborn one does not listen. `--home` names the application's folder when
the program itself was copied elsewhere.

With `--unsaved` its user has written what is in no document yet: it is in memory, and in the
file USER.draft in FOLDER, the application's autosave. Asked to close, it asks its user about
that, and stays open; nobody answers. When its patience is over (none = never) it ends and has
saved nothing. For the witness it notes in `drafts.jsonl`, beside the evidence log, what was
written (`pid`, `user`, `time`, `text`) and when it asked (`pid`, `user`, `time`, `asked`).
"""

import argparse
import configparser
import contextlib
import json
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
    parser.add_argument("--unsaved", type=Path, metavar="FOLDER", help="where the autosave is")
    parser.add_argument("--patience", type=float, default=0.0, help="how long it asks, seconds")
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


class Draft:
    """What a user has written and not saved: in memory, and in the application's autosave."""

    def __init__(self, asked: argparse.Namespace, log: Path) -> None:
        self._user, self._folder, self._patience = asked.user, asked.unsaved, asked.patience
        self._log = log
        lines = (f"line {number}: {os.urandom(16).hex()}" for number in range(20))
        self._text = "\n".join([*lines, f"the last words of {asked.user}, not saved"])

    def begin(self) -> None:
        """Write it: noted for the witness first, then saved by the application by itself."""
        signal.signal(signal.SIGTERM, self._ask)
        self._note(text=self._text)
        self._folder.mkdir(parents=True, exist_ok=True)
        incoming = self._folder / f"{self._user}.new"
        incoming.write_bytes(self._text.encode())
        incoming.rename(self._folder / f"{self._user}.draft")

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Ask the user what is to become of it, and stay open."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one question at a time
        self._note(asked="save what was written?")
        signal.signal(signal.SIGALRM, _leave)
        signal.setitimer(signal.ITIMER_REAL, self._patience)

    def _note(self, **facts: str) -> None:
        about = {"pid": os.getpid(), "user": self._user, "time": time.time()}
        _append(self._log, json.dumps({**about, **facts}) + "\n")


def _work(port: int, user: str) -> None:
    """Talk to the service manager now and then, until somebody closes the window."""
    while True:
        with contextlib.suppress(OSError):  # the application works on without it
            urllib.request.urlopen(f"http://127.0.0.1:{port}/hello/{user}", timeout=2).close()
        time.sleep(_TALKS_EVERY_SECONDS)


def _write_down(documents: list[Path], word: str) -> None:
    for document in documents:
        _append(document, f"{word} {os.getpid()} {time.time():.6f}\n")


def _documents(asked: argparse.Namespace, office: configparser.SectionProxy) -> list[Path]:
    """Return what its user works in."""
    documents = [asked.home / "data" / f"{asked.user}.txt"]
    if "share" in office:
        documents.append(Path(office["share"]) / "journal.txt")
    return documents


def main() -> int:
    """Open the document, work, save, close."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if asked.stubborn else _leave)
    office = _read_ini(asked.home.parent / "office.ini", "office")
    evidence = Path(office["evidence"])
    port = int(_read_ini(asked.home / "config" / "app.ini", "app")["port"])
    if asked.unsaved:
        Draft(asked, evidence.with_name("drafts.jsonl")).begin()
    who = f"{_version(asked.home)} client {asked.user}\n"
    _append(evidence, f"open {os.getpid()} {time.time():.6f} {who}")
    documents = _documents(asked, office)
    try:
        _write_down(documents, "opened")
        _work(port, asked.user)
    finally:
        if not asked.unsaved:
            _write_down(documents, "saved")
        _append(evidence, f"close {os.getpid()} {time.time():.6f} {who}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
