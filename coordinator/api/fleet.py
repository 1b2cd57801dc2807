"""Hosts: who there is, who is let in, held, revoked."""

from dataclasses import replace
from datetime import datetime

from coordinator.api.asks import ImportAsk, NoAsk, ReasonAsk, TokenAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.schemas import HostView, ImportView, TokenView
from coordinator.fleet.enrolment import TOKEN_SECONDS, EnrolmentRefused
from coordinator.fleet.enrolment_book import Place
from coordinator.fleet.standing import Standing
from coordinator.model import Host, HostStanding
from coordinator.planning.fleet_file import FleetError, HostEntry, read_fleet
from coordinator.planning.preflight import KEPT_CLOSED


def make_token(office: Office, call: Call[TokenAsk]) -> TokenView:
    """Make an enrolment token."""
    ask = call.ask
    place = Place(ask.site or office.site, ask.group, ask.role)
    token = office.enrolment.make_token(place, ask.approval, ask.uses, call.who.name)
    return TokenView(token=token, uses=ask.uses, hours=TOKEN_SECONDS / 3600)


def _waiting(office: Office) -> list[Host]:
    return [
        Host(
            request.host_id, request.name, request.place.site, request.place.group,
            request.place.role, 0, HostStanding.WAITING, f"asked from {request.address}",
        )
        for request in office.waiting()
    ]  # fmt: skip


def hosts(office: Office, call: Call[NoAsk]) -> list[HostView]:
    """Return the hosts, of one group or all; revoked ones only when asked for."""
    found = office.fleet.hosts(call.options.get("group", ""), call.options.get("site", ""))
    if "revoked" not in call.options:
        found = [h for h in found if h.standing is not HostStanding.REVOKED]
    group = call.options.get("group", "")
    found += [h for h in _waiting(office) if group in {"", h.group}]
    standings, busy = office.hub.standings(), _busy(office)
    views = [_view(h, standings.get(h.id, Standing(h.id)), busy) for h in found]
    return _told_closed(office, views)


def host(office: Office, call: Call[NoAsk]) -> HostView:
    """Return one host."""
    return show(office, known_host(office, call.names["host"]))


def approve(office: Office, call: Call[NoAsk]) -> HostView:
    """Let a host in that waits for it."""
    found = known_host(office, call.names["host"])
    try:
        office.enrolment.approve(found.id)
    except EnrolmentRefused as error:
        raise Problem(Status.CONFLICT, f"cannot approve {found.name}: {error}") from None
    return show(office, known_host(office, found.id))


def hold(office: Office, call: Call[ReasonAsk]) -> HostView:
    """Keep a host out of visits; its app is still closed while its group is walked."""
    return _stand(office, call.names["host"], HostStanding.HELD, call.ask.reason)


def let_go(office: Office, call: Call[NoAsk]) -> HostView:
    """End a hold."""
    return _stand(office, call.names["host"], HostStanding.ENROLLED, "")


def revoke(office: Office, call: Call[ReasonAsk]) -> HostView:
    """Put a host out of the fleet; its certificate is refused from the next call on."""
    found = known_host(office, call.names["host"])
    if found.standing is HostStanding.WAITING:
        _turn_away(office, found, call.ask.reason)
    else:
        office.fleet.set_standing(found.id, HostStanding.REVOKED, call.ask.reason)
        office.hub.drop(found.id, "revoked")
    return show(office, replace(found, standing=HostStanding.REVOKED, reason=call.ask.reason))


def import_fleet(office: Office, call: Call[ImportAsk]) -> ImportView:
    """Give enrolled hosts their places from a fleet file; all of it is judged first."""
    try:
        entries = read_fleet(call.ask.text, call.ask.file, office.site)
    except FleetError as error:
        raise Problem(Status.INVALID, str(error), "mend the file, then import it again") from None
    known = {
        h.name.lower(): h for h in office.fleet.hosts() if h.standing is not HostStanding.REVOKED
    }
    found = [
        (entry, known[entry.name.lower()]) for entry in entries if entry.name.lower() in known
    ]
    changed = [pair for pair in found if not pair[0].is_place_of(pair[1])]
    for entry, found_host in changed:
        office.fleet.put_host(_at(entry, found_host))
    return ImportView(
        changed=[entry.name for entry, _ in changed],
        unchanged=[entry.name for entry, there in found if entry.is_place_of(there)],
        absent=[entry.name for entry in entries if entry.name.lower() not in known],
    )


def _at(entry: HostEntry, host: Host) -> Host:
    return replace(
        host,
        name=entry.name,
        site=entry.site,
        group=entry.group,
        role=entry.role,
        order=entry.order,
    )


def _turn_away(office: Office, found: Host, reason: str) -> None:
    try:
        office.enrolment.refuse(found.id, reason)
    except EnrolmentRefused as error:
        raise Problem(Status.CONFLICT, f"cannot turn {found.name} away: {error}") from None


def _stand(office: Office, key: str, standing: HostStanding, reason: str) -> HostView:
    found = known_host(office, key)
    if found.standing not in {HostStanding.ENROLLED, HostStanding.HELD}:
        raise Problem(
            Status.CONFLICT,
            f"cannot change {found.name}: it is {found.standing}",
            _NOT_IN[found.standing].format(name=found.name),
        )
    office.fleet.set_standing(found.id, standing, reason)
    return show(office, replace(found, standing=standing, reason=reason))


_NOT_IN = {
    HostStanding.WAITING: "roundsman fleet approve {name}",
    HostStanding.REVOKED: "enrol it again: roundsman fleet token",
}


def known_host(office: Office, key: str) -> Host:
    """Return the host of this id or name, one that waits too. Raises `Problem`."""
    found = office.fleet.host(key)
    if found is None or found.standing is HostStanding.REVOKED:
        asked = [h for h in _waiting(office) if key in {h.id, h.name} or h.name == key.upper()]
        found = next(iter(asked), found)
    if found is None:
        raise Problem(Status.UNKNOWN, f"no host {key!r} in the fleet", "roundsman fleet list")
    return found


def show(office: Office, found: Host) -> HostView:
    """Return one host as people see it."""
    view = _view(found, office.hub.standing(found.id), _busy(office))
    return _told_closed(office, [view])[0]


def _told_closed(office: Office, views: list[HostView]) -> list[HostView]:
    """Return the views, those of hosts with a problem that are closed for a rollout not known."""
    orphans = office.orphans()
    told = {"problem": f"{KEPT_CLOSED}: see roundsman health"}
    return [
        view.model_copy(update=told) if view.id in orphans and not view.problem else view
        for view in views
    ]


def _busy(office: Office) -> dict[str, str]:
    active = office.rollouts.all(active=True)
    return {planned.id: row.label for row in active for planned in row.plan.hosts}


def _view(found: Host, standing: Standing, busy: dict[str, str]) -> HostView:
    hello = standing.hello
    return HostView(
        id=found.id,
        name=found.name,
        site=found.site,
        group=found.group,
        role=found.role,
        order=found.order,
        standing=found.standing,
        reason=found.reason,
        linked=standing.linked,
        since=_seconds(standing.since),
        last_heard=_seconds(standing.last_heard),
        address=standing.address,
        system=hello.system if hello else "",
        agent_version=hello.version if hello else "",
        problem=standing.problem,
        clone_address=standing.clone_address,
        rollout=busy.get(found.id, ""),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
