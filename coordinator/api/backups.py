"""The backups of one host: listed, verified, rehearsed, restored.

A restore is refused while the host is in a rollout under way. One that would leave the group with
mixed versions is refused too, unless the host is to stay closed afterwards (invariant I4); a host
that cannot say which version it has counts as having another.
"""

import json
from collections.abc import Callable
from typing import Any

from agent.wire.contract import StepName, Target
from coordinator.api.asks import BackupAsk, NoAsk, RestoreAsk
from coordinator.api.backup_schemas import BackupView, ErrandView
from coordinator.api.call import Call, Problem, Status
from coordinator.api.doctor import finding_views, only_app
from coordinator.api.fleet import known_host
from coordinator.api.office import Office
from coordinator.api.releases import read_target, signed_profile
from coordinator.fleet.errands import Errand, HostBusy
from coordinator.fleet.restorer import Restore, Then
from coordinator.model import Host, HostStanding
from coordinator.walk.ports import Verdict

_IN_THE_FLEET = {HostStanding.ENROLLED, HostStanding.HELD}
_NAMED = 5


def list_backups(office: Office, call: Call[BackupAsk]) -> list[BackupView]:
    """Return the backups of one app on one host, the newest last."""
    host, app = _asked(office, call)
    return _backups(office, host, signed_profile(office, app))


def verify(office: Office, call: Call[BackupAsk]) -> ErrandView:
    """Begin to read all of a backup against its list."""
    return _look(office, call, StepName.VERIFY_BACKUP)


def rehearse(office: Office, call: Call[BackupAsk]) -> ErrandView:
    """Begin to restore a backup beside, compare and delete it again."""
    return _look(office, call, StepName.REHEARSE_RESTORE)


def restore(office: Office, call: Call[RestoreAsk]) -> ErrandView:
    """Begin to restore a backup, the host closed meanwhile."""
    host, app = _asked(office, call)
    _refuse_in_rollout(office, host)
    profile = signed_profile(office, app)
    backup = _chosen(host, call.ask, _backups(office, host, profile))
    wish = Restore(
        host=host.id,
        profile=profile,
        backup=backup.name,
        grace_seconds=read_target(office, profile).grace_seconds,
        asked_by=call.who.name,
        then=_then(office, call, host, backup, profile),
    )
    return _begun(office, host, app, lambda: office.errands.restore(wish))


def errand(office: Office, call: Call[NoAsk]) -> ErrandView:
    """Return how far an errand has come."""
    found = office.errands.find(call.names["errand"])
    if found is None:
        raise Problem(
            Status.UNKNOWN,
            "the coordinator was started anew meanwhile and does not know how this ended",
            "look at the host: roundsman backup list HOST, roundsman doctor HOST",
        )
    return _view(office, known_host(office, found.host), found)


def _asked(office: Office, call: Call[Any]) -> tuple[Host, str]:
    """Return the host, linked, and the app. Raises `Problem`."""
    host = known_host(office, call.names["host"])
    if host.standing not in _IN_THE_FLEET:
        raise Problem(
            Status.CONFLICT,
            f"cannot ask {host.name} for its backups: it is {host.standing}",
            "roundsman fleet list",
        )
    standing = office.hub.standing(host.id)
    if not standing.linked:
        raise Problem(
            Status.CONFLICT,
            f"cannot ask {host.name} for its backups: it is not linked",
            f"switch it on, then look: roundsman fleet show {host.name}",
        )
    return host, call.ask.app or only_app(office)


def _look(office: Office, call: Call[BackupAsk], what: StepName) -> ErrandView:
    host, app = _asked(office, call)
    profile, backup = signed_profile(office, app), call.ask.backup
    return _begun(office, host, app, lambda: office.errands.look(host.id, what, profile, backup))


def _begun(office: Office, host: Host, app: str, begin: Callable[[], Errand]) -> ErrandView:
    try:
        begun = begin()
    except HostBusy:
        raise Problem(
            Status.CONFLICT,
            f"cannot ask {host.name}: one of its backups is being verified or restored",
            "wait until that has ended, then ask again",
        ) from None
    return _view(office, host, begun, app)


