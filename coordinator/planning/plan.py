"""Makes plans: every host's place, release and reason, and everything that speaks against it.

Pure: hosts, surveys, packages and the time come in as values. What blocks is a finding in the
plan, never an exception, so that an admin sees all of it at once.
"""

from collections.abc import Sequence

from agent.wire.contract import Target
from agent.wire.profile import ApplyKind, Profile
from coordinator.model import Host, HostStanding, Plan, PlannedHost
from coordinator.planning.announce import announce_findings, moments
from coordinator.planning.basis import STEP_SECONDS as STEP_SECONDS
from coordinator.planning.basis import Basis as Basis
from coordinator.planning.basis import PackageChoice as PackageChoice
from coordinator.planning.basis import PlanRequest as PlanRequest
from coordinator.planning.data import shared_data
from coordinator.planning.judge import NO_PACKAGE, Asked, judged, terms_for
from coordinator.planning.judge_modules import installed_modules, with_modules
from coordinator.planning.judge_roles import Order, rank, role_order
from coordinator.planning.sessions import sessions_of
from coordinator.planning.window import rest_of_day

_AROUND_SECONDS = 600.0  # an installer's own limit, and so much to verify and to go back
ANY = "any"
_LONGEST_VERSION, _LONGEST_REASON = 64, 500
_HALF_UPDATE = "half-update"  # the survey's word


def make_plan(request: PlanRequest, basis: Basis) -> Plan:
    """Return the plan; its findings say what speaks against starting it."""
    order = () if request.drill else role_order([p.terms for p in basis.packages])
    hosts = [h for h in _in_order(basis.hosts, order) if h.standing is not HostStanding.REVOKED]
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
    late = announce_findings(request.announce, opens, basis.now, request.zone)
    return judged(plan, hosts, basis, Asked(tuple(late), request.leave, request.zone))


def _longest_step(profile: Profile) -> float:
    """Return how long putting a release in place may take, with what comes before and after."""
    folder = profile.apply.kind is ApplyKind.REPLACE_FOLDER
    return 0.0 if folder else profile.apply.limit_seconds + _AROUND_SECONDS


def _in_order(hosts: Sequence[Host], order: Order) -> list[Host]:
    return sorted(hosts, key=lambda h: (rank(order, h.role), h.order, h.name.lower()))


def _place(host: Host, request: PlanRequest, basis: Basis) -> PlannedHost:
    survey = basis.surveys.get(host.id)
    facts = survey.facts if survey else {}
    installed = facts.get("app_version", "")[:_LONGEST_VERSION]
    half = survey is not None and any(f.code == _HALF_UPDATE for f in survey.findings)
    package = package_for(host, facts.get("system", ""), basis.packages) or NO_PACKAGE
    as_if = "" if half or request.drill else installed
    visited, reason = _visited(host, as_if, request.version)
    if visited and not request.drill:
        reason = _in_turn(host, basis) + reason
    planned = PlannedHost(
        id=host.id,
        name=host.name,
        role=host.role,
        from_version=installed,
        package=package,
        estimate_seconds=max(basis.profile.estimate_seconds, basis.slowest.get(host.id, 0.0)),
        reason=reason[:_LONGEST_REASON],
        visited=visited,
        left_closed=host.id in basis.left_closed,
        sessions=sessions_of(facts),
    )
    if request.drill or not visited:
        return planned
    terms, modules = terms_for(package, basis.packages), installed_modules(facts)
    return with_modules(planned, terms, modules, (basis.profile, request.leave))


def package_for(host: Host, system: str, packages: Sequence[PackageChoice]) -> Target | None:
    """Return the package for this host: the one for its role and system before one for any."""
    fitting = [p for p in packages if p.role in {host.role, ANY} and p.system in {system, ANY}]
    fitting.sort(key=lambda p: (p.role == ANY, p.system == ANY))
    return fitting[0].target if fitting else None


def _in_turn(host: Host, basis: Basis) -> str:
    order = role_order([p.terms for p in basis.packages])
    return f"role {host.role} first; " if host.role in order[:-1] else ""


def _visited(host: Host, installed: str, version: str) -> tuple[bool, str]:
    if host.standing is HostStanding.HELD:
        why = f": {host.reason}" if host.reason else ""
        return False, f"held{why}; its app is kept closed meanwhile"
    if installed and installed == version:
        return False, f"has {version} already; its app is kept closed meanwhile"
    return True, f"order {host.order}, then by name" if host.order else "by name"
