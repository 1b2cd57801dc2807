"""Entitlements: taken in and listed."""

from agent.wire.profile import Licence
from coordinator.api.asks import LicenceAsk, NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.licence_schemas import LicenceView
from coordinator.api.office import Office
from coordinator.api.releases import read_target, signed_apps, signed_profile
from coordinator.planning.entitlement import BadEntitlement, read_entitlement
from coordinator.planning.judge import day_of
from coordinator.releases.gate import LicenceGate
from coordinator.releases.licences import Kept, judged

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


def gate(office: Office) -> LicenceGate:
    """Return what judges plans by their licences."""
    return LicenceGate(
        office.repository, office.licences, office.rollouts, office.fleet, office.clock
    )


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
        seats_taken=gate(office).seats_taken(app),
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
