"""One host's passage: back up, update, prove that it is back, close it again for the next.

Whatever cannot be ended well is taken back; what cannot be known is asked for again, and until
it is known no other host is touched (invariant I1).
"""

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import AfterRollBack
from coordinator.walk import policy
from coordinator.walk.course import Course
from coordinator.walk.ports import Outcome, SightOf, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState

_LOOK_AGAIN_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 15.0


def visit(course: Course, host: str) -> None:
    """Visit one host; afterwards it is updated, rolled back or skipped, or waits for nobody."""
    while _visit_once(course, host) is HostState.ROLLED_BACK:
        if _after_roll_back(course, host) is not Verb.RETRY:
            course.move(host, Event.SKIPPED, "rolled back; it stays closed on its old release")
            return
        for step in policy.VISIT:
            course.again([host], step)


def _visit_once(course: Course, host: str) -> HostState:
    _wait_for_time(course, host)
    begun = course.port.now()
    course.tell(RolloutState.WALKING)
    course.move(host, Event.TURN_CAME)
    for step in policy.VISIT:
        if step in policy.CHANGES_A_HOST:
            wait_until_closed_elsewhere(course, host)
        course.changed = course.changed or step is StepName.APPLY_RELEASE
        outcome = take_until_known(course, host, step, Event.TURN_CAME)
        if outcome.verdict is Verdict.UNKNOWN:
            return course.states[host]  # an operator says that it is switched off
        if outcome.verdict is not Verdict.DONE:
            return roll_back(course, host, Event.FAILED, why=_why(outcome, step))
        if step is StepName.APPLY_RELEASE:
            course.move(host, Event.APPLIED)
        elif course.states[host] is HostState.UPDATING and step is not StepName.BACK_UP:
            course.move(host, Event.APPLIED)  # it was silent, and is past that point
    return _passed(course, host, begun)


def _passed(course: Course, host: str, begun: float) -> HostState:
    if course.plan.close_between_visits:
        closed = take_until_known(
            course, host, StepName.START_SERVICE_MANAGER, Event.TURN_CAME, Direction.UNDO
        )
        if closed.verdict is Verdict.UNKNOWN:
            return course.states[host]
    if course.states[host] is HostState.UPDATING:
        course.move(host, Event.APPLIED)
    course.move(host, Event.PASSED)
    course.slowest = max(course.slowest, course.port.now() - begun)
    return course.states[host]


def _wait_for_time(course: Course, host: str) -> None:
    """Return when a visit begun now would end in time (invariant I3)."""
    needed = policy.visit_seconds(course.planned(host).estimate_seconds, course.slowest)
    while not policy.fits(course.port.now(), course.deadline, needed):
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{course.name(host)} is not begun: a visit takes up to {needed:.0f} s and would not "
            "end before the deadline. The group stays closed",
            "roundsman rollout resume {rollout} --until HH:MM, or roundsman rollout abort "
            "{rollout} --roll-back-all",
        )
        course.ask("", {Verb.RESUME})


def wait_until_closed_elsewhere(course: Course, host: str) -> None:
    """Return when every other host has confirmed that it is closed (invariant I2)."""
    before = course.state
    while lost := _open_elsewhere(course, host):
        first = lost[0]
        name = course.name(first.host)
        course.tell(
            RolloutState.WALKING,
            f"{course.name(host)} waits: {name} {policy.why_open(first)}",
            f"roundsman rollout retry {{rollout}} --host {name}, or, when {name} is switched off: "
            f"roundsman rollout skip {{rollout}} {name} --switched-off",
        )
        command = course.ask(first.host, {Verb.RETRY, Verb.SWITCHED_OFF}, _LOOK_AGAIN_SECONDS)
        if command is not None and command.verb is Verb.SWITCHED_OFF:
            put_aside(course, first.host)
        elif command is not None:
            _close_again(course, first.host)
    course.tell(before)


