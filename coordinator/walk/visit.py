"""One host's passage: back up, update, prove that it is back, close it again for the next.

Whatever cannot be ended well is taken back; what cannot be known is asked for again, and until
it is known no other host is touched (invariant I1).
"""

from collections.abc import Sequence

from agent.wire.contract import Direction, StepName
from coordinator.model import AfterRollBack
from coordinator.walk import led, policy
from coordinator.walk.closed import (
    are_others_closed,
    close_again,
    may_go_on,
    wait_until_it_may_begin,
    would_end_in_time,
)
from coordinator.walk.course import NOT_ALONE, Abort, Course
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState
from coordinator.walk.word import ask, is_tried_again

ASK_AGAIN_SECONDS = 15.0
_NOT_UPDATED = frozenset({HostState.ROLLED_BACK, HostState.NEEDS_OPERATOR})


def visit(course: Course, host: str) -> None:
    """Visit one host; afterwards it is updated or skipped. Raises `Abort`."""
    steps = policy.steps_of(course.plan, policy.VISIT)
    while visit_once(course, host, steps) in _NOT_UPDATED:
        if not _is_tried_again(course, host):
            return
        tell_walking(course)
        close_again(course, host)
        steps = _steps_from(course, course.stuck_at.pop(host, steps[0]))
        for step in steps:
            course.again([host], step)


def _steps_from(course: Course, step: StepName) -> tuple[StepName, ...]:
    whole = policy.steps_of(course.plan, policy.VISIT)
    return whole[whole.index(step) :]


def visit_once(course: Course, host: str, steps: Sequence[StepName]) -> HostState:
    """Visit one host, tried once, and return where it stands then. Raises `Abort`."""
    course.spent = 0.0
    wait_until_it_may_begin(course, host)
    if course.is_out(host):
        return course.states[host]
    course.begun.add(host)
    tell_walking(course)
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


def pass_by(course: Course, host: str, held: str) -> None:
    """Show where a host stands that is not to be visited; `held` says what becomes of it."""
    if course.planned(host).from_version == course.plan.version:
        course.move(host, Event.PASSED, f"has {course.plan.version} already")
    else:
        course.move(host, Event.SKIPPED, held)


def tell_walking(course: Course) -> None:
    """Tell that hosts are visited, and who may work meanwhile."""
    first = course.plan.server_first
    mixed = f"hosts with role {first} are updated; the others may be used until their own turn"
    course.tell(RolloutState.WALKING, mixed if course.is_mixed else "")


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
    if course.plan.close_between_visits and not course.is_mixed:
        _close_service_manager(course, host)
    if course.is_out(host):
        return course.states[host]
    if course.states[host] is HostState.UPDATING:  # it was silent meanwhile
        course.move(host, Event.APPLIED)
    course.move(host, Event.PASSED)
    course.slowest = max(course.slowest, course.spent)
    return course.states[host]


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
        if why := _wait_for_leave(course, host, step, direction):
            return _not_begun(course, host, why, resumed)
        if course.is_out(host):
            return Outcome(host, Verdict.UNKNOWN)
        outcome = course.once(host, step, direction)
        if outcome.verdict is Verdict.UNKNOWN:
            if _is_word_given(course, outcome, step):
                course.stand(before)
        elif tries and policy.bears_repeating(outcome):
            tries -= 1
            _try_again(course, host, step, direction)
        else:
            break
    course.stand(before)
    if course.states[host] is HostState.UNKNOWN:
        course.move(host, resumed)
    return outcome


def _try_again(course: Course, host: str, step: StepName, direction: Direction) -> None:
    course.try_again([host], step, direction)
    if (step, direction) == (StepName.CHECK_HEALTH, Direction.DO):
        # what is to be found running may have ended since it was started: a power cut ends all
        course.afresh([host], StepName.START_SERVICE_MANAGER)


