"""Operators, the audit trail, and how the coordinator is."""

from collections.abc import Collection
from typing import Any

from coordinator.access import new_token, token_hash
from coordinator.api import keys, mail
from coordinator.api.asks import MailAsk, NoAsk, OperatorAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.roles import OperatorRole
from coordinator.api.schemas import AuditView, HealthView, OperatorView
from coordinator.model import HostStanding
from coordinator.planning.preflight import KEPT_CLOSED, RE_OPEN
from coordinator.walk.led import TAKE_OVER
from coordinator.walk.states import RolloutState

_TRAIL = 200
_MOST_NAMED = 5
_STUCK = {RolloutState.NEEDS_OPERATOR, RolloutState.PAUSED}


def operators(office: Office, _call: Call[Any]) -> list[OperatorView]:
    """Return everybody who may speak to the coordinator."""
    return [
        OperatorView(name=row.name, role=OperatorRole(row.role), mail=row.mail)
        for row in office.people.operators()
    ]


def add_operator(office: Office, call: Call[OperatorAsk]) -> OperatorView:
    """Let somebody in, or give somebody a new token and role; the old token ends."""
    token = new_token()
    ask = call.ask
    office.people.put_operator(ask.name, ask.role, token_hash(token), ask.mail)
    return OperatorView(name=ask.name, role=ask.role, mail=ask.mail, token=token)


def set_mail(office: Office, call: Call[MailAsk]) -> list[OperatorView]:
    """Write where an operator is told how their rollouts go; their token stays."""
    name = call.names["name"]
    if not office.people.set_mail(name, call.ask.mail):
        raise Problem(Status.UNKNOWN, f"no operator {name!r}", "roundsman operator list")
    return operators(office, call)


def revoke_operator(office: Office, call: Call[NoAsk]) -> list[OperatorView]:
    """End an operator's token; the last admin stays."""
    name = call.names["name"]
    left = [row for row in office.people.operators() if row.name != name]
    if not any(row.role == OperatorRole.ADMIN for row in left):
        raise Problem(
            Status.CONFLICT,
            f"cannot revoke {name}: nobody would be left who may let others in",
            "roundsman operator add NAME --role admin",
        )
    if not office.people.drop_operator(name):
        raise Problem(Status.UNKNOWN, f"no operator {name!r}", "roundsman operator list")
    return operators(office, call)


def audit(office: Office, call: Call[NoAsk]) -> list[AuditView]:
    """Return the last lines of the audit trail, newest first."""
    return [
        AuditView(number=row.number, at=row.at, who=row.who, what=row.what, detail=row.detail)
        for row in office.people.trail(call.number("most", _TRAIL, 10_000))
    ]


def health(office: Office, call: Call[NoAsk]) -> HealthView:
    """Return how the coordinator is, and who asks."""
    hosts = [h for h in office.fleet.hosts() if h.standing is not HostStanding.REVOKED]
    standings = office.hub.standings()
    problems = _problems(office)
    return HealthView(
        state="needs a person" if problems else "well",
        version=office.version,
        you=OperatorView(name=call.who.name, role=OperatorRole(call.who.role)),
        up_seconds=max(0.0, office.clock() - office.started),
        hosts=len(hosts),
        linked=sum(1 for h in hosts if h.id in standings and standings[h.id].linked),
        active=[row.label for row in office.rollouts.all(active=True)],
        expiries={k: at.timestamp() for k, at in office.repository.expiries().items()},
        problems=problems,
    )


def _problems(office: Office) -> list[str]:
    own = _stuck(office) + _rivals(office) + _orphans(office) + _strangers(office)
    return own + _expiring(office) + mail.problems(office)


def _stuck(office: Office) -> list[str]:
    return [
        f"{row.label} is {row.state}: roundsman rollout why {row.label}"
        for row in office.rollouts.all(active=True)
        if row.state in _STUCK
    ]


def _rivals(office: Office) -> list[str]:
    named = _named(office, office.led_elsewhere())
    if not named:
        return []
    return [f"another coordinator leads {named}, and this one's orders are refused: {TAKE_OVER}"]


def _orphans(office: Office) -> list[str]:
    named = _named(office, office.orphans())
    return [f"{named} {KEPT_CLOSED}: {RE_OPEN}"] if named else []


def _named(office: Office, ids: Collection[str]) -> str:
    """Return the names of these hosts, the first few, "" = none is in the fleet."""
    names = [h.name for h in office.fleet.hosts() if h.id in ids] if ids else []
    return ", ".join(names[:_MOST_NAMED]) + (" and others" if len(names) > _MOST_NAMED else "")


def _strangers(office: Office) -> list[str]:
    standings = office.hub.standings()
    return [
        f"{h.name}: another machine at {standings[h.id].clone_address} shows its certificate: "
        f"roundsman fleet revoke {h.name}, then enrol both again"
        for h in office.fleet.hosts()
        if h.id in standings and standings[h.id].clone_address
    ]


def _expiring(office: Office) -> list[str]:
    return [f"{found.text}: {found.mend}" for found in keys.ending_soon(office)]
