"""One JSON line a fact, written alike by the agent and the coordinator.

To a file that rotates, 10 x 5 MB, or to standard error where systemd reads it for its journal.
"""

import json
import logging
import os
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES, _FILES = 5 * 10**6, 9
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


def log_handler(folder: Path, name: str) -> logging.Handler:
    """Return where a program's lines go: `folder`/`name`, or the system's journal."""
    if "JOURNAL_STREAM" in os.environ:  # systemd reads our stderr
        return logging.StreamHandler(sys.stderr)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return RotatingFileHandler(
        folder / name, maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8"
    )
