"""One release through one group, in one day: prepare, close, visit each in turn, re-open.

This is the sentence of the design; `visit` is one host's part of it.
"""

from collections.abc import Sequence

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import Plan
from coordinator.walk import policy
from coordinator.walk.course import Abort, Course
from coordinator.walk.ports import Outcome, Port, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState
from coordinator.walk.visit import put_aside, roll_back, visit

_LOOK_AGAIN_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 15.0


def walk(plan: Plan, port: Port) -> RolloutState:
    """Take the plan from its first step to its end, and return how it ended."""
    course = Course.begin(plan, port)
    try:
        prepare(course)
        wait_for_window(course)
        close_group(course)
        for host in course.ids():
            take_turn(course, host)
        return re_open(course)
    except Abort as abort:
        return end_early(course, abort.verb)


def prepare(course: Course) -> None:
    """Look at every host and put the release on it, while people work on."""
    course.tell(RolloutState.PREPARING)
    for step in policy.PREPARE:
        course.hear()
        visited = [h for h in course.ids(HostState.PENDING) if course.planned(h).visited]
        _all_take(course, visited, step, Event.PUT_OFF)


def wait_for_window(course: Course) -> None:
    """Return when the window is open and the whole group still fits into it (row I5)."""
    while (early := course.plan.opens - course.port.now()) > 0:
        course.tell(RolloutState.WAITING, "waits for its maintenance window")
        course.ask("", (), patience=early)
    visits = [course.planned(h) for h in course.ids(HostState.PENDING)]
    needed = sum(policy.visit_seconds(p.estimate_seconds, 0) for p in visits if p.visited)
    while not policy.fits(course.port.now(), course.deadline, needed):
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"not begun: the group needs {needed / 60:.0f} min and would not end before the "
            "deadline. Nothing was changed",
            "roundsman rollout resume {rollout} --until HH:MM, or roundsman rollout abort "
            "{rollout}",
        )
        course.ask("", {Verb.RESUME})


def close_group(course: Course) -> None:
    """Close the app on every host, and prove that it stays closed, before the first change."""
    course.hear()
    course.tell(RolloutState.CLOSING)
    closing = course.in_sight()
    course.port.confirm(closing, CordonMode.LEASED)  # what is opened from now on is closed
    for host in course.ids(HostState.PENDING):
        course.move(host, Event.CLOSING_BEGAN)
    for step in policy.CLOSE:
        _all_take(course, _drained(course), step, Event.CLOSING_BEGAN)
    _seal(course)
    for host in course.ids(HostState.DRAINING):
        course.move(host, Event.CLOSED)


def _drained(course: Course) -> list[str]:
    return [h for h in course.in_sight() if course.states[h] is not HostState.SKIPPED]


def _seal(course: Course) -> None:
    while lost := course.open_elsewhere(course.port.confirm(course.in_sight(), CordonMode.SEALED)):
        first = lost[0]
        name = course.name(first.host)
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{name} is not confirmed closed: {policy.why_open(first)}. Nothing was changed",
            f"roundsman rollout retry {{rollout}} --host {name}, or, when {name} is switched off: "
            f"roundsman rollout skip {{rollout}} {name} --switched-off",
        )
        command = course.ask(first.host, {Verb.RETRY, Verb.SWITCHED_OFF}, _LOOK_AGAIN_SECONDS)
        if command is None:
            continue
        if command.verb is Verb.SWITCHED_OFF:
            put_aside(course, first.host)
        else:
            for step in policy.CLOSE:
                course.again([first.host], step)
                course.take(first.host, step)
    course.tell(RolloutState.CLOSING)


def _all_take(course: Course, hosts: Sequence[str], step: StepName, resumed: Event) -> None:
    """Have every host take the step; an operator is asked about those that cannot."""
    todo = list(hosts)
    while todo:
        before = course.state
        outcomes = course.take_all(todo, step)
        failing = [o for o in outcomes if o.verdict is not Verdict.DONE]
        todo = [o.host for o in failing if _is_tried_again(course, o, step, resumed)]
        course.tell(before)


def _is_tried_again(course: Course, outcome: Outcome, step: StepName, resumed: Event) -> bool:
    host, name = outcome.host, course.name(outcome.host)
    silent = outcome.verdict is Verdict.UNKNOWN
    course.move(host, Event.SILENT if silent else Event.FAILED, outcome.detail)
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{name} cannot {step}: {outcome.detail or 'no answer'}. Nothing was changed"[:500],
        f"roundsman rollout retry {{rollout}} --host {name}, or, when it is to be left out: "
        f"roundsman rollout skip {{rollout}} {name}",
    )
    answers = {Verb.RETRY, Verb.SKIP, Verb.SWITCHED_OFF}
    command = course.ask(host, answers, _ASK_AGAIN_SECONDS if silent else 0.0)
    if command is not None and command.verb is Verb.SWITCHED_OFF:
        put_aside(course, host)
        return False
    if command is not None and command.verb is Verb.SKIP:
        course.move(host, Event.SKIPPED, "left out by an operator")
        return False
    if not silent:
        course.again([host], step)
    course.move(host, resumed)
    return True


