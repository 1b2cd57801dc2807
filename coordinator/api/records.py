"""A first profile, drafted from what runs on a host; nothing is kept of it here."""

import time
from collections.abc import Sequence

from agent.wire.codec import BadMessage
from agent.wire.observed import Candidate, Observation, joined
from coordinator.api.asks import RecordAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.fleet import known_host
from coordinator.api.office import Office
from coordinator.api.record_schemas import CandidateView, RecordView
from coordinator.model import Host, HostStanding
from coordinator.planning.draft import About, draft, name_for
from coordinator.walk.ports import Verdict

_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}
_NAMED = 5


def record(office: Office, call: Call[RecordAsk]) -> RecordView:
    """Return what runs on a host, and a draft where it is clear of what."""
    host = known_host(office, call.names["host"])
    seen = _observed(office, host)
    view = RecordView(
        host=host.name,
        candidates=[_view(candidate) for candidate in seen.candidates],
        left_out=seen.left_out,
    )
    chosen = _chosen(host, seen.candidates, call.ask.folder)
    if chosen is None:
        return view
    name = call.ask.name or name_for(chosen.folder)
    day = time.strftime("%d %B %Y", time.localtime(office.clock()))
    made = draft(chosen, About(name, host.name, day))
    return view.model_copy(update={"folder": chosen.folder, "name": name, "draft": made})


def _observed(office: Office, host: Host) -> Observation:
    """Ask the host what runs there. Raises `Problem`."""
    standing = office.hub.standing(host.id)
    if host.standing not in _IN_THE_FLEET or not standing.linked:
        raise Problem(
            Status.CONFLICT,
            f"cannot ask {host.name} what runs there: it is not linked",
            f"switch it on, then look: roundsman fleet show {host.name}",
        )
    answer = office.errands.observe(host.id)
    if answer.verdict is not Verdict.DONE:
        raise Problem(
            Status.CONFLICT,
            f"cannot ask {host.name} what runs there: {answer.problem}",
            f"roundsman fleet show {host.name}",
        )
    try:
        return joined(found.message for found in answer.findings)
    except BadMessage as error:
        raise Problem(
            Status.CONFLICT,
            f"cannot understand what {host.name} says runs there: {error}"[:500],
            "see that its agent is of the same release as the coordinator",
        ) from None


def _chosen(host: Host, seen: Sequence[Candidate], folder: str) -> Candidate | None:
    """Return the folder that is meant, None when several could be. Raises `Problem`."""
    if folder:
        named = [c for c in seen if c.folder == folder.rstrip("/")]
        if not named:
            listed = ", ".join(c.folder for c in seen[:_NAMED]) or "nothing"
            raise Problem(
                Status.UNKNOWN,
                f'nothing runs from "{folder}" on {host.name}; seen: {listed}',
                f"open the application there, then: roundsman profile record {host.name}",
            )
        return named[0]
    for likely in (_has_windows, _is_in_a_session, _is_there):
        found = [candidate for candidate in seen if likely(candidate)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _has_windows(candidate: Candidate) -> bool:
    return any(program.window for program in candidate.programs)


def _is_in_a_session(candidate: Candidate) -> bool:
    return any(p.session for p in candidate.programs) or bool(candidate.auto_starts)


def _is_there(_candidate: Candidate) -> bool:
    return True


def _view(seen: Candidate) -> CandidateView:
    return CandidateView(
        folder=seen.folder,
        programs=[program.path for program in seen.programs],
        users=sorted({user for program in seen.programs for user in program.users}),
        windows=_has_windows(seen),
        session=any(program.session for program in seen.programs),
        service=next((p.unit for p in seen.programs if p.unit), ""),
        opens_at_log_in=[start.program for start in seen.auto_starts],
        package=f"{seen.package} {seen.package_version}".strip(),
        ports=list(seen.ports),
    )
