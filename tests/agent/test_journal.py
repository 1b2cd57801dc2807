import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.journal import CODE_TRIES, HOST_CODE_TRIES, Journal, JournalError
from agent.platforms.base import Process
from agent.records import StepRecord
from agent.wire.contract import Direction, Fence, StepName, StepReport, StepState
from tests.agent.fakes import FENCE, PARAMS, step_id

ID = step_id(StepName.BACK_UP)
RECORD = StepRecord(
    StepReport(ID, Direction.DO, StepState.RUNNING, 2, revision=5, facts={"version": "1.0"}),
    PARAMS,
    began=7,
    started=1.75e9,
    touched=True,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.open(tmp_path / "journal.sqlite")) as opened:
        yield opened


def test_a_step_is_found_again_after_the_journal_was_closed(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path / "j")) as journal:
        journal.put_step(RECORD)
        journal.memo(ID).put("kept", "yes")
    with closing(Journal.open(tmp_path / "j")) as journal:
        assert journal.step(ID, Direction.DO) == RECORD
        assert journal.step(ID, Direction.UNDO) is None
        assert journal.memo(ID).get("kept") == "yes"
        assert journal.to_recover() == [RECORD]
        assert journal.next_run() == 8


def test_the_file_is_for_the_administrator_alone(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path / "j")):
        assert (tmp_path / "j").stat().st_mode & 0o077 == 0


def test_memos_of_two_steps_are_apart(journal: Journal) -> None:
    journal.memo(ID).put("key", "one")
    assert journal.memo(step_id(StepName.DRAIN)).get("key") is None


def test_only_a_higher_epoch_takes_the_fence(journal: Journal) -> None:
    assert journal.raise_fence(FENCE) == FENCE
    assert journal.raise_fence(Fence(2, "abc123")) == FENCE
    assert journal.raise_fence(Fence(3, "other")) == FENCE
    assert journal.raise_fence(Fence(4, "other")) == Fence(4, "other")
    assert journal.fence() == Fence(4, "other")


def test_old_rollouts_are_forgotten_and_younger_ones_kept(journal: Journal) -> None:
    journal.put_step(RECORD)
    journal.memo(ID).put("key", "value")
    journal.forget_before("01JC" + "Z" * 22)
    assert journal.step(ID, Direction.DO) == RECORD
    journal.forget_before("01JE" + "0" * 22)
    assert journal.step(ID, Direction.DO) is None
    assert journal.memo(ID).get("key") is None


def test_log_lines_are_asked_for_by_number(journal: Journal) -> None:
    for number in range(5):
        journal.add_log(f"line {number}")
    page = journal.log(since=0, most=3)
    assert [kept.line for kept in page] == ["line 0", "line 1", "line 2"]
    assert [kept.line for kept in journal.log(page[-1].number, 9)] == ["line 3", "line 4"]


def test_codes_may_be_tried_a_few_times_a_minute(journal: Journal) -> None:
    assert all(journal.may_try_code(1000.0, "eve") for _ in range(CODE_TRIES))
    assert not journal.may_try_code(1059.0, "eve")
    assert journal.may_try_code(1059.0, "marie")
    assert journal.may_try_code(1061.0, "eve")


def test_all_users_together_may_try_some_more_and_an_administrator_whatever_they_do(
    journal: Journal,
) -> None:
    users = [f"user{number}" for number in range(2 * HOST_CODE_TRIES)]
    assert sum(journal.may_try_code(1000.0, user) for user in users) == HOST_CODE_TRIES
    assert all(journal.may_try_code(1000.0, "") for _ in range(CODE_TRIES))
    assert not journal.may_try_code(1000.0, "")


def test_a_spared_process_is_known_by_its_pid_its_start_and_the_boot(journal: Journal) -> None:
    spared = Process(77, 1000.0, "root", "", "/app", ())
    journal.spare(spared, "boot-1", "bin/manager")
    later = Process(77, 1000.01, "root", "", "/app", ())
    assert journal.spared([replace(spared, argv=("/app",))], "boot-1") == {77: "bin/manager"}
    assert journal.spared([later, replace(spared, pid=78)], "boot-1") == {}
    assert journal.spared([spared], "boot-2") == {}
    journal.spare_none()
    assert journal.spared([spared], "boot-1") == {}


