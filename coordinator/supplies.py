"""What a host is to have of a release, and the ticket that lets it fetch it: for the stager."""

from dataclasses import dataclass

from agent.wire.contract import StepParams, Target
from agent.wire.manifest import read_manifest
from coordinator.fleet.hub import Hub
from coordinator.fleet.stager import GONE, Wanted
from coordinator.model import Host, HostStanding
from coordinator.planning.plan import PackageChoice, package_for
from coordinator.planning.staging import Staging
from coordinator.releases.packages import profile_name
from coordinator.releases.repository import Repository
from coordinator.releases.tickets import TICKET_SECONDS, Tickets
from coordinator.store.fleet import Catalogue, Fleet

NIGHT_SECONDS = 12 * 3600.0
"""How long a ticket is good for what is fetched slowly, by night."""


@dataclass(frozen=True, slots=True)
class Supplies:
    """Chooses among the signed packages as a plan does (`coordinator.planning.plan`)."""

    fleet: Fleet
    hub: Hub
    catalogue: Catalogue
    repository: Repository
    tickets: Tickets

    def __call__(self, staging: Staging, host_id: str) -> Wanted | str:
        """Return what a host gets of a staging, or why it gets nothing."""
        host = self.fleet.host(host_id)
        if host is None or host.standing is HostStanding.REVOKED:
            return GONE
        signed = self.repository.offered()
        profiles = [t for t in signed if t.name == profile_name(staging.app)]
        package = package_for(host, self._system(host_id), self._choices(staging, signed))
        if package is None or not profiles:
            return _nothing_signed(staging, host)
        ticket = self._ticket(host_id, package, NIGHT_SECONDS)
        return Wanted(profiles[0], package, staging.version, ticket)

    def ticket(self, host_id: str, params: StepParams) -> str:
        """Return what lets a host fetch the package of a step, "" when it has none."""
        return self._ticket(host_id, params.package) if params.package else ""

    def _ticket(self, host_id: str, package: Target, seconds: float = TICKET_SECONDS) -> str:
        manifest = read_manifest(self.repository.content(package))
        return self.tickets.make(host_id, manifest.content_sha256, seconds)

    def _system(self, host_id: str) -> str:
        hello = self.hub.standing(host_id).hello
        return hello.system if hello else ""

    def _choices(self, staging: Staging, signed: list[Target]) -> list[PackageChoice]:
        rows = self.catalogue.packages(staging.app, staging.version)
        targets = [(Target(row.target, row.sha256), row) for row in rows]
        return [PackageChoice(t, row.role, row.system) for t, row in targets if t in signed]


def _nothing_signed(staging: Staging, host: Host) -> str:
    return (
        f"no signed package of {staging.app} {staging.version} for role {host.role} there: "
        f"roundsman release add {staging.app} {staging.version} FILE --role {host.role}, then "
        "roundsman release sign"
    )
