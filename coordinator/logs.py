"""Where the daemon's log goes: one JSON line a fact, rotated, in a folder of its own."""

import logging
from pathlib import Path

from agent.wire.log_lines import JsonLines, log_handler


def log_to(folder: Path) -> None:
    """Have everything that the daemon says written below `folder`."""
    handler = log_handler(folder, "coordinator.log")
    handler.setFormatter(JsonLines())
    for name in ("coordinator", "agent", "dbos"):  # the links are the agent's code
        logging.getLogger(name).addHandler(handler)
    for name in ("coordinator", "agent"):
        logging.getLogger(name).setLevel(logging.INFO)
