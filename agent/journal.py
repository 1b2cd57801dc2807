"""What an agent remembers across crashes and power cuts.

Every public method is one short transaction, so that each of them either has happened or has
not, and a second program (`roundsman-agent uncordon`) may write at the same time.
"""

import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from agent.journal_file import JournalError, JournalFile
from agent.platforms.base import Process
from agent.records import (
    CordonRecord,
    CordonState,
    LogLine,
    StepRecord,
    read_record,
    read_step,
    write_record,
)
from agent.wire.contract import Direction, Fence

_log = logging.getLogger(__name__)
__all__ = ["CODE_TRIES", "HOST_CODE_TRIES", "Journal", "JournalError", "StepMemo"]

CODE_TRIES = 5
"""How many one-time codes one user may try within any minute."""
HOST_CODE_TRIES = 20
"""How many all users of the host may try together."""
_LOG_LINES = 5000


class StepMemo:
    """The small facts of one step."""

    def __init__(self, file: JournalFile, step_id: str) -> None:
        self._file = file
        self._step_id = step_id

    def get(self, key: str) -> str | None:
        """Return what was kept under `key`."""
        rows = self._file.read(
            "SELECT value FROM memo WHERE step_id = ? AND key = ?", self._step_id, key
        )
        return str(rows[0][0]) if rows else None

    def put(self, key: str, value: str) -> None:
        """Keep `value` under `key`; it is on disk when this returns."""
        self._file.write(
            "INSERT OR REPLACE INTO memo (step_id, key, value) VALUES (?, ?, ?)",
            self._step_id,
            key,
            value,
        )


