"""One release through one group, in one day: prepare, close, visit each in turn, re-open.

This is the sentence of the design; `visit` is one host's part of it, `ending` the ways out.
"""

from collections.abc import Sequence

from agent.wire.contract import CordonMode, StepName
from coordinator.model import Plan
from coordinator.walk import policy
from coordinator.walk.closed import are_others_closed
from coordinator.walk.course import Abort, Course
from coordinator.walk.data import back_up_data
from coordinator.walk.ending import end_early, re_open
from coordinator.walk.mixed import end_mixed, end_mixed_early, open_mixed
from coordinator.walk.ports import News, Outcome, Port, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState
from coordinator.walk.visit import ASK_AGAIN_SECONDS, pass_by, take_back, visit
from coordinator.walk.waiting import wait_for_window
from coordinator.walk.word import ask, hear

_BY_FORCE = ", which closes the app there by force if it is open: unsaved work is lost"
_Stuck = dict[str, tuple[StepName, Outcome]]


def walk(plan: Plan, port: Port) -> RolloutState:
    """Take the plan from its first step to its end, and return how it ended."""
    course = Course.begin(plan, port)
    try:
        prepare(course)
        wait_for_window(course)
        if policy.is_closed_anew(plan):
            close_group(course)
            back_up_data(course)
        visit_all(course)
    except Abort as abort:
        ended = end_mixed_early if course.is_mixed else end_early
        return ended(course, abort.verb)
    return end_mixed(course) if course.is_mixed else re_open(course)


def visit_all(course: Course) -> None:
    """Visit host after host; where a profile wants it the server first, then re-open (I4)."""
    plan, first = course.plan, []
    if policy.may_be_mixed(plan):
        first = [p.id for p in plan.hosts if policy.is_first(plan, p)]
    _take_turns(course, first)
    updated = [h for h in first if h in course.ids(HostState.UPDATED)]
    if first and updated == first:
        open_mixed(course)
    elif updated or not first:  # without any server updated the others stay as they are
        _take_turns(course, course.ids())


def _take_turns(course: Course, hosts: Sequence[str]) -> None:
    for host in hosts:
        take_turn(course, host)
    be_at_safe_point(course)


def prepare(course: Course) -> None:
    """Look at every host and put the release on it, while people work on."""
    course.tell(RolloutState.PREPARING)
    for step in policy.steps_of(course.plan, policy.PREPARE):
        hear(course)
        visited = [h for h in course.ids(HostState.PENDING) if course.planned(h).visited]
        _bring_all(course, visited, (step,), Event.PUT_OFF)


def close_group(course: Course) -> None:
    """Close the app on every host, and prove that it stays closed, before the first change."""
    course.tell(RolloutState.CLOSING)
    course.port.confirm(course.ids(), CordonMode.LEASED)  # what is opened from now on is closed
    course.move_all(course.ids(HostState.PENDING), Event.CLOSING_BEGAN)
    _bring_all(course, course.at_hand(course.ids()), policy.CLOSE, Event.CLOSING_BEGAN)
    while not are_others_closed(course):
        pass
    course.tell(RolloutState.CLOSING)
    course.move_all(course.ids(HostState.DRAINING), Event.CLOSED)


def _bring_all(
    course: Course, hosts: Sequence[str], steps: Sequence[StepName], resumed: Event
) -> None:
    """Have every host take the steps; an operator is asked about those that cannot."""
    before, todo = course.stands, list(hosts)
    stuck: _Stuck = {}
    while todo:
        stuck |= _through(course, todo, steps, resumed)
        if stuck and steps is policy.CLOSE:  # what is closed stays so while the others are asked
            course.port.confirm([h for h in todo if h not in stuck], CordonMode.SEALED)
        todo = []
        while stuck and not todo:
            todo = _unstick(course, stuck, resumed, before)
    course.stand(before)


def _through(
    course: Course, hosts: Sequence[str], steps: Sequence[StepName], resumed: Event
) -> _Stuck:
    stuck: _Stuck = {}
    for step in steps:
        for outcome in course.take_all([h for h in hosts if h not in stuck], step):
            if outcome.verdict is not Verdict.DONE:
                stuck[outcome.host] = (step, outcome)
    for host in hosts:
        if host in stuck:
            _mark(course, stuck[host][1])
        elif course.states[host] is HostState.UNKNOWN:
            course.move(host, resumed)
    return {h: why for h, why in stuck.items() if not course.is_out(h)}


def _mark(course: Course, outcome: Outcome) -> None:
    state = course.states[outcome.host]
    silent = outcome.verdict is Verdict.UNKNOWN
    if state is HostState.SKIPPED or (silent and state is HostState.UNKNOWN):
        return
    course.move(outcome.host, Event.SILENT if silent else Event.FAILED, outcome.detail)


def _unstick(course: Course, stuck: _Stuck, resumed: Event, before: News) -> list[str]:
    """Ask about the hosts that are stuck; return those that are to take their steps again."""
    _tell_stuck(course, stuck)
    silent = [h for h, (_, outcome) in stuck.items() if outcome.verdict is Verdict.UNKNOWN]
    patience = ASK_AGAIN_SECONDS if silent else 0.0
    command = ask(course, list(stuck), {Verb.RETRY}, patience)
    for host in [h for h in stuck if course.is_out(h)]:
        del stuck[host]
    if command is None:
        again = [h for h in silent if h in stuck]
    else:
        again = [command.host]
        course.stand(before)
        course.move(command.host, resumed)
    for host in again:
        step, outcome = stuck.pop(host)
        if outcome.verdict is not Verdict.UNKNOWN:
            course.again([host], step)
    return again


def _tell_stuck(course: Course, stuck: _Stuck) -> None:
    host, (step, outcome) = next(iter(stuck.items()))
    name, typed = course.name(host), course.typed(host)
    more = len(stuck) - 1
    others = f" ({more} more wait{'s' if more == 1 else ''})" if more else ""
    course.tell(
        RolloutState.NEEDS_OPERATOR,
        f"{name}{others}{policy.cannot(step, outcome.detail)}. Nothing was changed",
        course.mend(
            host,
            f"roundsman rollout retry {{rollout}} --host {typed}, or, when it is to be left out: "
            f"roundsman rollout skip {{rollout}} {typed}"
            f"{_BY_FORCE if step is StepName.DRAIN else ''}",
        ),
    )


def take_turn(course: Course, host: str) -> None:
    """Visit the host when its turn has come and it is to be visited."""
    be_at_safe_point(course)
    if course.states[host] is not HostState.PENDING:
        return
    if course.planned(host).visited:
        visit(course, host)
    else:
        pass_by(course, host, "held: it stays closed and is not updated")


def be_at_safe_point(course: Course) -> None:
    """Between visits: hear the operator, and bring back the hosts he wants back."""
    hear(course)
    for host in course.ids(HostState.UPDATED):
        if host in course.unwanted:
            take_back(course, host, "an operator wants it back")
