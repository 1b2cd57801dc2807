"""How a walk ends: the group re-opened on one version, taken back, or left closed.

A group of mixed versions never re-opens (invariant I4): what is not known to be on the version
the others have stays sealed.
"""

from collections.abc import Sequence

from agent.wire.contract import Direction, StepName
from coordinator.walk import policy
from coordinator.walk.course import Abort, Course
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState
from coordinator.walk.visit import ASK_AGAIN_SECONDS, take_back

_PUT_OFF = (
    HostState.DRAINING,
    HostState.UPDATING,
    HostState.UNKNOWN,
    HostState.NEEDS_OPERATOR,
)
"""States that say too much of a host on which nothing was changed."""


def re_open(course: Course) -> RolloutState:
    """Let people in again: the hosts on the new release, never a mixture."""
    updated = course.ids(HostState.UPDATED)
    if not updated:
        return _all_back(course, "no host was updated")
    course.tell(RolloutState.RE_OPENING)
    try:
        while updated:
            failing = _let_in(course, updated)
            updated = _ask_about(course, failing)
    except Abort:
        pass  # those who are in stay in
    left = [course.name(h) for h in course.ids() if h not in course.ids(HostState.UPDATED)]
    if not left:
        course.tell(RolloutState.DONE, _left_overs(course).removeprefix("; "))
    else:
        course.tell(
            RolloutState.PARTLY_DONE,
            f"stays closed until it is updated or opened by its code: {', '.join(left)}"
            + _left_overs(course),
            _plan_again(course),
        )
    return course.stands.rollout


def _let_in(course: Course, hosts: Sequence[str]) -> list[Outcome]:
    """Give back the service managers, then open and commit; return where that cannot be done."""
    outcomes = course.take_all(hosts, StepName.STOP_SERVICE_MANAGER, Direction.TIDY)
    failing = [o for o in outcomes if o.verdict is not Verdict.DONE]
    back = [o.host for o in outcomes if o.verdict is Verdict.DONE]
    for host in back:
        if course.states[host] is HostState.NEEDS_OPERATOR:
            course.move(host, Event.PASSED)
    for outcome in failing:
        if course.states[outcome.host] is HostState.UPDATED:
            course.move(outcome.host, Event.FAILED, outcome.detail)
    if back:
        course.port.uncordon(back)
    _tidy(course, back)
    return failing


def _tidy(course: Course, hosts: Sequence[str]) -> None:
    """End the way back: delete what it needed."""
    for step in policy.COMMIT:
        for outcome in course.take_all(hosts, step, Direction.TIDY):
            if outcome.verdict is not Verdict.DONE:
                course.untidy.add(outcome.host)


def _left_overs(course: Course) -> str:
    untidy = [course.name(h) for h in course.ids() if h in course.untidy]
    return f"; could not delete all it no longer needs: {', '.join(untidy)}" if untidy else ""


def _ask_about(course: Course, failing: Sequence[Outcome]) -> list[str]:
    """Return the hosts to try again, [] when an operator has decided about all of them."""
    for host in [o.host for o in failing if o.host in course.switched_off]:
        course.move(host, Event.SKIPPED, "updated, and switched off")
    while waiting := [o for o in failing if not course.is_out(o.host)]:
        first, typed = waiting[0], course.typed(waiting[0].host)
        course.tell(
            RolloutState.NEEDS_OPERATOR,
            f"{course.name(first.host)} is updated and stays closed: its service manager is not "
            f"back: {first.detail or 'no answer'}",
            f"roundsman rollout retry {{rollout}} --host {typed}, or roundsman rollout skip "
            f"{{rollout}} {typed}",
        )
        silent = [o.host for o in waiting if o.verdict is Verdict.UNKNOWN]
        patience = ASK_AGAIN_SECONDS if silent else 0.0
        command = course.ask([o.host for o in waiting], {Verb.RETRY}, patience)
        if command is not None:
            course.again([command.host], StepName.STOP_SERVICE_MANAGER, Direction.TIDY)
            return [o.host for o in waiting]
        if silent:
            return [o.host for o in waiting if not course.is_out(o.host)]
    return []


def _plan_again(course: Course) -> str:
    return f"roundsman plan {course.plan.app} {course.plan.version}"


def end_early(course: Course, verb: Verb) -> RolloutState:
    """End a walk an operator aborted: re-open what is whole, leave closed what is mixed."""
    if not course.changed:
        return _all_back(course, "aborted: every host is on the release it had")
    if verb is Verb.ABORT_ROLL_BACK:
        try:
            return _roll_back_all(course)
        except Abort:
            pass  # a second word ends the first: all stays closed
    course.tell(
        RolloutState.LEFT_CLOSED,
        "aborted: the group is of mixed versions and stays closed until all of it is updated, or "
        "opened on the spot by its codes",
        f"{_plan_again(course)}, or roundsman rollout codes {{rollout}}",
    )
    return course.stands.rollout


def _roll_back_all(course: Course) -> RolloutState:
    course.tell(RolloutState.ROLLING_BACK)
    hosts = course.ids()[::-1]
    unsure = [h for h in hosts if course.is_unsure(h)]  # these first (I1)
    changed = [h for h in hosts if h in course.changed and h not in unsure]
    for host in course.at_hand([*unsure, *changed]):
        take_back(course, host, "the whole group goes back")
    return _all_back(course, "the group is back on its old release")


def _all_back(course: Course, why: str) -> RolloutState:
    """Re-open every host that is as it was; what may be changed stays sealed, and is named.

    So does what an earlier rollout left closed: aborting this one makes its group no less mixed.
    """
    whole = [h for h in course.ids() if h not in course.changed]
    left = [h for h in whole if course.was_left_closed(h)]
    back = [h for h in whole if h not in left]
    for host in whole:
        if course.states[host] in _PUT_OFF:
            course.move(host, Event.PUT_OFF)
    at_hand = course.at_hand(back)
    outcomes = course.take_all(at_hand, StepName.STOP_SERVICE_MANAGER, Direction.TIDY)
    missing = [course.name(o.host) for o in outcomes if o.verdict is not Verdict.DONE]
    course.port.uncordon(back)
    _tidy(course, at_hand)
    sealed = [course.name(h) for h in course.ids() if h in course.changed]
    if sealed:
        why += f"; stays closed, its release is not known: {', '.join(sealed)}"
    if missing:
        why += f"; start the service manager by hand on: {', '.join(missing)}"
    if left:
        why += f"; stays closed as it was before: {', '.join(map(course.name, left))}"
    mend = _plan_again(course) if sealed or left else ""
    end = RolloutState.LEFT_CLOSED if left else RolloutState.ABORTED
    course.tell(end, why + _left_overs(course), mend)
    return course.stands.rollout
