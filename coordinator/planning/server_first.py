"""Whether one role may be updated first, the others working on with the old release. Pure."""

from agent.wire.contract import Finding, Severity
from coordinator.model import Plan
from coordinator.planning.say import blocks
from coordinator.walk.policy import is_first, may_be_mixed, plan_seconds


def server_findings(plan: Plan) -> list[Finding]:
    """Return what speaks against updating one role first, where the profile wants that."""
    if not plan.server_first or plan.drill:
        return []
    return [*_missing(plan), *_held(plan), *_data(plan), *_not_all(plan)]


def forecast_seconds(plan: Plan) -> float:
    """Return how long the whole plan takes, everybody closing within the grace period.

    What must be done is allowed its way back and every postponement; the others' own visits,
    which may be left for another day, take what they usually take.
    """
    alone = [p for p in plan.hosts if p.visited and not is_first(plan, p)]
    if not may_be_mixed(plan):
        alone = []
    own = sum(p.estimate_seconds + plan.grace_seconds for p in alone)
    return plan_seconds(plan, plan.hosts) + own


def _missing(plan: Plan) -> list[Finding]:
    if any(is_first(plan, planned) for planned in plan.hosts):
        return []
    return [
        blocks(
            "server-missing",
            f"no workstation of the group has the role {plan.server_first}, which the profile "
            "has updated before the others",
            f"give it to the one that is the server: role = {plan.server_first!r} in the fleet "
            "file, then roundsman fleet import FILE",
        )
    ]


def _held(plan: Plan) -> list[Finding]:
    first = [p for p in plan.hosts if is_first(plan, p)]
    return [
        blocks(
            "server-held",
            f"{p.name} is to be updated before the others, and is held",
            f"roundsman fleet release {p.name}",
        )
        for p in first
        if not p.visited and p.from_version != plan.version
    ]


def _data(plan: Plan) -> list[Finding]:
    if plan.data is None or plan.data.old_reads_new:
        return []
    return [
        blocks(
            "server-first-data",
            f"the others cannot work on while {plan.server_first} has the new release: the data "
            "they share could not be read by the old one (old_reads_new = false)",
            "take server_first out of the profile, so that the group is closed until all of it "
            "is updated; or, when the old release does read it, say old_reads_new = true",
        )
    ]


def _not_all(plan: Plan) -> list[Finding]:
    room, needed = plan.deadline - plan.opens, forecast_seconds(plan)
    if not plan_seconds(plan, plan.hosts) <= room < needed:
        return []
    return [
        Finding(
            "not-all-fit",
            Severity.WARNING,
            f"not every workstation may get its visit within the window: all of them need about "
            f"{needed / 60:.0f} min; what is left keeps its old release, and may be used",
            "choose a longer window, or plan again for those",
        )
    ]