def _not_begun(course: Course, host: str, why: str, resumed: Event) -> Outcome:
    if course.states[host] is HostState.UNKNOWN:  # taken back whatever it did
        course.move(host, resumed)
    return Outcome(host, Verdict.REFUSED, detail=why)


def _wait_for_leave(course: Course, host: str, step: StepName, direction: Direction) -> str:
    """Return when the step may be taken now: asked for again, it may begin only now.

    Returns why it may not, which is said only where nobody waits for the host.
    """
    if direction is not Direction.DO or step not in policy.CHANGES_A_HOST:
        return ""
    if course.is_mixed and not would_end_in_time(course, host):
        return "not begun: it would not end before the deadline"
    if not course.has_leave and not may_go_on(course, host):
        wait_until_it_may_begin(course, host)
    course.has_leave = False
    if step is StepName.APPLY_RELEASE and not course.is_out(host):
        course.changed.add(host)
        course.is_data_touched = course.plan.data is not None
    return ""


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
    return ask(course, [host], {Verb.RETRY}, ASK_AGAIN_SECONDS) is not None


def take_back(course: Course, host: str, why: str) -> None:
    """Bring a host back whose visit is over, when every other one is closed (I2)."""
    before = course.stands
    while not are_others_closed(course, host):
        pass
    course.stand(before)
    roll_back(course, host, Event.ROLL_BACK, why)


def roll_back(course: Course, host: str, event: Event, why: str = "") -> HostState:
    """Bring one host back to its old release; asks an operator while that cannot be done."""
    before, steps = course.stands, _way_back(course, host)
    course.move(host, event, why)
    while (outcome := _undo(course, host, steps)).verdict is not Verdict.DONE:
        if course.is_out(host):
            break
        course.move(host, Event.FAILED, outcome.detail)
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{course.name(host)} cannot be rolled back: {outcome.detail or outcome.verdict}",
            course.mend(
                host,
                f"roundsman rollout retry {{rollout}} --host {course.typed(host)}, or roundsman "
                f"rollout skip {{rollout}} {course.typed(host)}",
            ),
        )
        if not is_tried_again(course, host):
            break
        course.stand(before)
        course.move(host, Event.ROLL_BACK)
    course.stand(before)
    if not course.is_out(host):
        course.changed.discard(host)
        course.gone_wrong[host] = why
        course.move(host, Event.UNDONE, why)
    return course.states[host]


def _way_back(course: Course, host: str) -> list[StepName]:
    """Return what is undone: that the host is as it was backed up is proven where it was changed.

    The profile's own programs write where nothing was applied, as in a drill.
    """
    may_be_other = host in course.changed or course.is_unsure(host)
    steps = policy.steps_of(course.plan, policy.WAY_BACK)
    return [step for step in steps if may_be_other or step is not StepName.BACK_UP]


def _undo(course: Course, host: str, steps: Sequence[StepName]) -> Outcome:
    for step in steps:
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
        where = "" if course.plan.drill else " to its old release"
        course.move(host, Event.SKIPPED, f"taken back{where}: {course.gone_wrong[host]}")
        return False
    name, typed = course.name(host), course.typed(host)
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{name} could not be updated and {_came(course, host)}; the group stays closed",
        course.mend(
            host,
            f"roundsman rollout retry {{rollout}} --host {typed}, or roundsman rollout abort "
            f"{{rollout}} --roll-back-all, or, when it is to stay closed as it is: "
            f"roundsman rollout skip {{rollout}} {typed}",
        ),
    )
    return is_tried_again(course, host)


def _came(course: Course, host: str) -> str:
    if course.states[host] is HostState.ROLLED_BACK:
        return "is back on its old release"
    if host in course.led_elsewhere:
        return f"stays as it is: it {led.FOLLOWS}"
    return f"cannot go back alone: {NOT_ALONE}"


def _why(outcome: Outcome, step: StepName) -> str:
    return f"{step}: {outcome.detail or outcome.refusal or outcome.verdict}"
