"""Makes plans: every host's place, release and reason, and everything that speaks against it.

Pure: hosts, surveys, packages and the time come in as values. What blocks is a finding in the
plan, never an exception, so that an admin sees all of it at once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from agent.wire.contract import Finding, Severity, Target
from agent.wire.profile import ApplyKind, Profile
from agent.wire.versions import is_older
from coordinator.model import FailurePolicy, Host, HostStanding, Plan, PlannedHost, SurveyOf
from coordinator.planning.announce import Ahead, announce_findings, moments
from coordinator.planning.data import data_findings, shared_data
from coordinator.planning.preflight import (
    clock_findings,
    drill_findings,
    host_findings,
    plan_findings,
)
from coordinator.planning.server_first import server_findings
from coordinator.planning.sessions import sessions_of
from coordinator.planning.window import Span, Window, Within, rest_of_day

STEP_SECONDS = 1800.0
SILENCE_SECONDS = 60.0
_AROUND_SECONDS = 600.0  # an installer's own limit, and so much to verify and to go back
ANY = "any"
_DEFAULT_POLICY = FailurePolicy()
_MOST_FINDINGS = 500
_LONGEST_VERSION, _LONGEST_REASON = 64, 500
_BY_WEIGHT = (Severity.BLOCKS, Severity.WARNING, Severity.NOTE)
_HALF_UPDATE = "half-update"  # the survey's word
_NO_PACKAGE = Target("none", "0" * 64)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What an operator asks for."""

    id: str
    app: str
    version: str
    site: str
    group: str
    asked_by: str
    zone: tzinfo | None = None  # None = this machine's
    window: Window | Within | Span | None = None  # None = from now until midnight
    grace_seconds: float | None = None  # None = the profile's
    notice: str = ""
    policy: FailurePolicy = _DEFAULT_POLICY
    step_seconds: float = STEP_SECONDS
    silence_seconds: float = SILENCE_SECONDS
    announce: Sequence[Ahead] = ()
    postpones: int = 0
    mail: tuple[str, ...] = ()
    drill: bool = False
    backs_up: bool = True  # False = a drill that only closes and re-opens


