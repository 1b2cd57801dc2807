"""What blocks a host that is looked at once more, right before its group is closed. Pure.

The same gates judge it as when it was planned, by what is found there now: somebody may have
updated, filled or moved what the plan was made of.
"""

from collections.abc import Sequence
from dataclasses import replace

from agent.wire.contract import Finding, Severity
from coordinator.model import Host, Plan, PlannedHost
from coordinator.planning.basis import Basis
from coordinator.planning.data import data_findings
from coordinator.planning.judge import Asked, Case, against_hosts, terms_for
from coordinator.planning.judge_modules import Leave, installed_modules, with_modules

_MOST_TOLD = 3
_LONGEST_VERSION = 64
_LONGEST_TEXT, _LONGEST = 250, 440


def blocks_now(plan: Plan, host: Host, basis: Basis) -> list[Finding]:
    """Return what blocks one host of a plan by now; `basis` holds what is known of it alone."""
    planned = next(p for p in plan.hosts if p.id == host.id)
    alone = replace(plan, hosts=(_as_found(planned, plan, basis),))
    found = against_hosts(Case(alone, [host], basis, Asked()))
    if plan.backs_up and plan.data is not None and plan.data.holder == host.id:
        about_data = data_findings(basis.profile, [host], basis.surveys)
        found += [finding for finding in about_data if finding.severity is Severity.BLOCKS]
    return found


def _as_found(planned: PlannedHost, plan: Plan, basis: Basis) -> PlannedHost:
    """Return the host's row as if it was planned now; what is left on it stays as it was."""
    facts = basis.surveys[planned.id].facts
    found = replace(planned, from_version=facts.get("app_version", "")[:_LONGEST_VERSION])
    if plan.drill or not planned.visited:
        return found
    leave = [Leave(module) for module in planned.leaves]
    terms, modules = terms_for(planned.package, basis.packages), installed_modules(facts)
    judged = with_modules(found, terms, modules, (basis.profile, leave))
    return replace(judged, leaves=planned.leaves)


def why_not(name: str, found: Sequence[Finding]) -> str:
    """Return all of it in one sentence that follows the host's name, "" = nothing blocks it."""
    if not found:
        return ""
    told = [_told(name, finding) for finding in found[:_MOST_TOLD]]
    more = len(found) - len(told)
    rest = [f"and {more} more"] if more > 0 else []
    return f"cannot be visited now: {'; '.join([*told, *rest])}"[:_LONGEST]


def _told(name: str, finding: Finding) -> str:
    text = finding.message.removeprefix(f"{name}: ")[:_LONGEST_TEXT]
    return f"{text} (mend: {finding.fix})" if finding.fix else text
