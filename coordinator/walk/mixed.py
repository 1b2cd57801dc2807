"""The server first: once it is updated the others may use the old release until their own turn.

It is the one exception to invariant I4, and a profile asks for it. Each of the others is then
closed, updated and re-opened alone; one that cannot be is back on its old release, open and
listed. Still no two hosts are updated at once (I1), and none that would not end in time (I3).
"""

from collections.abc import Sequence

from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.walk import policy
from coordinator.walk.closed import are_others_closed, would_end_in_time
from coordinator.walk.course import Abort, Course
from coordinator.walk.ending import (
    by_hand,
    commit,
    give_back,
    left_overs,
    let_in_updated,
    plan_again,
    put_off,
    roll_back_all,
)
from coordinator.walk.ports import Outcome, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState
from coordinator.walk.visit import (
    ASK_AGAIN_SECONDS,
    pass_by,
    roll_back,
    tell_walking,
    visit_once,
)
from coordinator.walk.word import ask, hear


def open_mixed(course: Course) -> None:
    """Let people in on either release, then have each of the others updated. Raises `Abort`."""
    course.is_mixed = True
    if policy.is_closed_anew(course.plan):
        first = course.plan.server_first
        course.tell(RolloutState.RE_OPENING, f"hosts with role {first} are updated")
        let_in_updated(course, course.ids(HostState.UPDATED))
        _let_back_in(course)
    else:
        course.inside = {h for h in course.ids() if not course.was_left_closed(h)}
    for host in course.ids():
        _be_at_safe_point(course)
        if course.states[host] is HostState.PENDING:
            _offer(course, host)
    _be_at_safe_point(course)


def _let_back_in(course: Course) -> None:
    """Let people in wherever nothing was changed; not where an earlier rollout closed it."""
    closed = [h for h in course.ids() if h not in course.inside and h not in course.changed]
    give_back(course, [h for h in closed if not course.was_left_closed(h)], Direction.UNDO)


def _be_at_safe_point(course: Course) -> None:
    hear(course)
    tell_walking(course)
    for host in course.ids(HostState.UPDATED):
        if host in course.unwanted:
            course.unwanted.discard(host)
            _bring_back(course, host)


def _offer(course: Course, host: str) -> None:
    """Update one host alone, if that can be done."""
    course.spent = 0.0
    if not course.planned(host).visited:
        pass_by(course, host, f"held: {_stays(course, host)}")
    elif not would_end_in_time(course, host, policy.closing_seconds(course.plan)):
        late = f"would not end before the deadline: {_stays(course, host)}"
        course.move(host, Event.SKIPPED, late)
    else:
        _close_and_visit(course, host)
    _let_in_again(course, host)


def _close_and_visit(course: Course, host: str) -> None:
    course.move(host, Event.CLOSING_BEGAN)
    why = _close_alone(course, host)
    if course.is_out(host):
        return
    if why:
        why = f"cannot be closed, {why}: {_stays(course, host)}"
        course.move(host, Event.SKIPPED, why)
        return
    course.move(host, Event.CLOSED)
    visit_once(course, host, policy.steps_of(course.plan, policy.VISIT))


def _stays(course: Course, host: str) -> str:
    """Return what becomes of a host on which nothing was changed."""
    if course.was_left_closed(host):
        return "it stays closed, as it was before"
    return "it may be used on its old release"


def _close_alone(course: Course, host: str) -> str:
    """Close one host, its people told as they were before; return why it is not, "" = it is."""
    course.inside.discard(host)
    seen = course.port.confirm([host], CordonMode.LEASED)[0]
    if seen.sight is None:
        return seen.detail or "cannot be seen"
    for step in policy.CLOSE:
        outcome = course.afresh([host], step)[0]
        if outcome.verdict is not Verdict.DONE:
            return f"{step}: {outcome.detail or outcome.refusal or 'no answer'}"
    sights = course.port.confirm([host], CordonMode.SEALED)
    lost = policy.not_closed(sights, course.port.now(), spared_is_open=True)
    return policy.why_open(lost[0]) if lost else ""


