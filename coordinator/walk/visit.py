"""One host's passage: back up, update, prove that it is back, close it again for the next.

Whatever cannot be ended well is taken back; what cannot be known is asked for again, and until
it is known no other host is touched (invariant I1).
"""

from collections.abc import Sequence

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import AfterRollBack
from coordinator.walk import policy
from coordinator.walk.course import NOT_ALONE, Abort, Course, bears_repeating
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState

LOOK_AGAIN_SECONDS = 5.0
ASK_AGAIN_SECONDS = 15.0
_NOT_UPDATED = frozenset({HostState.ROLLED_BACK, HostState.NEEDS_OPERATOR})


def visit(course: Course, host: str) -> None:
    """Visit one host; afterwards it is updated or skipped. Raises `Abort`."""
    steps: tuple[StepName, ...] = policy.VISIT
    while _visit_once(course, host, steps) in _NOT_UPDATED:
        if not _is_tried_again(course, host):
            return
        course.tell(RolloutState.WALKING)
        close_again(course, host)
        steps = _steps_from(course.stuck_at.pop(host, policy.VISIT[0]))
        for step in steps:
            course.again([host], step)


def _steps_from(step: StepName) -> tuple[StepName, ...]:
    return policy.VISIT[policy.VISIT.index(step) :]


def _visit_once(course: Course, host: str, steps: Sequence[StepName]) -> HostState:
    course.spent = 0.0
    while not course.is_out(host) and not _has_time(course, host):
        pass
    if course.is_out(host):
        return course.states[host]
    course.begun.add(host)
    course.tell(RolloutState.WALKING)
    course.move(host, Event.TURN_CAME)
    for step in steps:
        outcome = take_until_known(course, host, step, Event.TURN_CAME)
        if course.is_out(host):
            return course.states[host]
        if outcome.verdict is not Verdict.DONE:
            return _end_badly(course, host, step, _why(outcome, step))
        if step is not StepName.BACK_UP and course.states[host] is HostState.UPDATING:
            course.move(host, Event.APPLIED)
    return _passed(course, host)


def _end_badly(course: Course, host: str, step: StepName, why: str) -> HostState:
    """Take the host back, or leave it closed where it stands when it cannot go back alone."""
    if course.goes_back_alone(host):
        return roll_back(course, host, Event.FAILED, why)
    course.stuck_at[host] = step
    if step is not StepName.APPLY_RELEASE:
        course.stuck_at[host] = StepName.START_SERVICE_MANAGER
        _close_service_manager(course, host)
    if not course.is_out(host):
        course.move(host, Event.STUCK, why)
    return course.states[host]


def _close_service_manager(course: Course, host: str) -> None:
    take_until_known(course, host, StepName.START_SERVICE_MANAGER, Event.TURN_CAME, Direction.UNDO)


def _passed(course: Course, host: str) -> HostState:
    if course.plan.close_between_visits:
        _close_service_manager(course, host)
    if course.is_out(host):
        return course.states[host]
    if course.states[host] is HostState.UPDATING:  # it was silent meanwhile
        course.move(host, Event.APPLIED)
    course.move(host, Event.PASSED)
    course.slowest = max(course.slowest, course.spent)
    return course.states[host]


def _has_time(course: Course, host: str) -> bool:
    """True when the visit, or the rest of it, would end in time (I3); asks an operator if not."""
    estimate = course.planned(host).estimate_seconds
    needed = policy.seconds_left(estimate, course.slowest, course.spent)
    needed += _others_way_back(course, host)
    if policy.fits(course.port.now(), course.deadline, needed):
        return True
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{course.name(host)} waits: what is left of its visit takes up to {needed:.0f} s and "
        "would not end before the deadline. The group stays closed",
        "roundsman rollout resume {rollout} --until HH:MM, or roundsman rollout abort {rollout} "
        "--roll-back-all",
    )
    course.ask((), {Verb.RESUME})
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
    if not lost:
        return True
    name, typed = course.name(lost[0].host), course.typed(lost[0].host)
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{course.name(host) if host else what} waits: {name} {policy.why_open(lost[0])}",
        f"roundsman rollout retry {{rollout}} --host {typed}, or, when {name} is switched off: "
        f"roundsman rollout skip {{rollout}} {typed} --switched-off",
    )
    command = course.ask([s.host for s in lost], {Verb.RETRY}, LOOK_AGAIN_SECONDS)
    if command is not None:
        close_again(course, command.host)
    return False


def close_again(course: Course, host: str) -> None:
    """Close a host that may have been opened; whether that did it, the next look tells."""
    course.afresh(host, StepName.DRAIN)
    course.again([host], StepName.STOP_SERVICE_MANAGER)
    course.take(host, StepName.STOP_SERVICE_MANAGER)
    if course.states[host] is HostState.UPDATED:  # its visit may have left it running
        course.again([host], StepName.START_SERVICE_MANAGER, Direction.UNDO)
        course.take(host, StepName.START_SERVICE_MANAGER, Direction.UNDO)
    course.port.confirm([host], CordonMode.SEALED)


