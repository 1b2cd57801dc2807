"""What people who wait for their app are told: who is being updated, and when they may go on.

Worked out from the plan's estimates and what the walk has told of each host; the name of a
workstation is in it, nothing of any person. Pure.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agent.wire.notices import Outlook
from coordinator.model import Plan, PlannedHost
from coordinator.walk.policy import is_first, may_be_mixed
from coordinator.walk.states import HostState, RolloutState

_MOST_SECONDS = 7 * 86400.0
_UNDER_WAY = frozenset({HostState.UPDATING, HostState.CHECKING, HostState.ROLLING_BACK})
_TO_COME = frozenset({HostState.PENDING, HostState.DRAINING})
_MOVES = frozenset({RolloutState.CLOSING, RolloutState.WALKING, RolloutState.RE_OPENING})
"""While it stands still, or goes back, nobody knows when it ends."""
_ALMOST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Passage:
    """How far one host has come; times are seconds since 1970, None = not yet."""

    state: HostState
    began: float | None = None
    ended: float | None = None
    since: float | None = None  # it stands so


def closed_seconds(plan: Plan, planned: PlannedHost) -> float:
    """Return about how long the app will be closed on a host, for the notice.

    Where others may use the old release meanwhile they are closed twice, and the longer counts.
    """
    waited_for = waited_hosts(plan)
    together = sum(p.estimate_seconds for p in waited_for)
    together += plan.data.seconds if plan.data else 0.0
    alone = planned.estimate_seconds if planned.visited and planned not in waited_for else 0.0
    return min(max(together, alone), _MOST_SECONDS)


def waited_hosts(plan: Plan) -> list[PlannedHost]:
    """Return the hosts whose visits everybody waits for, in the order of the plan."""
    mixed = may_be_mixed(plan)
    return [p for p in plan.hosts if p.visited and (is_first(plan, p) or not mixed)]


def is_alike(plan: Plan) -> bool:
    """True when the same is told on every host."""
    return not may_be_mixed(plan)


def outlook(
    plan: Plan, stands: RolloutState, passages: Mapping[str, Passage], now: float, host: str
) -> Outlook:
    """Return what is to be told on one host."""
    hosts = waited_hosts(plan)
    if _is_alone(plan, hosts, passages, host):
        hosts = [p for p in plan.hosts if p.id == host]
    current = next((p for p in hosts if passages[p.id].state in _UNDER_WAY), None)
    return Outlook(
        updating=current.name if current else "",
        number=hosts.index(current) + 1 if current else 0,
        of=len(hosts) if current else 0,
        back_in=_back_in(plan, hosts, passages, now, stands) if stands in _MOVES else 0.0,
    )


def _is_alone(
    plan: Plan, hosts: Sequence[PlannedHost], passages: Mapping[str, Passage], host: str
) -> bool:
    """True for a host that is closed for its own visit only, the server being done."""
    others_done = all(passages[p.id].state is HostState.UPDATED for p in hosts)
    return may_be_mixed(plan) and others_done and host not in {p.id for p in hosts}


def _back_in(
    plan: Plan,
    hosts: Collection[PlannedHost],
    passages: Mapping[str, Passage],
    now: float,
    stands: RolloutState,
) -> float:
    pace = _pace(hosts, passages)
    seconds = sum(_left(p, passages[p.id], pace, now) for p in hosts)
    if not any(passages[p.id].began for p in hosts):
        seconds += plan.data.seconds if plan.data else 0.0
    if stands is RolloutState.CLOSING:
        seconds += _drain_left(plan, passages, now)
    return min(max(seconds, _ALMOST_SECONDS), _MOST_SECONDS)


def _drain_left(plan: Plan, passages: Mapping[str, Passage], now: float) -> float:
    """Return how long the drain likely takes yet: whoever may postpone it rarely does."""
    begun = [o.since for o in passages.values() if o.state is HostState.DRAINING and o.since]
    return max(plan.grace_seconds - (now - min(begun, default=now)), 0.0)


def _pace(hosts: Collection[PlannedHost], passages: Mapping[str, Passage]) -> float:
    """Return how much longer visits take today than was estimated, by those that are over."""
    over = [(p.estimate_seconds, passages[p.id]) for p in hosts]
    took = [(e, o.ended - o.began) for e, o in over if e and o.began and o.ended]
    return sum(t for _, t in took) / sum(e for e, _ in took) if took else 1.0


def _left(planned: PlannedHost, passage: Passage, pace: float, now: float) -> float:
    whole = planned.estimate_seconds * pace
    if passage.state in _TO_COME:
        return whole
    if passage.state in _UNDER_WAY and passage.began is not None:
        return max(whole - (now - passage.began), 0.0)
    return 0.0
