"""What the doctor says of workstations that are to have a release: every gate but the day."""

from collections.abc import Iterator, Sequence

from coordinator.api.matrix import finding_views_of
from coordinator.api.office import Office
from coordinator.api.plans import basis, new_id, signed_packages
from coordinator.api.schemas import CheckView, FindingView
from coordinator.model import Gate, Host
from coordinator.planning.plan import PlanRequest, make_plan


def judged(office: Office, hosts: Sequence[Host], app: str, version: str) -> Iterator[CheckView]:
    """Yield one check for each group, of what holds for all of it, and one for each host."""
    for site, group in sorted({(h.site, h.group) for h in hosts}):
        members = [h for h in hosts if (h.site, h.group) == (site, group)]
        yield from _of_group(office, members, app, version)


def _of_group(
    office: Office, hosts: Sequence[Host], app: str, version: str
) -> Iterator[CheckView]:
    known = basis(office, hosts, app, lambda: signed_packages(office, app, version))
    site, group = hosts[0].site, hosts[0].group
    plan = make_plan(PlanRequest(new_id(office), app, version, site, group, "doctor"), known)
    found: list[FindingView] = [f for f in finding_views_of(plan) if f.gate is not Gate.PLAN]
    whole = [f for f in found if not f.host]
    if whole:
        named = f"group {group}"
        yield CheckView(host=named, id="", app=app, facts={}, findings=whole)
    for host in hosts:
        survey = known.surveys[host.id]
        own = [f for f in found if f.host == host.name]
        yield CheckView(
            host=host.name,
            id=host.id,
            app=app,
            facts=survey.facts,
            findings=own,
            problem=survey.problem,
        )