@dataclass(frozen=True, slots=True)
class PackageChoice:
    """A signed package of the version asked for."""

    target: Target
    role: str
    system: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known when the plan is made."""

    profile: Profile
    profile_target: Target
    hosts: Sequence[Host]
    surveys: Mapping[str, SurveyOf]  # by host id
    packages: Sequence[PackageChoice]
    slowest: Mapping[str, float]  # seconds of a host's slowest visit of this app, where known
    now: float
    skews: Mapping[str, float] = field(default_factory=dict)  # clocks, seconds ahead of ours
    left_closed: Collection[str] = ()  # hosts that an earlier rollout keeps closed


def make_plan(request: PlanRequest, basis: Basis) -> Plan:
    """Return the plan; its findings say what speaks against starting it."""
    hosts = [h for h in _in_order(basis.hosts) if h.standing is not HostStanding.REVOKED]
    planned = tuple(_place(host, request, basis) for host in hosts)
    window = request.window
    span = window.span(basis.now, request.zone) if window else rest_of_day(basis.now, request.zone)
    opens = max(span.opens, basis.now)
    grace = request.grace_seconds
    grace = basis.profile.grace_seconds if grace is None else grace
    plan = Plan(
        id=request.id,
        app=request.app,
        site=request.site,
        group=request.group,
        version=request.version,
        profile=basis.profile_target,
        hosts=planned,
        opens=opens,
        deadline=span.closes,
        grace_seconds=grace,
        step_seconds=max(request.step_seconds, _longest_step(basis.profile)),
        silence_seconds=request.silence_seconds,
        notice=request.notice,
        asked_by=request.asked_by,
        policy=request.policy,
        close_between_visits=basis.profile.closed_while_others_update,
        data=shared_data(basis.profile, hosts, basis.surveys) if request.backs_up else None,
        announce=moments(request.announce, opens, basis.now, request.zone),
        postpones=request.postpones if grace else 0,  # without grace nobody is asked
        server_first=basis.profile.server_first,
        reopen=basis.profile.close.reopen,
        drill=request.drill,
        backs_up=request.backs_up,
        mail=request.mail,
    )
    late = announce_findings(request.announce, opens, request.zone)
    return _with_findings(plan, hosts, basis, late)


def _longest_step(profile: Profile) -> float:
    """Return how long putting a release in place may take, with what comes before and after."""
    folder = profile.apply.kind is ApplyKind.REPLACE_FOLDER
    return 0.0 if folder else profile.apply.limit_seconds + _AROUND_SECONDS


def _with_findings(
    plan: Plan, hosts: Sequence[Host], basis: Basis, found: Sequence[Finding]
) -> Plan:
    found = [*found, *plan_findings(plan), *server_findings(plan)]
    if plan.backs_up:
        found += data_findings(basis.profile, hosts, basis.surveys)
    for host, planned in zip(hosts, plan.hosts, strict=True):
        about = host_findings(host, basis.surveys.get(host.id), basis.profile.title)
        about += clock_findings(host, basis.skews.get(host.id, 0.0))
        matters = planned.visited and plan.backs_up
        found += about if matters else [_softened(finding) for finding in about]
        found += drill_findings(planned, plan) if plan.drill else _release_findings(planned, plan)
    found.sort(key=lambda finding: _BY_WEIGHT.index(finding.severity))
    return replace(plan, findings=tuple(found[:_MOST_FINDINGS]))


def _softened(finding: Finding) -> Finding:
    """Return the same of a host that is only kept closed: what hinders its update is no matter."""
    blocks = finding.severity is Severity.BLOCKS
    return replace(finding, severity=Severity.WARNING) if blocks else finding


def _in_order(hosts: Sequence[Host]) -> list[Host]:
    return sorted(hosts, key=lambda host: (host.order, host.name.lower()))


def _place(host: Host, request: PlanRequest, basis: Basis) -> PlannedHost:
    survey = basis.surveys.get(host.id)
    facts = survey.facts if survey else {}
    installed = facts.get("app_version", "")[:_LONGEST_VERSION]
    half = survey is not None and any(f.code == _HALF_UPDATE for f in survey.findings)
    package = package_for(host, facts.get("system", ""), basis.packages)
    as_if = "" if half or request.drill else installed
    visited, reason = _visited(host, as_if, request.version)
    return PlannedHost(
        id=host.id,
        name=host.name,
        role=host.role,
        from_version=installed,
        package=package or _NO_PACKAGE,
        estimate_seconds=max(basis.profile.estimate_seconds, basis.slowest.get(host.id, 0.0)),
        reason=reason[:_LONGEST_REASON],
        visited=visited,
        left_closed=host.id in basis.left_closed,
        sessions=sessions_of(facts),
    )


def package_for(host: Host, system: str, packages: Sequence[PackageChoice]) -> Target | None:
    """Return the package for this host: the one for its role and system before one for any."""
    fitting = [p for p in packages if p.role in {host.role, ANY} and p.system in {system, ANY}]
    fitting.sort(key=lambda p: (p.role == ANY, p.system == ANY))
    return fitting[0].target if fitting else None


def _visited(host: Host, installed: str, version: str) -> tuple[bool, str]:
    if host.standing is HostStanding.HELD:
        why = f": {host.reason}" if host.reason else ""
        return False, f"held{why}; its app is kept closed meanwhile"
    if installed and installed == version:
        return False, f"has {version} already; its app is kept closed meanwhile"
    return True, f"order {host.order}, then by name" if host.order else "by name"


def _release_findings(planned: PlannedHost, plan: Plan) -> list[Finding]:
    if not planned.visited:
        return []
    version, found = plan.version, []
    if planned.package == _NO_PACKAGE:
        found.append(
            Finding(
                "no-package",
                Severity.BLOCKS,
                f"{planned.name}: no signed package of {version} for role {planned.role} there",
                f"roundsman release add {plan.app} {version} FILE --role {planned.role}, then "
                "roundsman release sign",
            )
        )
    if is_older(version, planned.from_version):
        found.append(
            Finding(
                "downgrade",
                Severity.BLOCKS,
                f"{planned.name}: has {planned.from_version}, which is newer than {version}",
                "choose a version that is not older",
            )
        )
    return found
