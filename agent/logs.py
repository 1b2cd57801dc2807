"""One JSON line a fact: to a file of 10 x 5 MB, or to the system's journal, and to ours."""

import json
import logging
import os
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from agent.journal import Journal, JournalError

_BYTES, _FILES = 5 * 10**6, 9
_LINE = 1000
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one line: time, level, what, and the fields it was given."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fact: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "what": record.getMessage(),
        }
        fact |= {key: value for key, value in vars(record).items() if key not in _ORDINARY}
        if record.exc_info:
            fact["fault"] = self.formatException(record.exc_info)
        return json.dumps(fact, default=str)


class _ToJournal(logging.Handler):
    """Keeps what an operator may ask for with `log`."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.INFO)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._journal.add_log(self.format(record)[:_LINE])
        except JournalError:
            self.handleError(record)


class Logs:
    """The agent's logging from creation until `close`."""

    def __init__(self, state: Path, journal: Journal) -> None:
        self._logger = logging.getLogger("agent")
        self._handlers = [_outer(state), _ToJournal(journal)]
        self._logger.setLevel(logging.INFO)
        for handler in self._handlers:
            handler.setFormatter(JsonLines())
            self._logger.addHandler(handler)

    def close(self) -> None:
        """Write what is left and let go of the files."""
        for handler in self._handlers:
            self._logger.removeHandler(handler)
            handler.close()


def _outer(state: Path) -> logging.Handler:
    if "JOURNAL_STREAM" in os.environ:  # systemd reads our stderr
        return logging.StreamHandler(sys.stderr)
    folder = state / "log"
    folder.mkdir(mode=0o700, exist_ok=True)
    return RotatingFileHandler(
        folder / "agent.log", maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8"
    )
