"""Plans: made from what the hosts say, shown, kept until somebody starts them."""

import secrets
from collections.abc import Callable, Mapping, Sequence

from agent.wire.contract import Target
from agent.wire.terms import Terms
from coordinator.api.asks import DrillAsk, NoAsk, PlanAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.licences import gate
from coordinator.api.mail import check_mail
from coordinator.api.matrix import finding_views_of, matrix_of, modules_of
from coordinator.api.office import Office
from coordinator.api.plan_schemas import PlannedHostView, PlanView
from coordinator.api.releases import read_target, signed_profile
from coordinator.api.withdrawing import refuse_withdrawn
from coordinator.fleet.standing import seconds_ahead
from coordinator.model import FailurePolicy, Host, HostStanding, Plan, SurveyOf
from coordinator.planning.announce import Ahead
from coordinator.planning.judge_modules import Leave
from coordinator.planning.plan import Basis, PackageChoice, PlanRequest, make_plan
from coordinator.planning.preflight import seconds_needed, timetable, verdict
from coordinator.planning.server_first import forecast_seconds
from coordinator.planning.ulid import RANDOM_BYTES, make_ulid
from coordinator.planning.window import Window, Within
from coordinator.releases.signed_terms import terms_in
from coordinator.walk.policy import closing_seconds, fits, may_be_mixed
from coordinator.walk.states import HostState

_REMEMBERED = 10  # rollouts that are looked at for how long a host takes
_ABSENT = "app-absent"  # the survey's word
_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}


def make(office: Office, call: Call[PlanAsk]) -> PlanView:
    """Make a plan and keep it; nothing moves."""
    check_mail(office, [address for address in call.ask.mail if address])
    hosts = _group(office, call.ask)
    ask = call.ask
    known = basis(office, hosts, ask.app, lambda: signed_packages(office, ask.app, ask.version))
    plan = make_plan(_request(office, call, hosts), known)
    number = office.rollouts.add_plan(plan)
    return _view(office, plan, f"p{number}")


def basis(
    office: Office,
    hosts: Sequence[Host],
    app: str,
    packages: Callable[[], Sequence[PackageChoice]] = tuple,
) -> Basis:
    """Return what is known of these hosts now, having asked each. Raises `Problem`."""
    profile = signed_profile(office, app)
    chosen = packages()
    ids = [h.id for h in hosts]
    rules, surveys = read_target(office, profile), office.surveyor.survey(ids, profile)
    return Basis(
        profile=rules,
        profile_target=profile,
        hosts=hosts,
        surveys=surveys,
        packages=chosen,
        slowest=_slowest(office, app),
        now=office.clock(),
        skews={i: seconds_ahead(office.hub.standing, i) for i in ids},
        clones={i: office.hub.standing(i).clone_address for i in ids},
        left_closed=office.left_closed(),
        orphans=office.orphans(),
        held=office.licences.held(app, rules.licence),
        seats=gate(office).seats_taken(app, _having(surveys)),
    )


def _having(surveys: Mapping[str, SurveyOf]) -> list[str]:
    """Return which of these hosts have the app; one that cannot be asked counts as having it."""
    return [i for i, said in surveys.items() if all(f.code != _ABSENT for f in said.findings)]


def new_id(office: Office) -> str:
    """Return an identifier for a plan, and so for its rollout."""
    return make_ulid(office.clock(), secrets.token_bytes(RANDOM_BYTES))


def show(office: Office, call: Call[NoAsk]) -> PlanView:
    """Return a plan."""
    key = call.names["plan"]
    plan = office.rollouts.plan(key)
    if plan is None:
        raise Problem(Status.UNKNOWN, f"no plan {key!r}", "roundsman plan APP VERSION")
    return _view(office, plan, key if key.startswith("p") else f"p{key}")


def _request(office: Office, call: Call[PlanAsk], hosts: Sequence[Host]) -> PlanRequest:
    ask = call.ask
    return PlanRequest(
        id=new_id(office),
        app=ask.app,
        version=ask.version,
        site=hosts[0].site,
        group=hosts[0].group,
        asked_by=call.who.name,
        window=window_of(ask),
        grace_seconds=ask.grace_seconds,
        notice=ask.notice,
        policy=FailurePolicy(ask.retries, ask.then),
        announce=[Ahead.parse(text) for text in ask.announce],
        postpones=ask.postpones,
        leave=tuple(Leave.parse(text) for text in ask.leave),
        mail=tuple(dict.fromkeys(address for address in ask.mail if address)),
    )


