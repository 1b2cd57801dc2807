"""Waits for the maintenance window, and has people told ahead that it is coming."""

from agent.wire.contract import StepName
from coordinator.walk import policy
from coordinator.walk.course import Course
from coordinator.walk.ports import Verb
from coordinator.walk.states import HostState, RolloutState
from coordinator.walk.word import ask, hear

_LOOK_SECONDS = 120.0  # a wait under way at a restart is begun anew: none is long


def wait_for_window(course: Course) -> None:
    """Return when the window is open and the whole group still fits into it (row I5)."""
    hear(course)
    while not _may_close(course):
        hear(course)


def _may_close(course: Course) -> bool:
    now = course.port.now()
    if now < course.plan.opens:
        course.tell(RolloutState.WAITING, "waits for its maintenance window")
        announce(course, now)
        ask(course, (), (), patience=_patience(course, now))
        return False
    pending = [course.planned(h) for h in course.ids(HostState.PENDING)]
    needed = policy.plan_seconds(course.plan, pending)
    if policy.fits(now, course.deadline, needed):
        announce(course, now)
        return True
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"not begun: the group needs {needed / 60:.0f} min and would not end before the "
        "deadline. Nothing was changed",
        "roundsman rollout resume {rollout} --until HH:MM, or roundsman rollout abort {rollout}",
    )
    ask(course, (), {Verb.RESUME})
    return False


def announce(course: Course, now: float) -> None:
    """Have everybody told ahead, once for all the moments that are over; nothing waits for it.

    Who was off hears it the next time.
    """
    due = sum(moment <= now for moment in course.plan.announce)
    if due > course.announced:
        course.announced = due
        course.whatever_comes(course.at_hand(course.ids()), StepName.ANNOUNCE)


def _patience(course: Course, now: float) -> float:
    coming = [moment for moment in course.plan.announce if moment > now]
    return min(_LOOK_SECONDS, *(moment - now for moment in [course.plan.opens, *coming]))
