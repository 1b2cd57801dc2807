"""Opens the database: one daemon a database, WAL, migrated, never from a newer version.

DatabaseError
├── DatabaseBusy      another daemon holds it, or it is locked
├── DatabaseNewer     made by a newer release: update the program first
└── DatabaseBroken    not a database, or not readable
"""

import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 30
_QUEUE_SECONDS = 600  # a walk stops on an error, and may have its turn behind two hundred others
_HAS_TURN = "has the turn to write"


StoreTrouble = SQLAlchemyError
"""Whatever a query or a write meets, for who goes on after it."""


class DatabaseError(Exception):
    """The database cannot be used; the text says why and what to do."""


class DatabaseBusy(DatabaseError):  # noqa: N818
    """Another daemon works on it, or something holds it locked."""


class DatabaseNewer(DatabaseError):  # noqa: N818
    """It was made by a newer release of Roundsman."""


class DatabaseBroken(DatabaseError):  # noqa: N818
    """It cannot be read as a database."""


class DatabaseLock:
    """Held by the one daemon of a database; let go when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> None:
        """Take the lock, or raise `DatabaseBusy` naming who holds it."""
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode(errors="replace").strip()
            os.close(self._fd)
            raise DatabaseBusy(
                f"cannot serve: process {holder or 'unknown'} already serves this database "
                f"({self._path.parent}). Stop that one first; two would give orders at once"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let it go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_database(url: str, *, busy_seconds: float = _BUSY_SECONDS) -> Engine:
    """Return an engine on a database that is migrated and of this release."""
    engine = create_engine(url, pool_timeout=_QUEUE_SECONDS)
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, busy_seconds)
    try:
        with engine.begin() as connection:
            _migrate(connection)
    except OperationalError as error:
        engine.dispose()
        raise DatabaseBusy(
            f"cannot open the database: {error.orig}. Close the program that holds it, "
            "or check the disk, then try again"
        ) from None
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseBroken(
            f"cannot read the database: {error.orig}. Put back a copy from your backup"
        ) from None
    except DatabaseError:
        engine.dispose()
        raise
    return engine


def _tune_sqlite(engine: Engine, busy_seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        connection.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        connection.execute("PRAGMA journal_mode=WAL")  # else one slow reader stalls everybody
        connection.execute("PRAGMA synchronous=FULL")

    # SQLite lets one write at a time and has the others sleep and look again: ours take turns
    turn = threading.Lock()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("reads", False):
            connection.exec_driver_sql("BEGIN")
            return
        turn.acquire()
        _kept(connection)[_HAS_TURN] = True
        # a deferred transaction that turns into a writer later fails at once as "locked"
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    def _on_checkin(_connection: Any, record: ConnectionPoolEntry) -> None:
        if record.record_info is not None and record.record_info.pop(_HAS_TURN, False):
            turn.release()


def _kept(connection: Connection) -> dict[str, Any]:
    """Return what is kept with a pooled connection, also when the connection is lost."""
    kept = connection.connection.record_info
    return {} if kept is None else kept


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    found = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(config)
    known = {r.revision for r in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseNewer(
            f"cannot use this database: it was made by a newer release (schema {found}). "
            "Update Roundsman on this machine, or put back the database of this release"
        )
    if found not in {r.revision for r in scripts.get_revisions("heads")}:
        command.upgrade(config, "head")


def upsert(
    connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Insert a row, or change the one that has this key; the same on SQLite and PostgreSQL."""
    insert = _INSERTS[connection.dialect.name]
    statement = insert(table).values({**key, **values})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


_INSERTS: Mapping[str, Callable[[Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def reader(engine: Engine) -> Engine:
    """Return the same engine for work that only reads: it never waits for a writer."""
    return engine.execution_options(reads=True)