def _open_elsewhere(course: Course, host: str) -> list[SightOf]:
    others = course.in_sight(besides=host)
    if not others:
        return []
    return course.open_elsewhere(course.port.confirm(others, CordonMode.SEALED))


def _close_again(course: Course, host: str) -> None:
    for step in policy.CLOSE:
        course.again([host], step)
        course.take(host, step)


def put_aside(course: Course, host: str) -> None:
    """Leave out a host that an operator says is switched off; it is sealed should it return."""
    course.switched_off.add(host)
    if course.states[host] not in {HostState.UPDATED, HostState.SKIPPED}:
        course.move(host, Event.SKIPPED, "switched off, says an operator")


def take_until_known(
    course: Course,
    host: str,
    step: StepName,
    resumed: Event,
    direction: Direction = Direction.DO,
) -> Outcome:
    """Have a step taken, asking again and again while there is no answer.

    `resumed` is the move the host makes when it is heard of again. Returns UNKNOWN only when
    an operator says that the host is switched off.
    """
    while (outcome := course.take(host, step, direction)).verdict is Verdict.UNKNOWN:
        if course.states[host] is not HostState.UNKNOWN:
            course.move(host, Event.SILENT, outcome.detail)
        name = course.name(host)
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{name} is silent in {step}; what it did is not known, so no other host is touched",
            f"switch {name} on; or, when it is off and stays off: "
            f"roundsman rollout skip {{rollout}} {name} --switched-off",
        )
        command = course.ask(host, {Verb.RETRY, Verb.SWITCHED_OFF}, _ASK_AGAIN_SECONDS)
        if command is not None and command.verb is Verb.SWITCHED_OFF:
            put_aside(course, host)
            return outcome
    if course.states[host] is HostState.UNKNOWN:
        course.tell(RolloutState.WALKING)
        course.move(host, resumed)
    return outcome


def roll_back(course: Course, host: str, event: Event, why: str = "") -> HostState:
    """Bring one host back to its old release; asks an operator while that cannot be done."""
    course.move(host, event, why)
    while (outcome := _undo(course, host)).verdict is not Verdict.DONE:
        if outcome.verdict is Verdict.UNKNOWN:
            return course.states[host]
        course.move(host, Event.FAILED, outcome.detail)
        name = course.name(host)
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{name} cannot be rolled back: {outcome.detail}"[:500],
            f"roundsman rollout retry {{rollout}} --host {name}, or roundsman rollout skip "
            f"{{rollout}} {name}",
        )
        answer = course.ask(host, {Verb.RETRY, Verb.SKIP, Verb.SWITCHED_OFF})
        if answer is not None and answer.verb is not Verb.RETRY:
            course.move(host, Event.SKIPPED, "left as it is, by an operator")
            return course.states[host]
        course.move(host, Event.ROLL_BACK)
        for step in policy.WAY_BACK:
            course.again([host], step, Direction.UNDO)
    course.move(host, Event.UNDONE, why)
    return course.states[host]


def _undo(course: Course, host: str) -> Outcome:
    for step in policy.WAY_BACK:
        course.again([host], step, Direction.UNDO)
        outcome = take_until_known(course, host, step, Event.ROLL_BACK, Direction.UNDO)
        if outcome.verdict is not Verdict.DONE:
            return outcome
    return outcome


def _after_roll_back(course: Course, host: str) -> Verb:
    if course.plan.policy.then is AfterRollBack.SKIP:
        return Verb.SKIP
    name = course.name(host)
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{name} could not be updated and is back on its old release; the group stays closed",
        f"roundsman rollout retry {{rollout}} --host {name}, or roundsman rollout skip "
        f"{{rollout}} {name}, or roundsman rollout abort {{rollout}} --roll-back-all",
    )
    answer = course.ask(host, {Verb.RETRY, Verb.SKIP})
    return answer.verb if answer is not None else Verb.SKIP


def _why(outcome: Outcome, step: StepName) -> str:
    return f"{step}: {outcome.detail or outcome.refusal or outcome.verdict}"[:500]
