"""Releases sent to hosts ahead of time: begun, looked at, stopped."""

import secrets

from coordinator.api.asks import NoAsk, StageAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.fleet import known_host
from coordinator.api.office import Office
from coordinator.api.plans import new_id, signed_packages
from coordinator.api.releases import SIGN, signed_profile
from coordinator.api.staging_schemas import StagedView, StagingView
from coordinator.model import Host, HostStanding, StagedState, StagingState
from coordinator.planning.staging import (
    SPREAD_SECONDS,
    Staged,
    Staging,
    open_until,
    opens_at,
)
from coordinator.planning.window import next_time

_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}
_AT_ONCE_SECONDS = 1.0
_LEAST_RATE = 100  # bytes a second for one host: a piece comes within a quarter of an hour
_MOST_HOSTS = 3000  # a megabyte or two: no client reads more than four


def stage(office: Office, call: Call[StageAsk]) -> StagingView:
    """Begin to send a release to hosts; nothing of the app is touched."""
    ask = call.ask
    signed_profile(office, ask.app)
    if not signed_packages(office, ask.app, ask.version):
        raise Problem(
            Status.CONFLICT, f"no package of {ask.app} {ask.version} is signed yet", SIGN
        )
    hosts = _hosts(office, ask)
    made = _staging(office, call)
    begins = opens_at(made, made.made, None)
    rows = [_waiting(made, host, begins) for host in hosts]
    return _view(office, office.stagings.add(made, rows))


def _hosts(office: Office, ask: StageAsk) -> list[Host]:
    named = [known_host(office, key) for key in ask.hosts]
    found = named or office.fleet.hosts(ask.group or "")
    hosts = list({h.id: h for h in found if h.standing in _IN_THE_FLEET}.values())
    if not hosts:
        raise Problem(Status.UNKNOWN, "no workstation to send it to", "roundsman fleet list")
    return hosts


def _staging(office: Office, call: Call[StageAsk]) -> Staging:
    ask, now = call.ask, office.clock()
    if ask.until and not ask.at:
        raise Problem(Status.INVALID, "until: from when?", "--at 22:00 --until 06:00")
    if ask.until and ask.until == ask.at:
        raise Problem(Status.INVALID, f"until: {ask.until} is when it begins")
    if 0 < ask.rate < ask.slots * _LEAST_RATE:
        raise Problem(
            Status.INVALID,
            f"rate: {ask.rate} bytes a second for {ask.slots} at a time would never end",
            f"--rate {ask.slots}k or more, or fewer --slots",
        )
    return Staging(
        id=new_id(office),
        number=0,
        app=ask.app,
        version=ask.version,
        by=call.who.name,
        made=now,
        not_before=next_time(ask.at, now, None) if ask.at and not ask.until else now,
        hours=f"{ask.at}-{ask.until}" if ask.until else "",
        rate=ask.rate,
        slots=ask.slots,
    )


def _waiting(made: Staging, host: Host, begins: float) -> Staged:
    """Return a host that begins at a moment of its own, so that not all do at once."""
    spread = SPREAD_SECONDS if begins > made.made else _AT_ONCE_SECONDS
    later = spread * secrets.randbelow(1000) / 1000
    return Staged(made.id, host.id, StagedState.WAITING, 0, begins + later, made.made)


def stagings(office: Office, _call: Call[NoAsk]) -> list[StagingView]:
    """Return the last stagings, newest first; of those that are over as many as can be told."""
    found, told = [], 0
    for view in (_view(office, one) for one in office.stagings.latest()):
        told += len(view.hosts)
        if told <= _MOST_HOSTS or view.state is StagingState.UNDER_WAY:
            found.append(view)
    return found


def staging(office: Office, call: Call[NoAsk]) -> StagingView:
    """Return one staging."""
    return _view(office, _known(office, call))


def stop(office: Office, call: Call[NoAsk]) -> StagingView:
    """End a staging: nothing more is fetched; what is there stays there."""
    found = _known(office, call)
    if found.state is not StagingState.UNDER_WAY:
        raise Problem(Status.CONFLICT, f"{found.label} is over: {found.state}")
    office.stagings.end(found.id, StagingState.STOPPED, office.clock())
    return _view(office, _known(office, call))


def _known(office: Office, call: Call[NoAsk]) -> Staging:
    key = call.names["staging"]
    found = office.stagings.find(key)
    if found is None:
        raise Problem(Status.UNKNOWN, f"no staging {key!r}", "roundsman release staged")
    return found


def _view(office: Office, one: Staging) -> StagingView:
    rows = office.stagings.hosts(one.id)
    names = {h.id: h.name for h in office.fleet.hosts()}
    linked = {s.host_id for s in office.hub.standings().values() if s.linked}
    is_open = open_until(one, office.clock(), None) is not None
    waits = one.state is StagingState.UNDER_WAY and not is_open
    return StagingView(
        id=one.id,
        label=one.label,
        app=one.app,
        version=one.version,
        by=one.by,
        made=one.made,
        state=one.state,
        opens=opens_at(one, office.clock(), None) if waits else None,
        hours=one.hours,
        rate=one.rate,
        slots=one.slots,
        ended=one.ended,
        bytes_done=sum(row.bytes_done for row in rows),
        bytes_total=sum(row.bytes_total for row in rows),
        hosts=[_host(row, names.get(row.host, row.host), row.host in linked) for row in rows],
    )


def _host(row: Staged, name: str, linked: bool) -> StagedView:
    return StagedView(
        host=name,
        id=row.host,
        state=row.state,
        linked=linked,
        tries=row.tries,
        bytes_done=row.bytes_done,
        bytes_total=row.bytes_total,
        since=row.since,
        next_try=row.next_try if row.state is StagedState.WAITING else None,
        detail=row.detail,
    )
