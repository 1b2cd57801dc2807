"""What speaks against a plan, before anything moves: one finding each, with what mends it."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil, floor

from agent.wire.contract import Finding, Severity
from coordinator.model import Host, HostStanding, Plan, PlannedHost, SurveyOf
from coordinator.walk import led
from coordinator.walk.policy import (
    closing_seconds,
    fits,
    is_closed_anew,
    is_first,
    may_be_mixed,
    plan_seconds,
)

MOST_SKEW_SECONDS = 300.0
"""Beyond this, certificates and signed metadata begin to be judged wrongly."""
KEPT_CLOSED = (
    "is kept closed for a rollout that this coordinator does not know, as one does not that was "
    "restored from a backup"
)
RE_OPEN = (
    "roundsman plan APP VERSION: its rollout brings the group to one version, then opens it; or, "
    "to open one as it is, typed there by its administrator: roundsman-agent uncordon"
)


@dataclass(frozen=True, slots=True)
class Turn:
    """When one host's visit would begin and end; seconds since 1970."""

    host: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a plan may be started, and why not."""

    go: bool
    reasons: tuple[str, ...]


def host_findings(host: Host, survey: SurveyOf | None, title: str) -> list[Finding]:
    """Return what speaks against one host, its own findings named after it."""
    if survey is None or survey.problem:
        why = survey.problem if survey else "its agent is not linked"
        message = f"{host.name}: cannot be asked about {title}: {why}"
        fix = _of_an_answer(host, survey) if survey else _out_of_reach(host)
        return [Finding("not-surveyed", Severity.BLOCKS, message[:500], fix)]
    return [
        Finding(f.code, f.severity, f"{host.name}: {f.message}"[:500], f.fix)
        for f in survey.findings
    ]


def _of_an_answer(host: Host, survey: SurveyOf) -> str:
    """Return what mends it: a host that answers, if only to refuse, is not switched off."""
    if led.is_led(survey.refusal):
        return led.TAKE_OVER
    if survey.is_silent:
        return _out_of_reach(host)
    return (
        f"{host.name} is on and answers: see the log of its agent there, or hold it: "
        f"roundsman fleet hold {host.name}"
    )


def _out_of_reach(host: Host) -> str:
    if host.standing is HostStanding.HELD:
        return (
            f"switch {host.name} on, or tell the rollout that it is off: "
            f"roundsman rollout skip ROLLOUT {host.name} --switched-off"
        )
    return (
        f"switch {host.name} on, see roundsman fleet show {host.name}, or hold it: "
        f"roundsman fleet hold {host.name}"
    )


def clock_findings(host: Host, ahead: float) -> list[Finding]:
    """Return what speaks against a host whose clock is `ahead` seconds before ours."""
    if abs(ahead) <= MOST_SKEW_SECONDS:
        return []
    way = "ahead of" if ahead > 0 else "behind"
    return [
        Finding(
            "clock-wrong",
            Severity.BLOCKS,
            f"{host.name}: its clock is {abs(ahead):.0f} s {way} the coordinator's",
            f"set the clock of {host.name}, or the coordinator's when that is the wrong one",
        )
    ]


def orphan_findings(host: Host, *, kept_closed: bool) -> list[Finding]:
    """Return what is to be known of a host kept closed for a rollout that is not known here."""
    if not kept_closed:
        return []
    message = f"{host.name}: {KEPT_CLOSED}"
    return [Finding("closed-for-unknown", Severity.WARNING, message, RE_OPEN)]


def clone_findings(host: Host, address: str) -> list[Finding]:
    """Return what speaks against a host whose certificate another machine, there, has shown."""
    if not address:
        return []
    return [
        Finding(
            "two-machines",
            Severity.BLOCKS,
            f"{host.name}: another machine, at {address}, shows its certificate, as a copy of its "
            "disk does: which of the two would be updated is not known",
            f"roundsman fleet revoke {host.name}, then enrol both again, each with a token",
        )
    ]


def drill_findings(planned: PlannedHost, plan: Plan) -> list[Finding]:
    """Return what speaks against drilling one host: it must come back as it was, so as what?"""
    if planned.from_version or not planned.visited:
        return []
    return [
        Finding(
            "version-unknown",
            Severity.BLOCKS,
            f"{planned.name}: its version of {plan.app} cannot be read, so nothing could prove "
            "that it came back",
            f"see roundsman doctor {planned.name} --app {plan.app}",
        )
    ]


def plan_findings(plan: Plan) -> list[Finding]:
    """Return what speaks against the plan as a whole."""
    return [*_nobody(plan), *_twins(plan), *_too_long(plan)]


def _nobody(plan: Plan) -> list[Finding]:
    if not plan.hosts:
        message = f"group {plan.group} of site {plan.site} has no workstation"
        return [
            Finding("group-empty", Severity.BLOCKS, message, "roundsman fleet token --group NAME")
        ]
    if any(planned.visited for planned in plan.hosts):
        return []
    message = f"no workstation is to be visited: all are on {plan.version} or held"
    return [Finding("nothing-to-do", Severity.BLOCKS, message, "roundsman fleet list")]


def _twins(plan: Plan) -> list[Finding]:
    names = Counter(planned.name.lower() for planned in plan.hosts)
    return [
        Finding(
            "name-taken-twice",
            Severity.BLOCKS,
            f"{count} workstations are called {name}",
            "revoke the one that is gone: roundsman fleet revoke ID",
        )
        for name, count in sorted(names.items())
        if count > 1
    ]


def _too_long(plan: Plan) -> list[Finding]:
    needed = seconds_needed(plan)
    if fits(plan.opens, plan.deadline, needed):
        return []
    return [
        Finding(
            "does-not-fit",
            Severity.BLOCKS,
            f"the group needs {ceil(needed / 60)} min and the window has "
            f"{floor((plan.deadline - plan.opens) / 60)} min{_postponed(plan)}",
            "choose a longer window, split the group, or let people postpone less often",
        )
    ]


def _postponed(plan: Plan) -> str:
    more = closing_seconds(plan) - plan.grace_seconds
    return f"; {more / 60:.0f} min of it are what people may postpone" if more else ""


def seconds_needed(plan: Plan) -> float:
    """Return how long what must be done takes, its data and a way back included (I3).

    Closing counts with every postponement that people may have.
    """
    return plan_seconds(plan, plan.hosts)


def timetable(plan: Plan) -> list[Turn]:
    """Return when each visit would begin and end, started in time and nobody postponing.

    Where others may use the old release meanwhile, each of them is closed again for its own.
    """
    mixed, at = may_be_mixed(plan), plan.opens
    if is_closed_anew(plan):
        at += plan.grace_seconds + (plan.data.seconds if plan.data else 0.0)
    turns = []
    for planned in sorted(plan.hosts, key=lambda p: not (mixed and is_first(plan, p))):
        if planned.visited:
            at += plan.grace_seconds if mixed and not is_first(plan, planned) else 0.0
            turns.append(Turn(planned.id, at, at + planned.estimate_seconds))
            at += planned.estimate_seconds
    return turns


def changes_since(plan: Plan, hosts: Sequence[Host], sealed: Collection[str]) -> list[str]:
    """Return what makes the group another one than was planned, in words; [] when nothing does.

    A host that came since would stay open while the others are updated.
    """
    present = {h.id: h for h in hosts if h.standing is not HostStanding.REVOKED}
    planned = {p.id for p in plan.hosts}
    changes = [f"{host.name} came" for host in present.values() if host.id not in planned]
    for known in plan.hosts:
        host = present.get(known.id)
        if host is None:
            changes.append(f"{known.name} left")
        elif _is_needed(plan, known) and host.standing is HostStanding.HELD:
            changes.append(f"{known.name} is held")
        elif known.left_closed is not (known.id in sealed):
            changes.append(f"{known.name} was {'opened' if known.left_closed else 'closed'}")
    return changes


def _is_needed(plan: Plan, known: PlannedHost) -> bool:
    return known.visited or (plan.data is not None and plan.data.holder == known.id)


def verdict(plan: Plan) -> Judgement:
    """Return whether the plan may be started: nothing in it blocks."""
    reasons = _blocking(plan.findings)
    return Judgement(not reasons, reasons)


def _blocking(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(f.message for f in findings if f.severity is Severity.BLOCKS)