def _refuse_in_rollout(office: Office, host: Host) -> None:
    for row in office.rollouts.all(active=True):
        if host.id in {planned.id for planned in row.plan.hosts}:
            raise Problem(
                Status.CONFLICT,
                f"cannot restore a backup on {host.name}: it is in rollout {row.label}, which is "
                "under way",
                f"roundsman rollout roll-back {row.label}, or wait until it has ended",
            )


def _backups(office: Office, host: Host, profile: Target) -> list[BackupView]:
    answer = office.errands.list_backups(host.id, profile)
    if answer.verdict is not Verdict.DONE:
        raise Problem(
            Status.CONFLICT,
            f"cannot list the backups of {host.name}: {answer.problem}",
            f"roundsman fleet show {host.name}",
        )
    labels = {row.id: row.label for row in office.rollouts.all()}
    named = {n: {"name": n, "rollout": labels.get(n, "")} for n in answer.report.facts}
    return [
        BackupView.model_validate(named[name] | json.loads(about))
        for name, about in answer.report.facts.items()
    ]


def _chosen(host: Host, ask: RestoreAsk, backups: list[BackupView]) -> BackupView:
    """Return the backup that is named, else the newest complete one. Raises `Problem`."""
    look = f"roundsman backup list {host.name}"
    if ask.backup:
        named = [b for b in backups if b.name == ask.backup]
        if not named:
            raise Problem(Status.UNKNOWN, f"no backup {ask.backup} on {host.name}", look)
        if named[0].damaged or not named[0].complete:
            what = "is damaged" if named[0].damaged else "was never completed"
            raise Problem(Status.CONFLICT, f"cannot restore {ask.backup}: it {what}", look)
        return named[0]
    complete = [b for b in backups if b.complete and not b.damaged]
    if not complete:
        raise Problem(Status.UNKNOWN, f"no complete backup on {host.name}", look)
    return complete[-1]


def _then(
    office: Office, call: Call[RestoreAsk], host: Host, backup: BackupView, profile: Target
) -> Then:
    """Return what becomes of the cordon. Raises `Problem` where versions would be mixed."""
    if host.id in office.left_closed():
        return Then.AS_IT_IS
    others = _others(office, host, backup.version, profile)
    if not others:
        return Then.RE_OPEN
    if not call.ask.leave_closed:
        raise Problem(
            Status.CONFLICT,
            f"cannot restore {backup.version or 'this version'} on {host.name}: its group would "
            f"re-open with mixed versions: {', '.join(others[:_NAMED])}",
            f"roundsman backup restore {host.name} --backup {backup.name} --leave-closed keeps "
            "it closed until the next rollout of the group",
        )
    if not backup.rollout:
        raise Problem(
            Status.CONFLICT,
            f"cannot keep {host.name} closed: this coordinator does not know the rollout that "
            f"made the backup {backup.name}, so it could give no code that opens the host",
            "roundsman backup list shows those that it knows",
        )
    return Then.SEAL


def _others(office: Office, host: Host, version: str, profile: Target) -> list[str]:
    """Return which hosts of the group have another version, or do not say which."""
    group = [
        h
        for h in office.fleet.hosts(host.group, host.site)
        if h.id != host.id and h.standing in _IN_THE_FLEET
    ]
    said = office.surveyor.survey([h.id for h in group], profile)
    versions = {h.name: said[h.id].facts.get("app_version", "") for h in group}
    return [
        f"{name} has {found or 'one that is not known'}"
        for name, found in versions.items()
        if found != version
    ]


def _view(office: Office, host: Host, found: Errand, app: str = "") -> ErrandView:
    return ErrandView(
        id=found.id,
        host=host.name,
        host_id=host.id,
        app=app,
        what=found.what,
        began=found.began,
        now=office.clock(),
        ended=found.ended,
        verdict=found.verdict,
        step=found.step,
        bytes_done=found.bytes_done,
        bytes_total=found.bytes_total,
        detail=found.detail,
        mend=_mend(host, found),
        facts=dict(found.facts),
        findings=list(finding_views(found.findings, host.name)),
        stays_closed=found.stays_closed,
    )


def _mend(host: Host, found: Errand) -> str:
    if found.verdict is Verdict.UNKNOWN:
        return f"switch {host.name} on, look at it (roundsman doctor {host.name}), then ask again"
    if found.verdict is not None and found.stays_closed:
        return "roundsman plan APP VERSION, for a rollout of its whole group, opens it again"
    return ""
