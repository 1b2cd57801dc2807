"""What would spoil the day, asked of the hosts themselves; changes nothing."""

from collections.abc import Iterable

from agent.wire.contract import Finding
from coordinator.api import keys, mail, tidying
from coordinator.api.asks import DoctorAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.fleet import known_host
from coordinator.api.judged import judged
from coordinator.api.office import Office
from coordinator.api.releases import PROFILES, SIGN, signed_apps, signed_profile
from coordinator.api.schemas import CheckView, FindingView
from coordinator.fleet.standing import seconds_ahead
from coordinator.model import Host, HostStanding, SurveyOf
from coordinator.planning.preflight import (
    clock_findings,
    clone_findings,
    host_findings,
    orphan_findings,
)

_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}


def doctor(office: Office, call: Call[DoctorAsk]) -> list[CheckView]:
    """Return what each host says of itself, for one app."""
    app = call.ask.app or only_app(office)
    profile = signed_profile(office, app)
    named = [known_host(office, key) for key in call.ask.hosts] or office.fleet.hosts()
    hosts = [h for h in named if h.standing in _IN_THE_FLEET]
    if call.ask.version is not None:
        checks = [*judged(office, hosts, app, call.ask.version)]
    else:
        said = office.surveyor.survey([h.id for h in hosts], profile)
        checks = [_check(office, h, app, said[h.id]) for h in hosts]
    return checks if call.ask.hosts else [*checks, *_own(office, app)]


def _own(office: Office, app: str) -> list[CheckView]:
    """Return what is wrong with the coordinator itself."""
    own = CheckView(host="the coordinator", id="", app=app, facts={}, findings=[])
    ending = [keys.finding(found) for found in keys.ending_soon(office)]
    found = [*ending, *tidying.low_disk(office)]
    told = [own.model_copy(update={"findings": found})] if found else []
    return told + [own.model_copy(update={"problem": said}) for said in mail.problems(office)]


def only_app(office: Office) -> str:
    """Return the one app that has a signed profile. Raises `Problem`."""
    apps = signed_apps(office)
    if not apps:
        waits = any(found.name.startswith(PROFILES) for found in office.repository.drafted())
        mend = SIGN if waits else f"roundsman profile add FILE, then {SIGN}"
        raise Problem(Status.CONFLICT, "no profile is signed yet: nothing to look for", mend)
    if len(apps) > 1:
        raise Problem(Status.INVALID, f"app: which one of {', '.join(apps)}?", "--app APP")
    return apps[0]


def _check(office: Office, host: Host, app: str, said: SurveyOf) -> CheckView:
    ours = clock_findings(host, seconds_ahead(office.hub.standing, host.id))
    ours += clone_findings(host, office.hub.standing(host.id).clone_address)
    ours += orphan_findings(host, kept_closed=host.id in office.orphans())
    if said.problem:
        ours += host_findings(host, said, app)
    return CheckView(
        host=host.name,
        id=host.id,
        app=app,
        facts=said.facts,
        findings=list(finding_views([*ours, *said.findings], host.name)),
        problem=said.problem,
    )


def finding_views(findings: Iterable[Finding], host: str = "") -> Iterable[FindingView]:
    """Yield findings as people see them."""
    for found in findings:
        yield FindingView(
            host=host,
            code=found.code,
            severity=found.severity,
            message=found.message,
            fix=found.fix,
        )
