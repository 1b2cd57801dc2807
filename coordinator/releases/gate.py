"""The licence gate at the moments that count: a start, and the closing of the first app.

What is judged is read anew each time: the entitlement, the signed terms, the day (row S3).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from agent.wire.contract import Finding, StepName
from coordinator.model import HostStanding, Plan
from coordinator.planning.judge import day_of, licence_case
from coordinator.planning.judge_licence import licence_findings
from coordinator.releases.licences import Licences
from coordinator.releases.repository import Repository
from coordinator.releases.signed_terms import terms_in
from coordinator.releases.titles import profile_in
from coordinator.store.fleet import Fleet
from coordinator.store.rollouts import Rollouts

_BEGIN_WITH_IT = frozenset(
    {StepName.STAGE, StepName.DRAIN, StepName.BACK_UP, StepName.APPLY_RELEASE}
)
"""Steps that bring a host nearer to the release; what comes after them ends what is begun."""
_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}


@dataclass(frozen=True, slots=True)
class LicenceGate:
    """Judges plans by what their vendors have granted."""

    repository: Repository
    licences: Licences
    rollouts: Rollouts
    fleet: Fleet
    clock: Callable[[], float]  # seconds since 1970

    def seats_taken(self, app: str, besides: Collection[str] = ()) -> int:
        """Return how many workstations of the fleet have the app.

        Those are the hosts of each rollout of it that are still enrolled, and `besides`, by id.
        """
        had = {p.id for r in self.rollouts.all() if r.plan.app == app for p in r.plan.hosts}
        here = {h.id for h in self.fleet.hosts() if h.standing in _IN_THE_FLEET}
        return len((had | set(besides)) & here)

    def against(self, plan: Plan) -> list[Finding]:
        """Return what the licence has against installing it now; nothing against a drill.

        What is not signed any more is not judged: no agent would take it. Raises `OSError`, or
        `ValueError` for what cannot be read.
        """
        signed = self.repository.published()
        if plan.drill or plan.profile not in signed:
            return []
        packages = dict.fromkeys(p.package for p in plan.hosts if p.visited)
        terms = [terms_in(self.repository, target) for target in packages if target in signed]
        profile = profile_in(self.repository, plan.profile)
        seats = self.seats_taken(plan.app, [p.id for p in plan.hosts])
        held = self.licences.held(plan.app, profile.licence)
        now = held, seats, day_of(self.clock(), None)
        return licence_findings(licence_case(plan, profile, terms, now))

    def refusal(self, plan: Plan, step: StepName) -> str:
        """Return why a step of this plan may not be begun now, "" when it may.

        A rollout that has begun to change hosts is not held up by its licence: it would be left
        half-way. By a withdrawal it is, but may still close what was opened, to go back.
        """
        if step not in _BEGIN_WITH_IT or (step is StepName.DRAIN and self._has_begun(plan)):
            return ""
        try:
            if is_off_offer(self.repository, plan):
                return f"cannot go on with {plan.app} {plan.version}: it was withdrawn"
            found = self.against(plan) if step is StepName.DRAIN else []
        except (OSError, ValueError) as error:
            return f"cannot judge whether {plan.app} may be installed: {error}"[:500]
        return f"{found[0].message}. {found[0].fix}"[:500] if found else ""

    def _has_begun(self, plan: Plan) -> bool:
        return any(row.step is StepName.APPLY_RELEASE for row in self.rollouts.steps(plan.id))


def is_off_offer(repository: Repository, plan: Plan) -> bool:
    """True when a host is to have what is not on offer, or not any more; never in a drill."""
    if plan.drill:
        return False
    offered = set(repository.offered())
    return any(p.visited and p.package and p.package not in offered for p in plan.hosts)
