"""A rollout that was left closed, taken back: the second walk of the same plan.

It begins from what is written of the first one, frozen, and goes the way that `roll-back-all` goes
within a walk: every host confirmed closed, each changed one brought back, then the data the group
shares, and only then is anything opened. Steps keep the rollout's id, since the agents have kept
what they set aside under it; their attempts are numbered on.
"""

from dataclasses import dataclass
from typing import Annotated

from agent.wire.bounds import Entries, Whole
from agent.wire.contract import Direction, HostId, StepName
from coordinator.model import Plan
from coordinator.walk import policy
from coordinator.walk.closed import are_others_closed
from coordinator.walk.course import Abort, Course
from coordinator.walk.ending import leave_closed, roll_back_all
from coordinator.walk.ports import Port
from coordinator.walk.states import TRANSITIONS, Event, HostState, RolloutState

_MOST = 20_000
_HALF_WAY = frozenset({HostState.CHECKING, HostState.ROLLING_BACK})


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """How often a step was asked for in the first walk."""

    host: HostId
    step: StepName
    direction: Direction
    number: Annotated[int, Whole(1, 1000)]


@dataclass(frozen=True, slots=True)
class LeftHost:
    """How the first walk left one host."""

    id: HostId
    state: HostState
    is_changed: bool  # may be other than it was before the rollout


@dataclass(frozen=True, slots=True)
class Return:
    """The whole input of the second walk."""

    plan: Plan
    heard: Annotated[int, Whole(0, 2**53)]  # the last command that is no longer to be heard
    hosts: Annotated[tuple[LeftHost, ...], Entries(1000)]
    attempts: Annotated[tuple[LastAttempt, ...], Entries(_MOST)]
    is_data_touched: bool = False


def walk_back(order: Return, port: Port) -> RolloutState:
    """Take the group back to what it was before the rollout, and return how that ended."""
    course = _course(order, port)
    course.tell(RolloutState.ROLLING_BACK, "taken back after it was left closed")
    before = course.stands
    try:
        while not are_others_closed(course, what="the roll-back"):
            pass
    except Abort:
        return leave_closed(course)
    course.stand(before)
    return roll_back_all(course)


def _course(order: Return, port: Port) -> Course:
    course = Course.begin(order.plan, port)
    course.heard = order.heard
    # where others worked on, they worked with the data, and the old release reads it
    course.is_data_touched = order.is_data_touched and not policy.may_be_mixed(order.plan)
    course.attempts = {(a.host, a.step, a.direction): a.number for a in order.attempts}
    for host in order.hosts:
        course.states[host.id] = _fit(host)
        if host.is_changed:
            course.changed.add(host.id)
            course.begun.add(host.id)
    return course


def _fit(host: LeftHost) -> HostState:
    """Return a state from which the host can go on; a first walk may have ended in any."""
    cannot_go = host.is_changed and (host.state, Event.ROLL_BACK) not in TRANSITIONS
    if cannot_go or host.state in _HALF_WAY:
        return HostState.NEEDS_OPERATOR
    return host.state