def test_of_the_spared_those_of_some_programs_are_kept(journal: Journal) -> None:
    manager, command = (Process(pid, 1000.0, "root", "", "/app", ()) for pid in (77, 78))
    journal.spare(manager, "boot-1", "bin/manager")
    journal.spare(command, "boot-1", "bin/app")
    journal.spare_only(("bin/manager", "bin/other"))
    assert journal.spared([manager, command], "boot-1") == {77: "bin/manager"}
    journal.spare_only(())
    assert journal.spared([manager], "boot-1") == {}


def test_a_journal_of_the_first_version_is_read_on(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path / "j")) as journal:
        journal.put_step(RECORD)
    with closing(sqlite3.connect(tmp_path / "j")) as file:
        file.executescript(
            "DROP TABLE spared; CREATE TABLE spared (pid INTEGER NOT NULL, started REAL NOT NULL,"
            " PRIMARY KEY (pid, started)); INSERT INTO spared VALUES (77, 1e9);"
            "DROP TABLE code_try; CREATE TABLE code_try (at REAL NOT NULL);"
            " PRAGMA user_version = 1;"
        )
    for _ in range(2):
        with closing(Journal.open(tmp_path / "j")) as journal:
            assert journal.step(ID, Direction.DO) == RECORD
            assert journal.spared([Process(77, 1e9, "root", "", "/app", ())], "boot-1") == {}
            journal.spare(Process(78, 5.0, "root", "", "/app", ()), "boot-1", "bin/manager")
            assert journal.may_try_code(1000.0, "marie")


def test_threads_may_write_at_the_same_time(journal: Journal) -> None:
    def write(key: str) -> None:
        for number in range(20):
            journal.memo(ID).put(f"{key}{number}", key)

    threads = [threading.Thread(target=write, args=(key,)) for key in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(journal.memo(ID).get(f"{key}19") == key for key in "abc")


def test_a_locked_journal_says_that_another_program_holds_it(tmp_path: Path) -> None:
    Journal.open(tmp_path / "j").close()
    with closing(sqlite3.connect(tmp_path / "j", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="j: another program holds it locked"):
            Journal.open(tmp_path / "j", patience=0.05)


def test_a_write_to_a_journal_locked_meanwhile_says_so(tmp_path: Path) -> None:
    with (
        closing(Journal.open(tmp_path / "j", patience=0.05)) as journal,
        closing(sqlite3.connect(tmp_path / "j", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another program holds it locked"):
            journal.put_step(RECORD)


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Journal.open(tmp_path / "j").close()
    with closing(sqlite3.connect(tmp_path / "j")) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="it is of version 99, this agent knows 3; install"):
        Journal.open(tmp_path / "j")


@pytest.mark.parametrize("damage", ["whole", "page"])
def test_a_damaged_journal_is_told_and_not_overwritten(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "j"
    with closing(Journal.open(path)) as journal:
        for number in range(300):
            journal.memo(ID).put(f"key {number}", "value " * 20)
    raw = bytearray(path.read_bytes())
    start = 0 if damage == "whole" else 4096
    raw[start : start + 4096 * 3] = b"\xa5" * 4096 * 3
    path.write_bytes(raw)
    with pytest.raises(JournalError, match=r"it is damaged .*move it away"):
        Journal.open(path)
    assert path.read_bytes() == raw


def test_a_journal_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot open the journal"):
        Journal.open(tmp_path / "none" / "j")


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path / "j")) as journal:
        journal.put_step(RECORD)
        with closing(sqlite3.connect(tmp_path / "j")) as other:
            other.execute("UPDATE step SET record = '{}'")
            other.commit()
        with pytest.raises(JournalError, match="cannot read a step"):
            journal.step(ID, Direction.DO)