class Journal:
    """One agent's journal; safe to use from several threads."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, patience: float = 5.0) -> "Journal":
        """Open or create the journal at `path`. Raises `JournalError`."""
        journal = cls(JournalFile(path, patience))
        journal._rewrite_cordon()
        return journal

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._file.path

    def _rewrite_cordon(self) -> None:
        """Have the cordon as this agent writes it, whose changes name the record they replace."""
        for (text,) in self._file.read("SELECT record FROM cordon"):
            with suppress(ValueError):  # whoever needs it is told
                fresh = write_record(read_record(CordonRecord, text))
                self._file.write("UPDATE cordon SET record = ? WHERE record = ?", fresh, text)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def step(self, step_id: str, direction: Direction) -> StepRecord | None:
        """Return what is kept of a step in one direction."""
        rows = self._file.read(
            "SELECT record FROM step WHERE step_id = ? AND direction = ?", step_id, direction
        )
        return self._step(rows[0][0]) if rows else None

    def put_step(self, record: StepRecord) -> None:
        """Keep a step's record, instead of any earlier one."""
        report = record.report
        self._file.write(
            "INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?)",
            report.step_id,
            report.direction,
            report.state,
            record.began,
            record.unmended,
            write_record(record),
        )

    def next_run(self) -> int:
        """Return the number of the next run: greater than that of any run so far."""
        return int(self._file.read("SELECT coalesce(max(began), 0) + 1 FROM step")[0][0])

    def to_recover(self) -> list[StepRecord]:
        """Return the steps that were under way, or could not be recovered, oldest first."""
        return self._legible(
            "SELECT record FROM step WHERE state = 'running' OR unmended = 1 ORDER BY began"
        )

    def steps(self) -> list[StepRecord]:
        """Return every step that is kept, oldest first. Raises `JournalError` for an illegible."""
        rows = self._file.read("SELECT record FROM step ORDER BY began")
        return [self._step(text) for (text,) in rows]

    def kept_under(self, key: str) -> set[str]:
        """Return what the memos of all steps hold under one key."""
        return {
            str(row[0]) for row in self._file.read("SELECT value FROM memo WHERE key = ?", key)
        }

    def last_steps(self, most: int) -> list[StepRecord]:
        """Return the steps taken last, newest first."""
        return self._legible("SELECT record FROM step ORDER BY began DESC LIMIT ?", most)

    def _legible(self, sql: str, *values: object) -> list[StepRecord]:
        """Return the steps that can be read: one that cannot be keeps no agent from starting."""
        found = []
        for (text,) in self._file.read(sql, *values):
            try:
                found.append(self._step(text))
            except JournalError as error:
                _log.critical("a step is left out", extra={"why": str(error)})
        return found

    def _step(self, text: str) -> StepRecord:
        try:
            return read_step(text)
        except ValueError as error:
            raise JournalError(f"cannot read a step in {self._file.path}: {error}") from None

    def memo(self, step_id: str) -> StepMemo:
        """Return the memo of a step."""
        return StepMemo(self._file, step_id)

    def forget_before(self, rollout: str) -> None:
        """Drop steps and memos of rollouts older than `rollout` (ULIDs sort by time)."""
        self._file.write("DELETE FROM step WHERE step_id < ?", rollout)
        self._file.write("DELETE FROM memo WHERE step_id < ?", rollout)

    def fence(self) -> Fence:
        """Return the highest epoch heard of, and whose it is."""
        rows = self._file.read("SELECT epoch, instance FROM fence")
        return Fence(*rows[0]) if rows else Fence(0, "")

    def raise_fence(self, fence: Fence) -> Fence:
        """Keep `fence` when its epoch is the highest so far; return the one kept."""
        if self.fence() != fence:
            self._file.write(
                "INSERT INTO fence VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET "
                "epoch = excluded.epoch, instance = excluded.instance "
                "WHERE excluded.epoch > epoch",
                fence.epoch,
                fence.instance,
            )
        return self.fence()

    def cordon(self) -> CordonState | None:
        """Return the cordon last ordered, None when there never was one."""
        rows = self._file.read("SELECT record, relaunches, opened FROM cordon")
        if not rows:
            return None
        try:
            return CordonState(read_record(CordonRecord, rows[0][0]), rows[0][1], rows[0][2])
        except ValueError as error:
            raise JournalError(f"cannot read the cordon in {self._file.path}: {error}") from None

    def put_cordon(self, record: CordonRecord) -> None:
        """Keep a new cordon, with no relaunch seen and not opened."""
        self._file.write(
            "INSERT OR REPLACE INTO cordon (one, record) VALUES (1, ?)", write_record(record)
        )

    def change_cordon(self, old: CordonRecord, new: CordonRecord) -> bool:
        """Keep `new` instead of `old`; False when the cordon has changed or been opened."""
        return bool(
            self._file.write(
                "UPDATE cordon SET record = ? WHERE record = ? AND opened = ''",
                write_record(new),
                write_record(old),
            )
        )

    def count_relaunches(self, number: int) -> None:
        """Add to the relaunches of the present cordon."""
        self._file.write("UPDATE cordon SET relaunches = relaunches + ?", number)

    def open_cordon(self, record: CordonRecord, by: str) -> bool:
        """Note that somebody at this host ended this cordon; False when it is another by now."""
        return bool(
            self._file.write(
                "UPDATE cordon SET opened = ? WHERE record = ? AND opened = ''",
                by,
                write_record(record),
            )
        )

    def may_try_code(self, now: float, who: str) -> bool:
        """Count one try of a code at `now`; False, uncounted, after too many in a minute.

        `who` is a user, "" the administrator: nobody's tries are counted against the latter.
        """
        self._file.write("DELETE FROM code_try WHERE at NOT BETWEEN ? AND ?", now - 60, now + 60)
        return bool(
            self._file.write(
                "INSERT INTO code_try (at, who) SELECT ?1, ?2 WHERE "
                "(SELECT count(*) FROM code_try WHERE who = ?2) < ?3 AND "
                "(?2 = '' OR (SELECT count(*) FROM code_try WHERE who != '') < ?4)",
                now,
                who,
                CODE_TRIES,
                HOST_CODE_TRIES,
            )
        )

    def spare(self, process: Process, boot_id: str, program: str) -> None:
        """Keep that this process is to be left alone, as long as it is this program."""
        self._file.write(
            "INSERT OR REPLACE INTO spared VALUES (?, ?, ?, ?)",
            boot_id,
            process.pid,
            process.started,
            program,
        )

    def spare_only(self, programs: Collection[str]) -> None:
        """Forget every spared process that is none of these programs."""
        marks = ", ".join("?" * len(programs))
        self._file.write(f"DELETE FROM spared WHERE program NOT IN ({marks})", *programs)

    def spare_none(self) -> None:
        """Forget every spared process."""
        self._file.write("DELETE FROM spared")

    def spared(self, processes: Collection[Process], boot_id: str) -> Mapping[int, str]:
        """Return which of them were spared, by pid, as which program; earlier agents' too."""
        query = "SELECT pid, started, program FROM spared WHERE boot_id = ?"
        rows = self._file.read(query, boot_id) if processes else ()
        known = {(pid, started): program for pid, started, program in rows}
        keys = [(process.pid, process.started) for process in processes]
        return {key[0]: known[key] for key in keys if key in known}

    def add_log(self, line: str) -> None:
        """Keep a log line; the oldest are dropped."""
        self._file.write("INSERT INTO log (line) VALUES (?)", line)
        self._file.write(
            "DELETE FROM log WHERE number <= (SELECT max(number) FROM log) - ?", _LOG_LINES
        )

    def log(self, since: int, most: int) -> list[LogLine]:
        """Return at most `most` lines with numbers after `since`, oldest first."""
        rows = self._file.read(
            "SELECT number, line FROM log WHERE number > ? ORDER BY number LIMIT ?", since, most
        )
        return [LogLine(*row) for row in rows]
