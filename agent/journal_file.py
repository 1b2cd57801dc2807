"""The file under the journal: SQLite, on the disk before a write returns.

WAL, because `roundsman-agent status` and `uncordon` open it while the agent runs; FULL, because
a power cut may come right after. Every way in which SQLite can let us down is told as one
`JournalError`, in words that say what to do.
"""

import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

VERSION = 3

_BRIEF = """
CREATE TABLE code_try (at REAL NOT NULL, who TEXT NOT NULL);
CREATE TABLE spared (
    boot_id TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL, program TEXT NOT NULL,
    PRIMARY KEY (boot_id, pid, started));
"""
_DROP = "DROP TABLE spared; DROP TABLE code_try;"
_SCHEMA = """
CREATE TABLE step (
    step_id TEXT NOT NULL, direction TEXT NOT NULL, state TEXT NOT NULL, began INTEGER NOT NULL,
    unmended INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (step_id, direction));
CREATE TABLE memo (
    step_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (step_id, key));
CREATE TABLE cordon (
    one INTEGER PRIMARY KEY CHECK (one = 1), record TEXT NOT NULL,
    relaunches INTEGER NOT NULL DEFAULT 0, opened TEXT NOT NULL DEFAULT '');
CREATE TABLE fence (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, instance TEXT NOT NULL);
CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL);
"""

Row = Sequence[Any]


class JournalError(Exception):
    """The journal cannot be used; says which file, why, and what to do."""


class JournalFile:
    """One SQLite file, safe to use from several threads."""

    def __init__(self, path: Path, patience: float = 5.0) -> None:
        """Open or create it; another program's lock is borne for `patience` seconds."""
        self.path = path
        self._lock = threading.RLock()
        self._connection = self._connect(patience)
        try:
            self._prepare()
        except JournalError:
            self._connection.close()
            raise

    def _connect(self, patience: float) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            return sqlite3.connect(
                self.path, timeout=patience, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"cannot open the journal {self.path}: {error}") from None

    def _prepare(self) -> None:
        self.read("PRAGMA journal_mode = WAL")
        self.read("PRAGMA synchronous = FULL")
        version = self.read("PRAGMA user_version")[0][0]
        if version > VERSION:
            raise JournalError(
                f"cannot use the journal {self.path}: it is of version {version}, this agent "
                f"knows {VERSION}; install the agent that wrote it, or a newer one"
            )
        if self.read("PRAGMA quick_check(1)")[0][0] != "ok":
            raise self._damaged("its pages do not fit together")
        if version < VERSION:
            changes = _DROP + _BRIEF if version else _SCHEMA + _BRIEF
            self.script(f"BEGIN IMMEDIATE; {changes} PRAGMA user_version = {VERSION}; COMMIT;")

    def read(self, sql: str, *values: object) -> list[Row]:
        """Return the rows of a query."""
        return self._run(sql, values)[0]

    def write(self, sql: str, *values: object) -> int:
        """Change rows in one transaction and return how many; on disk when this returns."""
        return self._run(sql, values)[1]

    def script(self, sql: str) -> None:
        """Run several statements."""
        with self._lock:
            try:
                self._connection.executescript(sql)
            except sqlite3.Error as error:
                raise self._told(error) from None

    def _run(self, sql: str, values: Sequence[object]) -> tuple[list[Row], int]:
        with self._lock:
            try:
                cursor = self._connection.execute(sql, tuple(values))
                return cursor.fetchall(), cursor.rowcount
            except sqlite3.Error as error:
                raise self._told(error) from None

    def _told(self, error: sqlite3.Error) -> JournalError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return JournalError(
                f"cannot use the journal {self.path}: another program holds it locked; "
                "close that program, then start the agent again"
            )
        if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return self._damaged(str(error))
        return JournalError(f"cannot use the journal {self.path}: {error}")

    def _damaged(self, why: str) -> JournalError:
        return JournalError(
            f"cannot use the journal {self.path}: it is damaged ({why}); move it away, start the "
            "agent again, and look at this host's last rollout before the next one"
        )

    def close(self) -> None:
        """Close the file; what was written stays."""
        with self._lock:
            self._connection.close()
