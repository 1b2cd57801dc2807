"""Rollouts: started, watched, steered, explained."""

import shlex
from collections.abc import Iterator, Sequence

from agent.wire.contract import (
    STILL_IN,
    TURN_OF,
    TURN_SECONDS,
    Direction,
    Severity,
    StepName,
    StepState,
)
from coordinator.api import licences, withdrawing
from coordinator.api.asks import CommandAsk, NoAsk, StartAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.schemas import CodeView, NewsView, ReportView, RolloutView, VisitView, WhyView
from coordinator.api.take_back import is_way_back, take_back
from coordinator.api.why import explain, with_opened
from coordinator.model import Plan, PlannedHost
from coordinator.planning.preflight import changes_since
from coordinator.planning.window import later_today
from coordinator.report.rollout import as_html, as_text, rollout_report
from coordinator.store.busy import HostsBusy
from coordinator.store.rows import RolloutRow, StepRow, VisitRow
from coordinator.walk.course import NOT_ALONE
from coordinator.walk.policy import CLOSE, PREPARE, VISIT, is_first, may_be_mixed, steps_of
from coordinator.walk.ports import Command, Verb
from coordinator.walk.states import HostState

_STEPS = (*PREPARE, *CLOSE, *VISIT)
_LATEST = "latest"
_MOST_REASONS = 10
_NEEDS_HOST = {Verb.SKIP, Verb.SWITCHED_OFF}


def start(office: Office, call: Call[StartAsk]) -> RolloutView:
    """Start a plan."""
    key = call.ask.plan
    plan = office.rollouts.plan(key)
    if plan is None:
        raise Problem(Status.UNKNOWN, f"no plan {key!r}", "roundsman plan APP VERSION")
    return begin(office, plan, key, call.who.name)


def begin(office: Office, plan: Plan, key: str, by: str) -> RolloutView:
    """Start a plan that is kept as `key`. Raises `Problem` when something speaks against it."""
    if found := list(dict.fromkeys(_against(office, plan, key))):
        blocks = any(f.severity is Severity.BLOCKS for f in plan.findings)
        again = f"then plan again; roundsman plan {key} lists it all" if blocks else ""
        raise Problem(Status.BLOCKED, *_told(key, found, again))
    try:
        number = office.engine.submit(plan, by)
    except HostsBusy as error:
        raise Problem(Status.CONFLICT, str(error), "roundsman rollout list") from None
    return whole(office, known(office, f"r{number}"))


def _told(key: str, found: Sequence[tuple[str, str]], again: str) -> tuple[str, str]:
    """Return all of it as one error and one mend: each mend once, by the reasons' numbers."""
    if len(found) == 1:
        why, mend = found[0]
        return f"cannot start {key}: {why}", "; ".join(filter(None, (mend, again)))
    said, numbers = [f"cannot start {key}:"], dict[str, list[str]]()
    for number, (why, mend) in enumerate(found[:_MOST_REASONS], 1):
        said.append(f"{number}. {why}")
        numbers.setdefault(mend, []).append(str(number))
    if len(found) > _MOST_REASONS:
        said.append(f"and {len(found) - _MOST_REASONS} more")
    mends = [f"{', '.join(of)}. {mend}" for mend, of in numbers.items() if mend]
    return "\n".join(said), "\n".join([*mends, *filter(None, [again])])


def _against(office: Office, plan: Plan, key: str) -> Iterator[tuple[str, str]]:
    """Yield what speaks against starting the plan now, each with what mends it."""
    again = f"roundsman plan {plan.app} {plan.version} --group {shlex.quote(plan.group)}"
    if plan.drill:
        again = f"roundsman drill {key}"
    if plan.deadline <= office.clock():
        yield "its window is over; a missed window never starts late", again
    known = office.rollouts.find(plan.id)
    if known is not None:
        yield f"it was started as {known.label}", f"roundsman rollout status {known.label}"
    if busy := [p.name for p in plan.hosts if p.id in office.errands.busy()]:
        yield f"a backup is being restored on {', '.join(busy)}", "wait until that has ended"
    if plan.drill and (closed := [p.name for p in plan.hosts if p.id in office.left_closed()]):
        yield (
            f"a drill re-opens its hosts, and an earlier rollout left closed: {', '.join(closed)}",
            f"roundsman plan {plan.app} VERSION, which updates and opens them",
        )
    yield from withdrawing.against(office, plan)
    yield from _judged(office, plan)
    hosts = office.fleet.hosts(plan.group, plan.site)
    changes = [] if plan.drill else changes_since(plan, hosts, office.left_closed())
    if changes:  # a drill changes nothing, so who is missing from it does no harm
        yield f"group {plan.group} has changed since: {', '.join(changes[:5])}", again


