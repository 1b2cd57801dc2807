"""How a walk ends: the group re-opened on one version, taken back, or left closed.

A group of mixed versions never re-opens (invariant I4): what is not known to be on the version
the others have stays sealed. What was kept for the way back is deleted once, for the group, when
it is open again (I6); hosts that are not let in keep theirs.
"""

from collections.abc import Sequence

from agent.wire.contract import Direction, StepName
from coordinator.walk import policy
from coordinator.walk.course import Abort, Course
from coordinator.walk.data import restore_data
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState
from coordinator.walk.visit import ASK_AGAIN_SECONDS, take_back
from coordinator.walk.word import ask

_DONE = RolloutState.DONE
_PUT_OFF = (
    HostState.DRAINING,
    HostState.UPDATING,
    HostState.UNKNOWN,
    HostState.NEEDS_OPERATOR,
)
"""States that say too much of a host on which nothing was changed."""


def re_open(course: Course) -> RolloutState:
    """Let people in again: the hosts on the new release, never a mixture."""
    if course.plan.drill:
        return _end_drill(course)
    if not course.ids(HostState.UPDATED):
        return _end_with_none(course)
    course.tell(RolloutState.RE_OPENING)
    _let_all_in(course)
    commit(course, [h for h in course.ids() if h in course.inside])
    left = [course.name(h) for h in course.ids() if h not in course.inside]
    if not left:
        course.tell(RolloutState.DONE, left_overs(course).removeprefix("; "))
    else:
        course.tell(
            RolloutState.PARTLY_DONE,
            f"stays closed until it is updated or opened by its code: {', '.join(left)}"
            + left_overs(course),
            plan_again(course),
        )
    return course.stands.rollout


def _end_drill(course: Course) -> RolloutState:
    """Let people in on every host: a drill has changed none."""
    visited = [h for h in course.ids() if course.planned(h).visited]
    failed = [course.name(h) for h in visited if course.states[h] is not HostState.UPDATED]
    if failed:
        why = f"drill: nothing was applied; would not have come through: {', '.join(failed)}"
        mend = "roundsman rollout report {rollout}"
        return _all_back(course, why, RolloutState.PARTLY_DONE, mend)
    return _all_back(course, "drill: nothing was applied, and every host came back", _DONE)


def _end_with_none(course: Course) -> RolloutState:
    """End a walk in which no host was updated; what it did to the shared data is undone."""
    try:
        if course.is_bound:  # the old release is about to open it
            restore_data(course)
    except Abort:
        return leave_closed(course)
    return _all_back(course, "no host was updated")


def _let_all_in(course: Course) -> None:
    """Let people in on the updated hosts, servers first; those who are in stay in."""
    is_asked = True
    for wave in policy.opening_order(course.plan, course.ids(HostState.UPDATED)):
        try:
            let_in_updated(course, wave, is_asked=is_asked)
        except Abort:
            is_asked = False


def let_in_updated(course: Course, hosts: Sequence[str], *, is_asked: bool = True) -> None:
    """Let people in, until an operator, if he is asked, has decided about each. Raises `Abort`."""
    todo = list(hosts)
    while todo:
        failing = let_in(course, todo)
        for host in todo:
            if host in course.inside and course.states[host] is HostState.NEEDS_OPERATOR:
                course.move(host, Event.PASSED)
        for outcome in failing:
            if course.states[outcome.host] is HostState.UPDATED:
                course.move(outcome.host, Event.FAILED, outcome.detail)
        todo = _ask_about(course, failing) if is_asked else []


def let_in(course: Course, hosts: Sequence[str], way: Direction = Direction.TIDY) -> list[Outcome]:
    """Give back the service managers, then open; return where that cannot be done."""
    outcomes = course.take_all(hosts, StepName.STOP_SERVICE_MANAGER, way)
    back = [o.host for o in outcomes if o.verdict is Verdict.DONE]
    open_to_people(course, back, back)
    return [o for o in outcomes if o.verdict is not Verdict.DONE]


def open_to_people(course: Course, hosts: Sequence[str], reached: Sequence[str]) -> None:
    """Lift the cordons, then tell people, or give them back what they had open, if it reaches."""
    if hosts:
        course.port.uncordon(hosts)
        course.inside |= set(hosts)
        course.whatever_comes(reached, StepName.REOPEN)


def commit(course: Course, hosts: Sequence[str]) -> None:
    """End the way back, once for the group: delete what it needed (I6)."""
    data = course.plan.data
    holders = [h for h in hosts if data is not None and h == data.holder]
    for step in policy.steps_of(course.plan, policy.COMMIT):
        concerned = holders if step is StepName.BACK_UP_DATA else hosts
        for outcome in course.take_all(concerned, step, Direction.TIDY):
            if outcome.verdict is not Verdict.DONE:
                course.untidy.add(outcome.host)


