"""Entitlements: taken in, listed, and judged again at the moment when a rollout is started."""

from collections.abc import Collection

from agent.wire.contract import Finding
from agent.wire.profile import Licence
from coordinator.api.asks import LicenceAsk, NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.licence_schemas import LicenceView
from coordinator.api.office import Office
from coordinator.api.releases import read_target, signed_apps, signed_profile
from coordinator.model import HostStanding, Plan
from coordinator.planning.entitlement import BadEntitlement, read_entitlement
from coordinator.planning.judge import day_of, licence_case
from coordinator.planning.judge_licence import licence_findings
from coordinator.releases.licences import Kept, judged
from coordinator.releases.signed_terms import terms_in

_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}
_FREE = Licence()


def add(office: Office, call: Call[LicenceAsk]) -> LicenceView:
    """Take in an entitlement, instead of the one that the app had."""
    ask = call.ask
    try:
        app = read_entitlement(ask.text, ask.file).app
        kept = Kept(app, ask.text, ask.signature, call.who.name, office.clock())
        judged(kept, _rule(office, app))
    except BadEntitlement as error:
        raise Problem(
            Status.INVALID, f"cannot take it: {error}", "ask the vendor for a sound one"
        ) from None
    office.licences.put(kept)
    return _view(office, app)


def listed(office: Office, _call: Call[NoAsk]) -> list[LicenceView]:
    """Return the entitlements, one an app."""
    return [_view(office, app) for app in office.licences.apps()]


def seats_taken(office: Office, app: str, besides: Collection[str] = ()) -> int:
    """Return how many workstations of the fleet have the app.

    Those are the hosts of each rollout of it that are still enrolled, and `besides`, by id.
    """
    had = {p.id for r in office.rollouts.all() if r.plan.app == app for p in r.plan.hosts}
    here = {h.id for h in office.fleet.hosts() if h.standing in _IN_THE_FLEET}
    return len((had | set(besides)) & here)


def against(office: Office, plan: Plan) -> list[Finding]:
    """Return what the licence has against starting this plan now; nothing against a drill.

    What is not signed any more is not judged: no agent would take it.
    """
    signed = office.repository.published()
    if plan.drill or plan.profile not in signed:
        return []
    packages = dict.fromkeys(p.package for p in plan.hosts if p.visited)
    terms = [terms_in(office.repository, target) for target in packages if target in signed]
    profile = read_target(office, plan.profile)
    seats = seats_taken(office, plan.app, [p.id for p in plan.hosts])
    held = office.licences.held(plan.app, profile.licence)
    now = held, seats, day_of(office.clock(), None)
    return licence_findings(licence_case(plan, profile, terms, now))


def _rule(office: Office, app: str) -> Licence:
    """Return what the app's signed profile asks of an entitlement; nothing when it has none."""
    if app not in signed_apps(office):
        return _FREE
    return read_target(office, signed_profile(office, app)).licence


def _view(office: Office, app: str) -> LicenceView:
    try:
        kept = office.licences.find(app)
    except (OSError, ValueError) as error:
        return LicenceView(app=app, added_by="", at=0.0, problem=str(error))
    if kept is None:
        raise Problem(Status.UNKNOWN, f"no entitlement for {app}", "roundsman licence add FILE")
    held = office.licences.held(app, _rule(office, app))
    told = LicenceView(
        app=app,
        seats_taken=seats_taken(office, app),
        is_signed=bool(kept.signature),
        problem=held.problem,
        added_by=kept.by,
        at=kept.at,
    )
    if held.entitlement is None:
        return told
    owned = held.entitlement
    known = {"holder": owned.holder, "edition": owned.edition, "seats": owned.seats}
    days = {"contract_end": owned.contract_end, "valid_until": owned.valid_until}
    day = day_of(office.clock(), None)
    over = owned.valid_until is not None and owned.valid_until < day
    state = {"problem": f"ended on {owned.valid_until}"} if over else {}
    return told.model_copy(update=known | days | state)