def _judged(office: Office, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what blocks in the plan, and what the licence says by now."""
    found = [f for f in plan.findings if f.severity is Severity.BLOCKS]
    found += licences.gate(office).against(plan)
    yield from {f.message: (f.message, f.fix) for f in found}.values()


def rollouts(office: Office, call: Call[NoAsk]) -> list[RolloutView]:
    """Return the rollouts, newest first."""
    rows = office.rollouts.all(active="active" in call.options)
    return [_view(row, [], office.clock()) for row in rows]


def rollout(office: Office, call: Call[NoAsk]) -> RolloutView:
    """Return one rollout with its visits."""
    return whole(office, known(office, call.names["rollout"]))


def why(office: Office, call: Call[NoAsk]) -> WhyView:
    """Return who holds the walk, since when, for what, and what unblocks it."""
    return explain(whole(office, known(office, call.names["rollout"])))


def news(office: Office, call: Call[NoAsk]) -> list[NewsView]:
    """Return a rollout's history after a number, oldest first."""
    row = known(office, call.names["rollout"])
    names = {p.id: p.name for p in row.plan.hosts}
    return [
        NewsView(
            number=n.number,
            at=n.at,
            state=n.state,
            host=names.get(n.host, n.host),
            host_state=n.host_state,
            detail=n.detail,
            mend=n.mend,
        )
        for n in office.rollouts.history(row.id, call.number("since", 0, 2**53))
    ]


def codes(office: Office, call: Call[NoAsk]) -> list[CodeView]:
    """Return the one-time codes of the hosts that are sealed for a rollout."""
    row = known(office, call.names["rollout"])
    found = [(p, office.codes(row.id, p.id)) for p in row.plan.hosts]
    return [CodeView(host=p.name, id=p.id, code=code) for p, code in found if code]


def report(office: Office, call: Call[NoAsk]) -> ReportView:
    """Return a rollout's report, as a page too when `page` is asked for."""
    row = known(office, call.names["rollout"])
    told, of = office.rollouts, row.id
    rows = told.visits(of), told.steps(of), told.history(of)
    made = rollout_report(row, *rows, office.clock())
    page = as_html(made) if "page" in call.options else ""
    return ReportView(**made, text=as_text(made), page=page)


def say(office: Office, call: Call[CommandAsk]) -> RolloutView:
    """Hand an operator's word to a rollout under way; it is heard at its next safe point."""
    row = known(office, call.names["rollout"])
    command = _command(row, call.ask, office.clock(), call.who.name)
    if is_way_back(row, command):
        take_back(office, row, command)
        return whole(office, known(office, row.id))
    if row.state.is_final:
        raise Problem(
            Status.CONFLICT,
            f"cannot {call.ask.verb.typed} {row.label}: it has ended, {row.state}",
            f"roundsman plan {row.plan.app} VERSION, for a new rollout of the group; "
            f"roundsman rollout codes {row.label} shows what opens a host on the spot",
        )
    office.engine.say(row.id, command)
    return whole(office, row)


def _command(row: RolloutRow, ask: CommandAsk, now: float, by: str) -> Command:
    if ask.host is None and ask.verb in _NEEDS_HOST:
        raise Problem(Status.INVALID, f"cannot {ask.verb.typed}: which host?")
    if ask.verb is Verb.ROLL_BACK and ask.host and _go_back_together(row.plan):
        raise Problem(
            Status.CONFLICT,
            f"cannot roll {ask.host} back alone: {NOT_ALONE}",
            f"roundsman rollout abort {row.label} --roll-back-all",
        )
    if ask.until is not None and ask.verb is not Verb.RESUME:
        raise Problem(
            Status.INVALID, f"cannot {ask.verb.typed} until a time: only resume takes one"
        )
    host = _planned(row, ask.host).id if ask.host else ""
    verb = Verb.ABORT_ROLL_BACK if ask.verb is Verb.ROLL_BACK and not host else ask.verb
    until = _today_at(ask.until, now) if ask.until else 0.0
    return Command(1, verb, host, by, until)  # the store numbers it


def _go_back_together(plan: Plan) -> bool:
    return plan.data is not None and not plan.data.old_reads_new


def _today_at(clock: str, now: float) -> float:
    try:
        return later_today(clock, now, None)
    except ValueError as error:
        raise Problem(Status.INVALID, str(error)) from None


def _planned(row: RolloutRow, key: str) -> PlannedHost:
    for planned in row.plan.hosts:
        if key in {planned.id, planned.name} or planned.name == key.upper():
            return planned
    raise Problem(
        Status.UNKNOWN, f"no host {key!r} in {row.label}", f"roundsman rollout status {row.label}"
    )


def known(office: Office, key: str) -> RolloutRow:
    """Return the rollout of that name. Raises `Problem`."""
    found = office.rollouts.find("" if key == _LATEST else key)
    if found is None:
        error = "no rollout yet" if key == _LATEST else f"no rollout {key!r}"
        raise Problem(Status.UNKNOWN, error, "roundsman rollout list")
    return found


def whole(office: Office, row: RolloutRow) -> RolloutView:
    """Return a rollout with its visits."""
    steps: dict[str, list[StepRow]] = {}
    for step in office.rollouts.steps(row.id):
        steps.setdefault(step.host, []).append(step)
    planned = {p.id: p for p in row.plan.hosts}
    visits = [
        _visit(visit, planned[visit.host], steps.get(visit.host, []), steps_of(row.plan, _STEPS))
        for visit in office.rollouts.visits(row.id)
    ]
    return with_opened(_view(row, visits, office.clock()), office.rollouts.opened(row.id))


def _view(row: RolloutRow, visits: list[VisitView], now: float) -> RolloutView:
    plan = row.plan
    return RolloutView(
        id=row.id,
        label=row.label,
        app=plan.app,
        version=plan.version,
        site=plan.site,
        group=plan.group,
        state=row.state,
        detail=row.detail,
        mend=row.mend,
        since=row.since,
        started_by=row.started_by,
        started=row.started,
        ended=row.ended,
        deadline=plan.deadline,
        now=now,
        drill=plan.drill,
        mixed=_is_mixed(plan, visits),
        visits=visits,
    )


def _is_mixed(plan: Plan, visits: list[VisitView]) -> bool:
    first = {p.id for p in plan.hosts if is_first(plan, p)}
    states = [visit.state for visit in visits if visit.id in first]
    return may_be_mixed(plan) and bool(states) and set(states) == {HostState.UPDATED}


def _visit(
    visit: VisitRow, planned: PlannedHost, steps: list[StepRow], whole: Sequence[StepName]
) -> VisitView:
    running = [s for s in steps if s.state == StepState.RUNNING]
    now = running[-1] if running else None
    taken = [s for s in steps if s.step in whole and s.direction is Direction.DO]
    done = [s for s in taken if s.state == StepState.DONE]
    return VisitView(
        host=planned.name,
        id=planned.id,
        place=visit.place,
        state=visit.state,
        detail=visit.detail,
        since=visit.since,
        began=visit.began,
        ended=visit.ended,
        from_version=planned.from_version,
        step=now.step if now else "",
        direction=now.direction if now else "",
        bytes_done=now.bytes_done if now else 0,
        bytes_total=now.bytes_total if now else 0,
        steps_done=len(done),
        steps_total=len(whole),
        still_in=now.facts.get(STILL_IN, "") if now else "",
        turn_of=now.facts.get(TURN_OF, "") if now else "",
        turn_until=_turn_until(now) if now else None,
    )


def _turn_until(step: StepRow) -> float | None:
    seconds = step.facts.get(TURN_SECONDS, "")
    return step.started + int(seconds) if seconds.isdecimal() else None
