"""What one step of a plan works on: the parameters of its order. Pure.

A step is known by its id together with its parameters, so they are the same each time it is
asked for; what changes with the hour is in those of `announce` alone, which may be taken again.
"""

from dataclasses import replace

from agent.wire.contract import StepName, StepParams
from coordinator.model import Plan, PlannedHost
from coordinator.planning.outlook import closed_seconds

_TOLD = frozenset({StepName.ANNOUNCE, StepName.DRAIN})
_MOST_SECONDS = 7 * 86400.0


def step_params(plan: Plan, planned: PlannedHost, step: StepName, now: float) -> StepParams:
    """Return the parameters of a step; `now` is in seconds since 1970."""
    params = StepParams(
        profile=plan.profile,
        package=None if plan.drill else planned.package,
        version=_version(plan, planned, step),
        grace_seconds=plan.grace_seconds,
        notice=plan.notice,
        asked_by=plan.asked_by,
        drill=plan.drill,
        leaves=planned.leaves,
    )
    if step in _TOLD:
        params = replace(params, takes=closed_seconds(plan, planned), postpones=plan.postpones)
    if step is StepName.ANNOUNCE:
        params = replace(params, starts_in=min(max(0.0, plan.opens - now), _MOST_SECONDS))
    return params


def _version(plan: Plan, planned: PlannedHost, step: StepName) -> str:
    """Return what the host is to be on; a drill announces none and proves the one it has."""
    if not plan.drill:
        return plan.version
    return "" if step in _TOLD else planned.from_version
