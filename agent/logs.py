"""One JSON line a fact: to a file of 10 x 5 MB, or to the system's journal, and to ours."""

import logging
from pathlib import Path

from agent.journal import Journal, JournalError
from agent.wire.log_lines import JsonLines, log_handler

_LINE = 1000


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
        self._handlers = [log_handler(state / "log", "agent.log"), _ToJournal(journal)]
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        for handler in self._handlers:
            handler.setFormatter(JsonLines())
            self._logger.addHandler(handler)

    def close(self) -> None:
        """Write what is left and let go of the files; log as before."""
        self._logger.setLevel(self._level)
        for handler in self._handlers:
            self._logger.removeHandler(handler)
            handler.close()
