"""The gate that a host passes after it was looked at, before anything in its group is closed.

It is judged by the code that judges plans, and by what is signed now.
"""

from collections.abc import Callable
from dataclasses import dataclass

from coordinator.model import Host, Plan, SurveyOf
from coordinator.planning.basis import Basis, PackageChoice
from coordinator.planning.judge_anew import blocks_now, why_not
from coordinator.releases.repository import Repository
from coordinator.releases.signed_terms import terms_in
from coordinator.releases.titles import profile_in
from coordinator.store.fleet import Fleet


@dataclass(frozen=True, slots=True)
class SurveyGate:
    """Judges hosts by what was just found on them."""

    repository: Repository
    fleet: Fleet
    skew: Callable[[str], float]  # seconds a host's clock is ahead of ours, by its id
    clock: Callable[[], float]  # seconds since 1970

    def refusal(self, plan: Plan, host_id: str, found: SurveyOf) -> str:
        """Return why the host may not be visited now, "" when it may.

        What is not signed any more is not judged: no agent would take it.
        """
        host = self.fleet.host(host_id)
        try:
            basis = self._basis(plan, host, found) if host is not None else None
        except (OSError, ValueError) as error:
            return f"cannot judge what was found there: {error}"[:500]
        if host is None or basis is None:
            return ""
        return why_not(host.name, blocks_now(plan, host, basis))

    def _basis(self, plan: Plan, host: Host, found: SurveyOf) -> Basis | None:
        signed = self.repository.published()
        package = next(p.package for p in plan.hosts if p.id == host.id)
        if plan.profile not in signed:
            return None
        terms = [terms_in(self.repository, target) for target in {package} & set(signed)]
        return Basis(
            profile=profile_in(self.repository, plan.profile),
            profile_target=plan.profile,
            hosts=[host],
            surveys={host.id: found},
            packages=[PackageChoice(package, host.role, "", of) for of in terms],
            slowest={},
            now=self.clock(),
            skews={host.id: self.skew(host.id)},
        )
