"""Whether a host may be changed now: every other one is closed (I2), and there is time (I3)."""

from collections.abc import Sequence

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.walk import policy
from coordinator.walk.course import Course
from coordinator.walk.ports import SightOf, Verb
from coordinator.walk.states import HostState, RolloutState
from coordinator.walk.word import ask

LOOK_AGAIN_SECONDS = 5.0


def wait_until_it_may_begin(course: Course, host: str) -> None:
    """Return when there is time for the visit and every other host is confirmed closed (I2).

    In a group that may be mixed the others are open, and only its own agent judges the host.
    """
    while not course.is_mixed and not course.is_out(host):
        if _has_time(course, host) and are_others_closed(course, host):
            break
    course.has_leave = True


def may_go_on(course: Course, host: str) -> bool:
    """True a moment after that, while there still is time: a short back-up is no new turn.

    What the visit's steps took counts too, since the clock of the day may be set meanwhile.
    """
    now = course.port.now()
    since, spent = now - course.oldest_word, course.spent - course.spent_by_then
    is_fresh = 0 <= since < policy.LEAVE_SECONDS and spent < policy.LEAVE_SECONDS
    return is_fresh and policy.fits(now, course.deadline, _seconds_left(course, host))


def _seconds_left(course: Course, host: str) -> float:
    estimate = course.planned(host).estimate_seconds
    needed = policy.seconds_left(estimate, course.slowest, course.spent)
    return needed + _others_way_back(course, host)


def would_end_in_time(course: Course, host: str, before: float = 0.0) -> bool:
    """True when the rest of a visit, `before` seconds from now, ends by the deadline (I3)."""
    needed = before + _seconds_left(course, host)
    return policy.fits(course.port.now(), course.deadline, needed)


def _has_time(course: Course, host: str) -> bool:
    """True when the visit, or the rest of it, would end in time (I3); asks an operator if not."""
    if would_end_in_time(course, host):
        return True
    needed = _seconds_left(course, host)
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{course.name(host)} waits: what is left of its visit takes up to {needed:.0f} s and "
        "would not end before the deadline. The group stays closed",
        "roundsman rollout resume {rollout} --until HH:MM, or roundsman rollout abort {rollout} "
        "--roll-back-all",
    )
    ask(course, (), {Verb.RESUME})
    return False


def _others_way_back(course: Course, host: str) -> float:
    data = course.plan.data
    if data is None or data.old_reads_new:
        return 0.0
    others = [course.planned(h) for h in course.ids() if h in course.changed and h != host]
    return policy.all_back_seconds([p.estimate_seconds for p in others], data)


def are_others_closed(course: Course, host: str = "", what: str = "the first visit") -> bool:
    """True when every other host has confirmed that it is closed (I2); asks when one has not."""
    lost = course.not_closed(besides=host)
    if _drain_anew(course, lost):
        lost = course.not_closed(besides=host)
    if not lost:
        return True
    name, why = course.name(lost[0].host), policy.why_open(lost[0])
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{course.name(host) if host else what} waits: {name} {why}",
        course.mend(lost[0].host, _mend(course, lost[0])),
    )
    command = ask(course, [s.host for s in lost], {Verb.RETRY}, LOOK_AGAIN_SECONDS)
    if command is not None:
        close_again(course, command.host)
    return False


def _drain_anew(course: Course, lost: Sequence[SightOf]) -> bool:
    """Drain again where people came in after a lease had ended, each host once by itself."""
    owed = [s.host for s in lost if policy.owes_a_drain(s) and s.host not in course.drained_anew]
    course.drained_anew |= set(owed)
    if owed:
        close_again(course, *owed)
    return bool(owed)


def _mend(course: Course, lost: SightOf) -> str:
    name, typed = course.name(lost.host), course.typed(lost.host)
    again = f"roundsman rollout retry {{rollout}} --host {typed}"
    if policy.is_opened(lost):
        return (
            f"{again}, which closes it again, with its notice and under a new code; or roundsman "
            "rollout abort {rollout}"
        )
    return (
        f"{again}, or, when {name} is switched off: roundsman rollout skip {{rollout}} {typed} "
        "--switched-off"
    )


def close_again(course: Course, *hosts: str) -> None:
    """Close hosts that may have been opened; whether that did it, the next look tells."""
    course.afresh(hosts, StepName.DRAIN)
    course.again(hosts, StepName.STOP_SERVICE_MANAGER)
    course.take_all(hosts, StepName.STOP_SERVICE_MANAGER)
    updated = [h for h in hosts if course.states[h] is HostState.UPDATED]
    if updated:  # its visit may have left it running
        course.again(updated, StepName.START_SERVICE_MANAGER, Direction.UNDO)
        course.take_all(updated, StepName.START_SERVICE_MANAGER, Direction.UNDO)
    course.port.confirm(list(hosts), CordonMode.SEALED)
