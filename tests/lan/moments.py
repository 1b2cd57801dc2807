"""Moments of a step on a host, as the agent's journal on the host's disk tells them."""

import time
from enum import StrEnum
from pathlib import Path

from tests.faults.ledger import JournalRow, journal_steps

_LOOK_EVERY_SECONDS = 0.003


class Moment(StrEnum):
    """Where in a step."""

    BEGUN = "begun"  # it is in the journal, and may be over already
    UNDER_WAY = "under way"  # it is in the journal, and not over
    ENDED = "ended"


def wait_for_step(
    state: Path, rollout: str, key: tuple[str, str], moment: Moment, seconds: float
) -> None:
    """Return once a step, by name and direction, is that far. Raises `AssertionError`."""
    end = time.monotonic() + seconds
    while not _is_at(_row(state, rollout, key), moment):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {' '.join(key)} has {moment}")
        time.sleep(_LOOK_EVERY_SECONDS)


def _row(state: Path, rollout: str, key: tuple[str, str]) -> JournalRow | None:
    rows = [row for row in journal_steps(state, rollout) if row.key == key]
    return rows[-1] if rows else None


def _is_at(row: JournalRow | None, moment: Moment) -> bool:
    if row is None:
        return False
    is_over = row.state != "running"
    if moment is Moment.UNDER_WAY and is_over:
        raise AssertionError(f"{' '.join(row.key)} was over before it was seen under way")
    return is_over or moment is not Moment.ENDED