def window_of(ask: PlanAsk | DrillAsk) -> Window | Within | None:
    """Return the window that is asked for, None = none in particular. Raises `Problem`."""
    if ask.within_seconds is not None:
        return Within(ask.within_seconds)
    try:
        return Window.parse(ask.window) if ask.window else None
    except ValueError as error:
        raise Problem(Status.INVALID, str(error)) from None


def _group(office: Office, ask: PlanAsk) -> list[Host]:
    """Return the hosts of the group that is meant. Raises `Problem`."""
    found = office.fleet.hosts(ask.group or "", ask.site or "")
    found = [h for h in found if h.standing in _IN_THE_FLEET]
    groups = sorted({(h.site, h.group) for h in found})
    if not groups:
        named = f"group {ask.group!r}" if ask.group else "the fleet"
        raise Problem(Status.UNKNOWN, f"no workstation in {named}", "roundsman fleet list")
    if len(groups) > 1:
        listed = ", ".join(f"{site}/{group}" for site, group in groups)
        raise Problem(Status.INVALID, f"which group: {listed}?", "--group GROUP --site SITE")
    return found


def signed_packages(office: Office, app: str, version: str) -> list[PackageChoice]:
    """Return the signed packages of a version. Raises `Problem` when none was ever added."""
    signed = office.repository.offered()
    rows = office.catalogue.packages(app, version)
    if not rows:
        raise Problem(
            Status.UNKNOWN,
            f"no package of {app} {version}",
            f"roundsman release add {app} {version} FILE",
        )
    targets = [(Target(r.target, r.sha256), r) for r in rows]
    if not any(target in signed for target, _ in targets):
        refuse_withdrawn(office, app, version)
    return [
        PackageChoice(t, r.role, r.system, _terms(office, t)) for t, r in targets if t in signed
    ]


def _terms(office: Office, target: Target) -> Terms:
    try:
        return terms_in(office.repository, target)
    except (OSError, ValueError) as error:
        raise Problem(
            Status.CONFLICT,
            f"cannot judge {target.name} by its terms: {error}",
            "add the release again, under a version of its own: roundsman release add",
        ) from None


def _slowest(office: Office, app: str) -> dict[str, float]:
    """Return how long each host's slowest visit of this app took, of the last rollouts."""
    slowest: dict[str, float] = {}
    rows = [r for r in office.rollouts.all() if r.plan.app == app and not r.plan.drill]
    for row in rows[:_REMEMBERED]:
        for visit in office.rollouts.visits(row.id):
            if visit.state is HostState.UPDATED and visit.began and visit.ended:
                took = visit.ended - visit.began
                slowest[visit.host] = max(took, slowest.get(visit.host, 0.0))
    return slowest


def _view(office: Office, plan: Plan, label: str) -> PlanView:
    judged = verdict(plan)
    ends = plan.opens + forecast_seconds(plan)
    rows = office.catalogue.packages(plan.app, plan.version)
    return PlanView(
        id=plan.id,
        label=label,
        app=plan.app,
        version=plan.version,
        site=plan.site,
        group=plan.group,
        opens=plan.opens,
        deadline=plan.deadline,
        ends=ends,
        fits=fits(plan.opens, plan.deadline, seconds_needed(plan)),
        verdict="it can be started" if judged.go else "; ".join(judged.reasons[:5]),
        hosts=_turns(plan),
        findings=finding_views_of(plan),
        matrix=matrix_of(plan),
        notes=next((row.notes for row in rows if row.notes), ""),
        announce=plan.announce,
        postpones=plan.postpones,
        closing_seconds=closing_seconds(plan),
        server_first=plan.server_first if may_be_mixed(plan) else "",
        drill=plan.drill,
        mail=plan.mail,
    )


def _turns(plan: Plan) -> list[PlannedHostView]:
    turns = {turn.host: turn for turn in timetable(plan)}
    return [
        PlannedHostView(
            place=place,
            host=planned.name,
            id=planned.id,
            role=planned.role,
            from_version=planned.from_version,
            begins=turns[planned.id].begins if planned.id in turns else None,
            ends=turns[planned.id].ends if planned.id in turns else None,
            reason=planned.reason,
            visited=planned.visited,
            modules=modules_of(planned),
            sessions=planned.sessions.here,
            sessions_away=planned.sessions.away,
            sessions_open=planned.sessions.open,
        )
        for place, planned in enumerate(plan.hosts)
    ]