def left_overs(course: Course) -> str:
    """Return what could not be cleared away, for the end of a sentence, "" = nothing."""
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
            course.mend(
                first.host,
                f"roundsman rollout retry {{rollout}} --host {typed}, or roundsman rollout skip "
                f"{{rollout}} {typed}",
            ),
        )
        silent = [o.host for o in waiting if o.verdict is Verdict.UNKNOWN]
        patience = ASK_AGAIN_SECONDS if silent else 0.0
        command = ask(course, [o.host for o in waiting], {Verb.RETRY}, patience)
        if command is not None:
            course.again([command.host], StepName.STOP_SERVICE_MANAGER, Direction.TIDY)
            return [o.host for o in waiting]
        if silent:
            return [o.host for o in waiting if not course.is_out(o.host)]
    return []


def plan_again(course: Course) -> str:
    """Return the command that takes up what was left."""
    return f"roundsman plan {course.plan.app} {course.plan.version}"


def end_early(course: Course, verb: Verb) -> RolloutState:
    """End a walk an operator aborted: re-open what is whole, leave closed what is mixed."""
    if verb is Verb.ABORT_ROLL_BACK and (course.changed or course.is_data_touched):
        return roll_back_all(course)
    if not course.changed:
        return _all_back(course, "aborted: every host is on the release it had")
    return leave_closed(course)


def leave_closed(course: Course) -> RolloutState:
    """End the walk with every host as it is, closed."""
    mixed = "the group is of mixed versions" if course.changed else "its data is not restored"
    course.tell(
        RolloutState.LEFT_CLOSED,
        f"aborted: {mixed} and stays closed until all of it is updated, or taken back, or opened "
        "on the spot by its codes",
        f"{plan_again(course)}, or roundsman rollout roll-back {{rollout}}, or roundsman "
        "rollout codes {rollout}",
    )
    return course.stands.rollout


def roll_back_all(course: Course) -> RolloutState:
    """Take the whole group back, then the data it shares; only then is it opened again."""
    course.tell(RolloutState.ROLLING_BACK)
    why = "the group is back on its old release"
    if course.is_data_touched:
        why += " and its data as it was; the newer is kept, see the report"
    try:
        for host in _way_back_order(course):
            take_back(course, host, "the whole group goes back")
        restore_data(course)
    except Abort:  # a second word ends the first
        return leave_closed(course)
    return _all_back(course, why)


def _way_back_order(course: Course) -> list[str]:
    """Return the hosts to take back, last changed first, but before it what is not known (I1)."""
    changed = [h for h in course.ids()[::-1] if h in course.changed or course.is_unsure(h)]
    changed.sort(key=lambda h: not course.is_unsure(h))
    return course.at_hand(changed)


def _all_back(
    course: Course, why: str, end: RolloutState = RolloutState.ABORTED, mend: str = ""
) -> RolloutState:
    """Re-open every host that is as it was; what may be changed stays sealed, and is named.

    So does what an earlier rollout left closed: aborting this one makes its group no less mixed.
    """
    whole = [h for h in course.ids() if h not in course.changed]
    left = [h for h in whole if course.was_left_closed(h)]
    put_off(course, whole)
    back = [h for h in whole if h not in left]
    give_back(course, back)
    commit(course, course.at_hand(back))
    sealed = [course.name(h) for h in course.ids() if h in course.changed]
    if sealed:
        why += f"; stays closed, its release is not known: {', '.join(sealed)}"
    if course.by_hand:
        why += f"; {by_hand(course)}"
        end = RolloutState.PARTLY_DONE if end is RolloutState.DONE else end
    if left:
        why += f"; stays closed as it was before: {', '.join(map(course.name, left))}"
        end = RolloutState.LEFT_CLOSED
    course.tell(end, why + left_overs(course), plan_again(course) if sealed or left else mend)
    return course.stands.rollout


def put_off(course: Course, hosts: Sequence[str]) -> None:
    """Show hosts on which nothing was changed as what they are."""
    course.move_all([h for h in hosts if course.states[h] in _PUT_OFF], Event.PUT_OFF)


def give_back(course: Course, hosts: Sequence[str], way: Direction = Direction.TIDY) -> None:
    """Let people in on hosts that are as they were, whether or not that reaches each of them."""
    for wave in policy.opening_order(course.plan, hosts):
        at_hand = course.at_hand(wave)
        outcomes = course.take_all(at_hand, StepName.STOP_SERVICE_MANAGER, way)
        course.by_hand |= {o.host for o in outcomes if o.verdict is not Verdict.DONE}
        reached = [o.host for o in outcomes if o.verdict is not Verdict.UNKNOWN]
        open_to_people(course, wave, reached)


def by_hand(course: Course) -> str:
    """Return what is left to do by hand."""
    names = [course.name(h) for h in course.ids() if h in course.by_hand]
    listed = ", ".join(names)
    return f"start the service manager by hand on: {listed} (it does not run, or does not answer)"
