"""Drills: the whole walk for real on the real hosts, with nothing applied.

A drill is a plan of its own, made afresh from what its hosts say now: each is proven to come
back on the version that it has.
"""

from agent.wire.contract import Version
from coordinator.api.asks import DrillAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.fleet import known_host
from coordinator.api.office import Office
from coordinator.api.plans import basis, new_id, window_of
from coordinator.api.rollouts import begin
from coordinator.api.schemas import RolloutView
from coordinator.model import AfterRollBack, FailurePolicy, Host, HostStanding, Plan
from coordinator.planning.plan import Basis, PlanRequest, make_plan
from coordinator.planning.window import Span, Within

_NOTICE = (
    "Exercice\u00a0: {title} va être fermé puis rouvert, rien n\u2019est modifié\u202f; merci "
    "d\u2019enregistrer votre travail et de quitter. Drill: {title} is about to be closed and "
    "opened again, nothing is changed; please save your work and quit."
)
_TRY_SECONDS = 3600.0  # the window of a drill of some hosts, when none is said
_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}


def start(office: Office, call: Call[DrillAsk]) -> RolloutView:
    """Plan a drill and start it."""
    plan = _of_plan(office, call) if call.ask.plan else _of_hosts(office, call)
    number = office.rollouts.add_plan(plan)
    return begin(office, plan, f"p{number}", call.who.name)


def _of_plan(office: Office, call: Call[DrillAsk]) -> Plan:
    key = call.ask.plan or ""
    drilled = office.rollouts.plan(key)
    if drilled is None:
        raise Problem(Status.UNKNOWN, f"no plan {key!r}", "roundsman plan APP VERSION")
    window = window_of(call.ask) or Span(drilled.opens, drilled.deadline)
    if isinstance(window, Span) and window.closes <= office.clock():
        raise Problem(
            Status.CONFLICT,
            f"cannot drill {key}: its window is over; a missed window never starts late",
            f"roundsman drill {key} --window 12:00-14:00, or another window",
        )
    found = office.fleet.hosts(drilled.group, drilled.site)
    planned = {p.id for p in drilled.hosts}
    hosts = [h for h in found if h.standing in _IN_THE_FLEET and h.id in planned]
    known = basis(office, hosts, drilled.app)
    request = PlanRequest(
        id=new_id(office),
        app=drilled.app,
        version=drilled.version,
        site=drilled.site,
        group=drilled.group,
        asked_by=call.who.name,
        window=window,
        grace_seconds=drilled.grace_seconds,
        notice=_notice(call.ask, known),
        policy=FailurePolicy(drilled.policy.retries, AfterRollBack.SKIP),
        step_seconds=drilled.step_seconds,
        silence_seconds=drilled.silence_seconds,
        postpones=drilled.postpones,
        mail=drilled.mail,
        drill=True,
        backs_up=call.ask.back_up,
    )
    return make_plan(request, known)


def _of_hosts(office: Office, call: Call[DrillAsk]) -> Plan:
    ask = call.ask
    if ask.app is None or not ask.hosts:
        raise Problem(Status.INVALID, "what is to be drilled? a plan, or an app on some hosts")
    hosts = list({h.id: h for h in (known_host(office, key) for key in ask.hosts)}.values())
    first = hosts[0]
    if apart := [h.name for h in hosts if (h.site, h.group) != (first.site, first.group)]:
        raise Problem(
            Status.INVALID, f"cannot drill two groups at once: {apart[0]} is not {first.group}"
        )
    known = basis(office, hosts, ask.app)
    request = PlanRequest(
        id=new_id(office),
        app=ask.app,
        version=_version(hosts[0], known),
        site=first.site,
        group=first.group,
        asked_by=call.who.name,
        window=window_of(ask) or Within(_TRY_SECONDS),
        grace_seconds=ask.grace_seconds,
        notice=_notice(ask, known),
        policy=FailurePolicy(then=AfterRollBack.SKIP),
        drill=True,
        backs_up=ask.back_up,
    )
    return make_plan(request, known)


def _version(host: Host, known: Basis) -> Version:
    return known.surveys[host.id].facts.get("app_version", "")[:64]


def _notice(ask: DrillAsk, known: Basis) -> str:
    return ask.notice or _NOTICE.format(title=known.profile.title)[:500]
