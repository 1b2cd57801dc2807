"""Releases found to be bad: off offer at once, off the signed list once that is signed.

From the moment of the request nothing here begins with such a release any more. What is under
way is not broken off: a rollout waits at its next safe point, with the way back open.
"""

import hashlib
from collections.abc import Collection, Iterator

from agent.wire.contract import Target
from agent.wire.manifest import read_manifest
from coordinator.api.asks import WithdrawAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.withdraw_schemas import HeldUpView, WithdrawnView
from coordinator.model import Plan, StagingState
from coordinator.releases.gate import is_off_offer
from coordinator.store.rows import PackageRow, RolloutRow, Withdrawal
from coordinator.walk.ports import Command, Verb
from coordinator.walk.states import RolloutState

_TOO_LATE = {
    RolloutState.ROLLING_BACK: "goes back to the old release already",
    RolloutState.RE_OPENING: "lets people in again already, with this release",
}
_MOST_BY = 100


def withdraw(office: Office, call: Call[WithdrawAsk]) -> WithdrawnView:
    """Take a release off offer, or put it back; agents do as before until the list is signed."""
    app, version = call.names["app"], call.names["version"]
    rows = office.catalogue.packages(app, version)
    if not rows:
        raise Problem(
            Status.UNKNOWN, f"no package of {app} {version}", f"roundsman release list --app {app}"
        )
    if call.ask.undo:
        return _put_back(office, rows)
    office.repository.withdraw([_target(row) for row in rows])  # first: a crash leaves it off
    how = Withdrawal(office.clock(), call.who.name, call.ask.why)
    office.catalogue.mark_withdrawn(app, version, how)
    seen = _view(office, rows)
    told = {"stagings": _stop_stagings(office, rows), "rollouts": _hold_up(office, rows, call)}
    return seen.model_copy(update=told)


def _put_back(office: Office, rows: Collection[PackageRow]) -> WithdrawnView:
    with office.repository.lock:  # what is found to be here is not deleted meanwhile
        for row, raw in [(row, _manifest(office, row)) for row in rows]:
            office.repository.add(row.target, raw)
            office.catalogue.mark_withdrawn(row.app, row.version, None)
    return _view(office, rows).model_copy(update={"undone": True})


def _manifest(office: Office, row: PackageRow) -> bytes:
    """Return what is signed of a package that is still here. Raises `Problem`."""
    try:
        raw = office.repository.content(_target(row))
        is_whole = hashlib.sha256(raw).hexdigest() == row.sha256
        if is_whole and office.packages.path(read_manifest(raw).content_sha256):
            return raw
    except (OSError, ValueError):
        pass
    raise Problem(
        Status.CONFLICT,
        f"cannot put {row.app} {row.version} back on offer: its content is here no more",
        f"roundsman release add {row.app} {row.version} FILE, then roundsman release sign",
    )


def _view(office: Office, rows: Collection[PackageRow]) -> WithdrawnView:
    row, targets = next(iter(rows)), {_target(one) for one in rows}
    waiting = {*office.repository.drafted(), *office.repository.withdrawn()}
    return WithdrawnView(
        app=row.app,
        version=row.version,
        targets=sorted(target.name for target in targets),
        to_sign=not waiting.isdisjoint(targets),
        dropped=office.repository.dropped(),
    )


def _stop_stagings(office: Office, rows: Collection[PackageRow]) -> tuple[str, ...]:
    releases = {(row.app, row.version) for row in rows}
    mine = [s for s in office.stagings.under_way() if (s.app, s.version) in releases]
    for staging in mine:
        office.stagings.end(staging.id, StagingState.STOPPED, office.clock())
    return tuple(staging.label for staging in mine)


def _hold_up(
    office: Office, rows: Collection[PackageRow], call: Call[WithdrawAsk]
) -> tuple[HeldUpView, ...]:
    targets = {_target(row) for row in rows}
    found = [r for r in office.rollouts.all(active=True) if _uses(r, targets)]
    why = f": {call.ask.why}" if call.ask.why else ""
    by = f"{call.who.name}{why}"[:_MOST_BY]
    return tuple(_told(office, row, by) for row in reversed(found))


def _uses(row: RolloutRow, targets: Collection[Target]) -> bool:
    return not row.plan.drill and any(p.visited and p.package in targets for p in row.plan.hosts)


def _told(office: Office, row: RolloutRow, by: str) -> HeldUpView:
    seen = HeldUpView(label=row.label, state=row.state, outcome=_TOO_LATE.get(row.state, ""))
    if seen.outcome:
        return seen
    office.engine.say(row.id, Command(1, Verb.WITHDRAW, by=by))
    waits = "waits at its next safe point: no further workstation is begun"
    return seen.model_copy(
        update={"outcome": waits, "mend": f"roundsman rollout abort {row.label} --roll-back-all"}
    )


def refuse_withdrawn(office: Office, app: str, version: str) -> None:
    """Raise `Problem` when a release was withdrawn, and says by whom and why."""
    said = [in_words(row) for row in office.catalogue.packages(app, version)]
    if any(said):
        raise Problem(
            Status.CONFLICT,
            f"{app} {version} was withdrawn {max(said)}",
            f"take another version: roundsman release list --app {app}",
        )


def against(office: Office, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what speaks against a plan whose release was withdrawn, and what to do."""
    how = max(map(in_words, office.catalogue.packages(plan.app, plan.version)), default="")
    if how and is_off_offer(office.repository, plan):
        mend = f"roundsman plan {plan.app} VERSION, with another version"
        yield f"{plan.app} {plan.version} was withdrawn {how}", mend


def in_words(row: PackageRow) -> str:
    """Return by whom a package was withdrawn and why, "" when nobody has."""
    if row.withdrawn is None:
        return ""
    return f"by {row.withdrawn.by}" + (f": {row.withdrawn.why}" if row.withdrawn.why else "")


def _target(row: PackageRow) -> Target:
    return Target(row.target, row.sha256)
