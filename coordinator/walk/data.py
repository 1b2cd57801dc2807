"""The data a group shares: backed up once, before the first change, and restored with the group.

One host holds it. Both ways every host of the group is confirmed closed just before, and the
holder cannot be left out: without it there is no backup, or no way back (invariant I6).
"""

from agent.wire.contract import Direction, HostId, StepName
from coordinator.walk.closed import are_others_closed
from coordinator.walk.course import Course
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.states import HostState, RolloutState
from coordinator.walk.visit import ASK_AGAIN_SECONDS
from coordinator.walk.word import ask

_WHAT = {
    Direction.DO: "the backup of the data the group shares",
    Direction.UNDO: "the roll-back of the data the group shares",
}
_CANNOT = {
    Direction.DO: "cannot back up the data the group shares: {}. Nothing was changed",
    Direction.UNDO: "cannot restore the data the group shares: {}. Every host stays closed",
}
_ABORT = {
    Direction.DO: "roundsman rollout abort {rollout}",
    Direction.UNDO: "roundsman rollout abort {rollout} --leave-closed",
}


def back_up_data(course: Course) -> None:
    """Have the data backed up, if there is any and a host is to be visited. Raises `Abort`."""
    visited = [h for h in course.ids(HostState.PENDING) if course.planned(h).visited]
    if course.plan.data is not None and course.plan.backs_up and visited:
        _have_taken(course, course.plan.data.holder, Direction.DO)


def restore_data(course: Course) -> None:
    """Have the data as it was before the first change, the newer kept aside. Raises `Abort`."""
    if course.plan.data is not None and course.is_data_touched:
        course.again([course.plan.data.holder], StepName.BACK_UP_DATA, Direction.UNDO)
        _have_taken(course, course.plan.data.holder, Direction.UNDO)
        course.is_data_touched = False


def _have_taken(course: Course, holder: HostId, direction: Direction) -> None:
    before, course.needed = course.stands, holder
    try:
        while (outcome := _taken(course, holder, direction)).verdict is not Verdict.DONE:
            if _is_retried(course, outcome, direction):
                course.stand(before)
    finally:
        course.needed = ""
    course.stand(before)


def _taken(course: Course, holder: HostId, direction: Direction) -> Outcome:
    before = course.stands
    while not are_others_closed(course, what=_WHAT[direction]):
        pass
    course.stand(before)
    return course.take(holder, StepName.BACK_UP_DATA, direction)


def _is_retried(course: Course, outcome: Outcome, direction: Direction) -> bool:
    """Wait for an operator who has it tried again, True; False = asked again, as it is silent."""
    holder, is_silent = outcome.host, outcome.verdict is Verdict.UNKNOWN
    why = outcome.detail or outcome.refusal or "no answer"
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{course.name(holder)} {_CANNOT[direction].format(why)}",
        course.mend(
            holder,
            f"roundsman rollout retry {{rollout}} --host {course.typed(holder)}, or "
            f"{_ABORT[direction]}",
        ),
    )
    if is_silent:
        return ask(course, [holder], {Verb.RETRY}, ASK_AGAIN_SECONDS) is not None
    while ask(course, [holder], {Verb.RETRY}) is None:
        pass
    course.again([holder], StepName.BACK_UP_DATA, direction)
    return True