def take_until_known(
    course: Course,
    host: str,
    step: StepName,
    resumed: Event,
    direction: Direction = Direction.DO,
) -> Outcome:
    """Have a step of a visit taken, and know how it ended; tried again as the policy says.

    Asks again and again while there is no answer; only an operator ends that, who says that the
    host is switched off: it is skipped then. `resumed` is the move of a host heard of again.
    """
    before, tries = course.stands, course.plan.policy.retries
    while True:
        _wait_for_leave(course, host, step, direction)
        if course.is_out(host):
            return Outcome(host, Verdict.UNKNOWN)
        outcome = course.once(host, step, direction)
        if outcome.verdict is Verdict.UNKNOWN:
            if _is_word_given(course, outcome, step):
                course.stand(before)
        elif tries and bears_repeating(outcome):
            tries -= 1
            course.try_again([host], step, direction)
        else:
            break
    course.stand(before)
    if course.states[host] is HostState.UNKNOWN:
        course.move(host, resumed)
    return outcome


def _wait_for_leave(course: Course, host: str, step: StepName, direction: Direction) -> None:
    """Return when the step may be taken now: asked for again, it may begin only now."""
    if direction is not Direction.DO or step not in policy.CHANGES_A_HOST:
        return
    while not course.is_out(host):
        if _has_time(course, host) and are_others_closed(course, host):
            break
    if step is StepName.APPLY_RELEASE and not course.is_out(host):
        course.changed.add(host)
        course.is_data_touched = course.plan.data is not None


def _is_word_given(course: Course, outcome: Outcome, step: StepName) -> bool:
    """Tell that the outcome is not known; True when an operator has it asked for again."""
    host = outcome.host
    if course.states[host] is not HostState.UNKNOWN:
        course.move(host, Event.SILENT, outcome.detail)
    name = course.name(host)
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{name}: what {step} did is not known, so no other host is touched: "
        f"{outcome.detail or 'no answer'}",
        f"switch {name} on; or, when it is off and stays off: "
        f"roundsman rollout skip {{rollout}} {course.typed(host)} --switched-off",
    )
    return course.ask([host], {Verb.RETRY}, ASK_AGAIN_SECONDS) is not None


def take_back(course: Course, host: str, why: str) -> None:
    """Bring a host back whose visit is over, when every other one is closed (I2)."""
    before = course.stands
    while not are_others_closed(course, host):
        pass
    course.stand(before)
    roll_back(course, host, Event.ROLL_BACK, why)


def roll_back(course: Course, host: str, event: Event, why: str = "") -> HostState:
    """Bring one host back to its old release; asks an operator while that cannot be done."""
    before = course.stands
    course.move(host, event, why)
    while (outcome := _undo(course, host)).verdict is not Verdict.DONE:
        if course.is_out(host):
            break
        course.move(host, Event.FAILED, outcome.detail)
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{course.name(host)} cannot be rolled back: {outcome.detail or outcome.verdict}",
            f"roundsman rollout retry {{rollout}} --host {course.typed(host)}, or roundsman "
            f"rollout skip {{rollout}} {course.typed(host)}",
        )
        if not course.is_tried_again(host):
            break
        course.stand(before)
        course.move(host, Event.ROLL_BACK)
    course.stand(before)
    if not course.is_out(host):
        course.changed.discard(host)
        course.move(host, Event.UNDONE, why)
    return course.states[host]


def _undo(course: Course, host: str) -> Outcome:
    for step in policy.WAY_BACK:
        course.again([host], step, Direction.UNDO)
        outcome = take_until_known(course, host, step, Event.ROLL_BACK, Direction.UNDO)
        if outcome.verdict is not Verdict.DONE:
            break
    return outcome


def _is_tried_again(course: Course, host: str) -> bool:
    then, is_back = course.plan.policy.then, course.states[host] is HostState.ROLLED_BACK
    if then is AfterRollBack.ROLL_BACK_ALL:
        raise Abort(Verb.ABORT_ROLL_BACK)
    if then is AfterRollBack.SKIP and is_back:  # one that cannot go back is for a person
        course.move(host, Event.SKIPPED, "rolled back; it stays closed on its old release")
        return False
    name, typed = course.name(host), course.typed(host)
    came = "is back on its old release" if is_back else f"cannot go back alone: {NOT_ALONE}"
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{name} could not be updated and {came}; the group stays closed",
        f"roundsman rollout retry {{rollout}} --host {typed}, or roundsman rollout abort "
        f"{{rollout}} --roll-back-all, or, when it is to stay closed as it is: "
        f"roundsman rollout skip {{rollout}} {typed}",
    )
    return course.is_tried_again(host)


def _why(outcome: Outcome, step: StepName) -> str:
    return f"{step}: {outcome.detail or outcome.refusal or outcome.verdict}"
