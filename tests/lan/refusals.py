"""What an administrator reads who starts a plan that something speaks against."""

import sys
from typing import Any

from tests.lan.home import environment
from tests.lan.office import LanOffice


def why_not_started(office: LanOffice, plan: dict[str, Any]) -> str:
    """Start a plan that may not be started, and return what is said."""
    given = [f"{key}={value}" for key, value in environment(office.folder).items()]
    typed = [sys.executable, "-m", "coordinator.cli", "rollout", "start", plan["label"]]
    ended = office.box.seat.run("env", *given, *typed, check=False, seconds=120)
    assert ended.returncode == 1, ended.stderr
    assert office.ledger.rows("SELECT * FROM rollout WHERE id = ?", plan["id"]) == []
    return ended.stderr
