import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from coordinator.store.database import (
    MIGRATIONS,
    DatabaseBroken,
    DatabaseBusy,
    DatabaseLock,
    DatabaseNewer,
    open_database,
)
from coordinator.store.tables import metadata


def test_a_database_is_in_wal_mode_and_written_through(database: Engine) -> None:
    with database.connect() as c:
        assert c.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert c.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_opening_it_again_changes_nothing(database: Engine, tmp_path: Path) -> None:
    again = open_database(f"sqlite:///{tmp_path}/office.sqlite")
    with again.connect() as c:
        assert c.execute(text("select version_num from alembic_version")).scalar() == "0001"
    again.dispose()


def test_one_of_a_newer_release_is_refused_in_words(database: Engine, tmp_path: Path) -> None:
    with database.begin() as c:
        c.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(DatabaseNewer, match=r"newer release .schema 9999.*Update Roundsman"):
        open_database(f"sqlite:///{tmp_path}/office.sqlite")


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "office.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseBroken, match=r"cannot read the database.*backup"):
        open_database(f"sqlite:///{tmp_path}/office.sqlite")


def test_a_locked_database_is_refused_in_words(database: Engine, tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "office.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseBusy, match=r"locked.*Close the program"):
        open_database(f"sqlite:///{tmp_path}/office.sqlite", busy_seconds=0.05)
    holder.close()


def test_a_reader_does_not_hold_up_a_writer(database: Engine) -> None:
    with database.execution_options(reads=True).connect() as slow:
        slow.execute(text("select * from host")).all()
        with database.begin() as c:
            c.execute(text("insert into setting values ('a', 'b')"))


def test_a_second_daemon_is_told_who_has_the_database(tmp_path: Path) -> None:
    first, second = DatabaseLock(tmp_path / "lock"), DatabaseLock(tmp_path / "lock")
    first.take()
    with pytest.raises(DatabaseBusy, match=r"process \d+ already serves this database"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_the_migrations_make_the_tables_that_the_code_knows(database: Engine) -> None:
    with database.connect() as c:
        assert compare_metadata(MigrationContext.configure(c), metadata) == []


def test_a_migration_can_be_taken_back(database: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.begin() as c:
        config.attributes["connection"] = c
        command.downgrade(config, "base")
        assert inspect(c).get_table_names() == ["alembic_version"]
