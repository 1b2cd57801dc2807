"""The go / no-go of a plan: every finding, of which gate it is, and about which host. Pure.

Each gate is one row and one small file. A plan is started when nothing in it blocks, so what
blocks one host stops all: a group goes to one version together (invariant I4).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from agent.wire.contract import Finding, Severity, Target
from agent.wire.profile import Profile
from agent.wire.terms import NO_TERMS, Terms
from coordinator.model import Gate, Host, Mark, Plan, PlannedHost
from coordinator.planning.basis import Basis, PackageChoice
from coordinator.planning.data import data_findings
from coordinator.planning.entitlement import Held
from coordinator.planning.judge_licence import LicenceCase, licence_findings
from coordinator.planning.judge_modules import (
    Leave,
    leave_findings,
    module_findings,
    silent_findings,
    untold_findings,
)
from coordinator.planning.judge_roles import role_findings
from coordinator.planning.judge_versions import version_findings
from coordinator.planning.preflight import (
    clock_findings,
    clone_findings,
    drill_findings,
    host_findings,
    orphan_findings,
    plan_findings,
)
from coordinator.planning.say import blocks
from coordinator.planning.server_first import server_findings

NO_PACKAGE = Target("none", "0" * 64)
_MOST_FINDINGS = 500
_BY_WEIGHT = (Severity.BLOCKS, Severity.WARNING, Severity.NOTE)
Marked = tuple[Mark, Finding]


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the request the judgement looks at."""

    late: Sequence[Finding] = ()  # of the announcements that would come too late
    leave: Sequence[Leave] = ()
    zone: dt.tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One plan, and all that it is judged by."""

    plan: Plan
    hosts: Sequence[Host]  # in the plan's order
    basis: Basis
    asked: Asked

    def terms(self, planned: PlannedHost) -> Terms:
        """Return on what terms a host's package may be installed."""
        return terms_for(planned.package, self.basis.packages)


def judged(plan: Plan, hosts: Sequence[Host], basis: Basis, asked: Asked) -> Plan:
    """Return the plan with everything that is to be said of it, what blocks first."""
    case = Case(plan, hosts, basis, asked)
    gates = _OF_A_DRILL if plan.drill else _GATES
    found = [marked for gate in gates for marked in gate(case)]
    found.sort(key=lambda marked: _BY_WEIGHT.index(marked[1].severity))
    kept = found[:_MOST_FINDINGS]
    marks, findings = tuple(m for m, _ in kept), tuple(f for _, f in kept)
    return replace(plan, marks=marks, findings=findings)


def terms_for(package: Target, packages: Iterable[PackageChoice]) -> Terms:
    """Return the terms that are signed with a package; none when it has none."""
    return next((p.terms for p in packages if p.target == package), NO_TERMS)


def licence_case(
    plan: Plan, profile: Profile, terms: Sequence[Terms], held: tuple[Held, int, dt.date]
) -> LicenceCase:
    """Return what the licence gate judges: entitlement, seats taken and day are of now."""
    entitlement, seats, day = held
    return LicenceCase(plan.app, plan.version, profile.licence, terms, entitlement, seats, day)


def day_of(now: float, zone: dt.tzinfo | None) -> dt.date:
    """Return the day of the calendar at `now`, seconds since 1970; None = this machine's zone."""
    return dt.datetime.fromtimestamp(now, dt.UTC).astimezone(zone).date()


def _plan_gate(case: Case) -> Iterator[Marked]:
    plan, basis = case.plan, case.basis
    found = [*case.asked.late, *plan_findings(plan), *server_findings(plan)]
    if plan.backs_up:
        found += data_findings(basis.profile, case.hosts, basis.surveys)
    yield from _marked(Gate.PLAN, "", found)


