import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError

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
        assert c.execute(text("select version_num from alembic_version")).scalar() == "0004"
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


def test_many_that_write_at_once_take_turns(database: Engine) -> None:
    def write(number: int) -> None:
        with database.begin() as c:
            count = c.scalar(text("select count(*) from setting"))
            c.execute(
                text("insert into setting values (:n, :count)"), {"n": number, "count": count}
            )

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(write, range(100)))
    with database.connect() as c:
        counts = c.scalars(text("select value from setting"))
        assert sorted(int(count) for count in counts) == list(range(100))


def test_a_write_that_cannot_be_made_gives_up_its_turn(database: Engine) -> None:
    for _ in range(2):
        with pytest.raises(IntegrityError), database.begin() as c:
            c.execute(text("insert into setting values (null, 'b')"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_write_one, database).result(10)


def test_a_write_that_cannot_begin_gives_up_its_turn(database: Engine, tmp_path: Path) -> None:
    impatient = open_database(str(database.url), busy_seconds=0.05)
    other = sqlite3.connect(tmp_path / "office.sqlite", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(OperationalError):
        _write_one(impatient)
    other.close()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_write_one, impatient).result(10)
    impatient.dispose()


def _write_one(database: Engine) -> None:
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