def _let_in_again(course: Course, host: str) -> None:
    if host in course.inside:
        return
    if course.states[host] is HostState.UPDATED:
        let_in_updated(course, [host])
    elif host not in course.changed and not course.was_left_closed(host):
        give_back(course, [host], Direction.UNDO)


def _bring_back(course: Course, host: str) -> None:
    """Have one host back on its old release, as an operator wants."""
    if why := _close_alone(course, host):
        course.tell(RolloutState.WALKING, f"{course.name(host)} cannot be brought back: {why}")
    else:
        roll_back(course, host, Event.ROLL_BACK, "an operator wants it back")
    _let_in_again(course, host)


def end_mixed(course: Course, why: str = "") -> RolloutState:
    """End the walk with people let in on either release; what is behind is listed."""
    put_off(course, [h for h in course.ids() if h not in course.changed])
    _let_back_in(course)
    commit(course, course.at_hand([h for h in course.ids() if h in course.inside]))
    updated = course.ids(HostState.UPDATED)
    behind = [course.name(h) for h in course.ids() if h in course.inside and h not in updated]
    closed = [course.name(h) for h in course.ids() if h not in course.inside]
    parts = [
        why,
        f"on the old release, and may be used: {', '.join(behind)}" if behind else "",
        f"stays closed until it is updated or opened by its code: {', '.join(closed)}"
        if closed
        else "",
        by_hand(course) if course.by_hand else "",
        left_overs(course).removeprefix("; "),
    ]
    end = RolloutState.PARTLY_DONE if behind or closed else RolloutState.DONE
    mend = plan_again(course) if behind or closed else ""
    course.tell(end, "; ".join(filter(None, parts)), mend)
    return course.stands.rollout


def end_mixed_early(course: Course, verb: Verb) -> RolloutState:
    """End the walk an operator aborted: as it is now, or all closed again and taken back."""
    while verb is Verb.ABORT_ROLL_BACK:
        try:
            _close_everybody(course)
        except Abort as again:  # a later word ends the first; the same one is begun anew
            verb = again.verb
        else:
            course.is_mixed = False
            course.is_data_touched = False  # people worked with it since, and the old reads it
            return roll_back_all(course)
    closed = [h for h in course.ids(HostState.UPDATED) if h not in course.inside]
    give_back(course, closed, Direction.UNDO)
    return end_mixed(course, "aborted")


def _close_everybody(course: Course) -> None:
    """Close every host again before any goes back (I2). Raises `Abort`."""
    course.tell(RolloutState.ROLLING_BACK, "every host is closed again first")
    before = course.stands
    course.inside.clear()
    course.port.confirm(course.ids(), CordonMode.LEASED)
    for step in policy.CLOSE:
        todo = course.at_hand(course.ids())
        while todo:
            outcomes = course.afresh(todo, step)
            failing = [o for o in outcomes if o.verdict is not Verdict.DONE]
            todo = _ask_about(course, step, failing)
    while not are_others_closed(course, what="the roll-back"):
        pass
    course.stand(before)


def _ask_about(course: Course, step: StepName, failing: Sequence[Outcome]) -> list[str]:
    """Return the hosts to be closed once more, after an operator was asked about the first."""
    if not failing:
        return []
    host, why = failing[0].host, failing[0].detail or "no answer"
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"the roll-back waits: {course.name(host)}{policy.cannot(step, why)}",
        course.mend(
            host,
            f"roundsman rollout retry {{rollout}} --host {course.typed(host)}, or roundsman "
            "rollout abort {rollout} --leave-closed, after which each host may be used on the "
            "release it has",
        ),
    )
    is_silent = failing[0].verdict is Verdict.UNKNOWN
    ask(course, [host], {Verb.RETRY}, ASK_AGAIN_SECONDS if is_silent else 0.0)
    return course.at_hand([o.host for o in failing])