def _host_gate(case: Case) -> Iterator[Marked]:
    for host, planned in zip(case.hosts, case.plan.hosts, strict=True):
        survey, ahead = case.basis.surveys.get(host.id), case.basis.skews.get(host.id, 0.0)
        about = host_findings(host, survey, case.basis.profile.title)
        about += clock_findings(host, ahead)
        matters = planned.visited and case.plan.backs_up
        found = about if matters else [_softened(finding) for finding in about]
        found += drill_findings(planned, case.plan) if case.plan.drill else []
        found += clone_findings(host, case.basis.clones.get(host.id, ""))  # nobody closes a copy
        found += orphan_findings(host, kept_closed=host.id in case.basis.orphans)
        yield from _marked(Gate.HOST, host.id, found)


def _version_gate(case: Case) -> Iterator[Marked]:
    for planned in _visited(case):
        found = _package_findings(planned, case.plan) if _is_asked(case, planned) else []
        found += version_findings(planned, case.plan.version, case.terms(planned))
        yield from _marked(Gate.VERSION, planned.id, found)


def _module_gate(case: Case) -> Iterator[Marked]:
    hosts, basis = case.plan.hosts, case.basis
    whole = leave_findings(hosts, basis.profile, case.asked.leave)
    whole += silent_findings(hosts, [p.terms for p in basis.packages])
    yield from _marked(Gate.MODULES, "", whole)
    for planned in _visited(case):
        survey, terms = basis.surveys.get(planned.id), case.terms(planned)
        found = module_findings(planned, case.plan.version, terms)
        if survey is not None:
            found += untold_findings(planned, case.plan.version, terms, survey.findings)
        yield from _marked(Gate.MODULES, planned.id, found)


def _role_gate(case: Case) -> Iterator[Marked]:
    found = role_findings(case.plan, [p.terms for p in case.basis.packages])
    yield from _marked(Gate.ROLES, "", found)


def _licence_gate(case: Case) -> Iterator[Marked]:
    terms = list(dict.fromkeys(case.terms(planned) for planned in _visited(case)))
    basis = case.basis
    held = basis.held, basis.seats, day_of(basis.now, case.asked.zone)
    found = licence_findings(licence_case(case.plan, basis.profile, terms, held))
    yield from _marked(Gate.LICENCE, "", found)


def _is_asked(case: Case, planned: PlannedHost) -> bool:
    """False for a host of which not even the system is known: which package it needs is not."""
    survey = case.basis.surveys.get(planned.id)
    return survey is not None and not survey.problem


def _visited(case: Case) -> list[PlannedHost]:
    return [planned for planned in case.plan.hosts if planned.visited]


def _marked(gate: Gate, host: str, found: Iterable[Finding]) -> Iterator[Marked]:
    return ((Mark(host, gate), finding) for finding in found)


def _softened(finding: Finding) -> Finding:
    """Return the same of a host that is only kept closed: what hinders its update is no matter."""
    is_blocking = finding.severity is Severity.BLOCKS
    return replace(finding, severity=Severity.WARNING) if is_blocking else finding


def _package_findings(planned: PlannedHost, plan: Plan) -> list[Finding]:
    if planned.package != NO_PACKAGE:
        return []
    role = planned.role
    return [
        blocks(
            "no-package",
            f"{planned.name}: no signed package of {plan.version} for role {role} there",
            f"roundsman release add {plan.app} {plan.version} FILE --role {role}, unless "
            "roundsman release list shows it; then roundsman release sign",
        )
    ]


def against_hosts(case: Case) -> list[Finding]:
    """Return what blocks the hosts of a case, by the gates that look at each of them."""
    gates = (_host_gate,) if case.plan.drill else (_host_gate, _version_gate, _module_gate)
    found = [finding for gate in gates for _, finding in gate(case)]
    return [finding for finding in found if finding.severity is Severity.BLOCKS]


_OF_A_DRILL: tuple[Callable[[Case], Iterable[Marked]], ...] = (_plan_gate, _host_gate)
_GATES = (*_OF_A_DRILL, _licence_gate, _version_gate, _module_gate, _role_gate)