def take_turn(course: Course, host: str) -> None:
    """Visit the host when its turn has come and it is to be visited."""
    course.hear()
    for unwanted in sorted(course.unwanted & set(course.ids(HostState.UPDATED))):
        roll_back(course, unwanted, Event.ROLL_BACK, "an operator wants it back")
    if course.states[host] is not HostState.PENDING:
        return
    if not course.planned(host).visited:
        course.move(host, Event.SKIPPED, "held: it stays closed and is not updated")
        return
    visit(course, host)


def re_open(course: Course) -> RolloutState:
    """Let people in again: the hosts on the new release, never a mixture (invariant I4)."""
    course.hear()
    updated = course.ids(HostState.UPDATED)
    course.tell(RolloutState.RE_OPENING)
    _give_back(course, updated)
    for step in policy.COMMIT:
        course.take_all(updated, step, Direction.TIDY)
    left = [course.name(h) for h in course.ids() if h not in course.ids(HostState.UPDATED)]
    if not left:
        course.tell(RolloutState.DONE)
    else:
        course.tell(
            RolloutState.PARTLY_DONE,
            f"not updated, and closed until they are: {', '.join(left)}"[:500],
            f"roundsman plan {course.plan.app} {course.plan.version}",
        )
    return course.state


def _give_back(course: Course, hosts: Sequence[str]) -> None:
    """Start the service managers as they were found, prove it, and lift the cordons."""
    if not hosts:
        return
    outcomes = course.take_all(hosts, StepName.STOP_SERVICE_MANAGER, Direction.TIDY)
    for outcome in outcomes:
        if outcome.verdict is not Verdict.DONE:
            course.move(outcome.host, Event.FAILED, outcome.detail)
    course.port.uncordon(hosts)


def end_early(course: Course, verb: Verb) -> RolloutState:
    """End a walk an operator aborted: re-open what is whole, leave closed what is mixed."""
    if not course.changed:
        return _all_back(course, "aborted before anything was changed")
    if verb is Verb.ABORT_ROLL_BACK:
        try:
            return _roll_back_all(course)
        except Abort:
            pass  # a second word ends the first: all stays closed
    course.tell(
        RolloutState.LEFT_CLOSED,
        "aborted: the group is of mixed versions and stays closed",
        "roundsman rollout roll-back {rollout}",
    )
    return course.state


def _roll_back_all(course: Course) -> RolloutState:
    course.tell(RolloutState.ROLLING_BACK)
    for host in reversed(course.ids()):
        event = _TAKEN_BACK.get(course.states[host])
        if event is not None:
            roll_back(course, host, event, "the whole group goes back")
    whole = {HostState.ROLLED_BACK, HostState.PENDING}
    if not set(course.states.values()) - {HostState.SKIPPED} <= whole:
        course.tell(
            RolloutState.LEFT_CLOSED,
            "not every host could be rolled back: the group stays closed",
            "roundsman rollout roll-back {rollout}",
        )
        return course.state
    return _all_back(course, "the whole group is back on its old release")


_TAKEN_BACK = {
    HostState.UPDATED: Event.ROLL_BACK,
    HostState.UNKNOWN: Event.ROLL_BACK,
    HostState.NEEDS_OPERATOR: Event.ROLL_BACK,
    HostState.UPDATING: Event.FAILED,
    HostState.CHECKING: Event.FAILED,
}
"""Which hosts a roll-back of the group touches, and by which move."""

_PUT_OFF = (
    HostState.DRAINING,
    HostState.UPDATING,
    HostState.UNKNOWN,
    HostState.NEEDS_OPERATOR,
)
"""States that say too much of a host on which nothing was changed."""


def _all_back(course: Course, why: str) -> RolloutState:
    for host in course.ids(*_PUT_OFF):
        course.move(host, Event.PUT_OFF)
    hosts = course.in_sight()
    _give_back(course, [h for h in hosts if course.states[h] is not HostState.SKIPPED])
    course.port.uncordon(hosts)
    for step in policy.COMMIT:
        course.take_all(hosts, step, Direction.TIDY)
    course.tell(RolloutState.ABORTED, why)
    return course.state
