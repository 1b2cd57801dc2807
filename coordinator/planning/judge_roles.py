"""The roles gate: which are updated first, as the release says (row O12). Pure."""

from collections.abc import Sequence

from agent.wire.contract import Finding
from agent.wire.terms import Terms
from coordinator.model import Plan, PlannedHost
from coordinator.planning.say import blocks

Order = tuple[str, ...]


def role_order(terms: Sequence[Terms]) -> Order:
    """Return which roles are updated first, in order; () when the release does not care."""
    return next((one.roles for one in terms if one.roles), ())


def rank(order: Order, role: str) -> int:
    """Return the place of a role; those that are not named come last, all alike."""
    return order.index(role) if role in order else len(order)


def role_findings(plan: Plan, terms: Sequence[Terms]) -> list[Finding]:
    """Return what speaks against visiting the roles in the order that the release asks for."""
    order = role_order(terms)
    return [*_disagreeing(terms), *_contradicted(plan, order), *_waiting(plan, order)]


def _disagreeing(terms: Sequence[Terms]) -> list[Finding]:
    orders = sorted({one.roles for one in terms if one.roles})
    if len(orders) < 2:
        return []
    shown = "; ".join(", then ".join(order) for order in orders[:3])
    return [
        blocks(
            "roles-disagree",
            f"the packages of this version name different orders of roles: {shown}",
            "add them again with the same order, under a version of its own",
        )
    ]


def _contradicted(plan: Plan, order: Order) -> list[Finding]:
    first = plan.server_first
    if not first or not order:
        return []
    before = [p for p in plan.hosts if p.visited and rank(order, p.role) < rank(order, first)]
    if not before:
        return []
    return [
        blocks(
            "roles-contradict",
            f"the release has role {before[0].role} updated before {first}, and the profile has "
            f"{first} updated before all others",
            "take server_first out of the profile, or have the vendor mend the release",
        )
    ]


def _waiting(plan: Plan, order: Order) -> list[Finding]:
    """Return one finding for each host that is held and that others have to wait for."""
    last = max((rank(order, p.role) for p in plan.hosts if p.visited), default=-1)
    return [_held(p) for p in plan.hosts if _is_late(plan, p) and rank(order, p.role) < last]


def _is_late(plan: Plan, planned: PlannedHost) -> bool:
    return not planned.visited and planned.from_version != plan.version


def _held(planned: PlannedHost) -> Finding:
    return blocks(
        "role-held",
        f"{planned.name}: has role {planned.role}, which the release has updated before others, "
        "and is held",
        f"roundsman fleet release {planned.name}",
    )
