"""Releases sent ahead of time: when that may go on, and which hosts are next. Pure.

A staging is worked off like a queue: each host's part of it stands by itself, may be begun anew at
any time, and changes nothing of the app (row S11).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from math import inf

from agent.wire.contract import RolloutId
from coordinator.model import AppName, Moment, StagedState, StagingState
from coordinator.planning.window import Window

FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0
LONGEST_SECONDS = 30 * 86_400.0
"""A staging whose last hosts have not come back for so long ends without them."""
SPREAD_SECONDS = 60.0
"""Hosts that begin at one time of day do so within this, each at another moment."""


@dataclass(frozen=True, slots=True)
class Staging:
    """One release on its way to hosts, ahead of any rollout."""

    id: RolloutId
    number: int
    app: AppName
    version: str
    by: str
    made: Moment
    not_before: Moment
    hours: str  # "22:00-06:00", daily, local time; "" = at any time
    rate: int  # bytes a second for all hosts together; 0 = as fast as it comes
    slots: int  # hosts at a time
    state: StagingState = StagingState.UNDER_WAY
    ended: Moment | None = None

    @property
    def label(self) -> str:
        """How people name it."""
        return f"s{self.number}"

    @property
    def host_rate(self) -> int:
        """How many bytes a second one host may take; 0 = as fast as it comes."""
        return max(self.rate // self.slots, 1) if self.rate else 0


@dataclass(frozen=True, slots=True)
class Staged:
    """One host of a staging."""

    staging: RolloutId
    host: str
    state: StagedState
    tries: int  # begun so far: the number of the attempt under way, or of the last
    next_try: Moment
    since: Moment
    bytes_done: int = 0
    bytes_total: int = 0
    detail: str = ""


def open_until(staging: Staging, now: float, zone: tzinfo | None) -> float | None:
    """Return until when it may go on, None when it may not go on now."""
    if staging.state is not StagingState.UNDER_WAY or now < staging.not_before:
        return None
    if not staging.hours:
        return inf
    span = Window.parse(staging.hours).span(now, zone)
    return span.closes if span.opens <= now else None


def opens_at(staging: Staging, now: float, zone: tzinfo | None) -> float:
    """Return when it goes on: now, or at the beginning of its hours."""
    at = max(now, staging.not_before)
    return max(at, Window.parse(staging.hours).span(at, zone).opens) if staging.hours else at


def next_hosts(
    staging: Staging, rows: Sequence[Staged], now: float, able: Collection[str]
) -> list[Staged]:
    """Return who is to begin now, within the slots; `able` = linked, and in no rollout."""
    under_way = sum(row.state is StagedState.FETCHING for row in rows)
    waiting = [
        row
        for row in rows
        if row.state is StagedState.WAITING and row.next_try <= now and row.host in able
    ]
    waiting.sort(key=lambda row: (row.tries, row.next_try, row.host))
    return waiting[: max(staging.slots - under_way, 0)]


def wait_after(tries: int) -> float:
    """Return how long to wait after so many tries that came to nothing, seconds."""
    return float(min(FIRST_WAIT * 2.0 ** min(max(tries - 1, 0), 10), LONGEST_WAIT))


def state_by(staging: Staging, rows: Sequence[Staged], now: float) -> StagingState:
    """Return how a staging under way stands, by its hosts and its age."""
    if all(row.state.is_final for row in rows):
        return StagingState.DONE
    late = now - max(staging.made, staging.not_before) > LONGEST_SECONDS
    return StagingState.TIMED_OUT if late else StagingState.UNDER_WAY
