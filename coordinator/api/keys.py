"""The keys that sign what may be installed: which there are, and how they change.

No key that signs by hand ever comes here: what comes is signed elsewhere, and judged.
"""

import datetime as dt

from agent.wire.contract import Severity
from coordinator.api.asks import NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.key_schemas import (
    ChangeAsk,
    ChangeView,
    KeysView,
    OnlineKeyView,
    RoleView,
)
from coordinator.api.office import Office
from coordinator.api.schemas import FindingView, ProgressView
from coordinator.releases.changes import Change
from coordinator.releases.expiry import Ending, endings
from coordinator.releases.signatures import NotPublished, Progress

_LIST = "roundsman keys list"


def keys(office: Office, _call: Call[NoAsk]) -> KeysView:
    """Return which keys sign what, until when it is good, and the change that waits."""
    changes = office.repository.changes
    return KeysView(
        roles=[
            RoleView(
                role=role,
                fingerprints=list(standing.fingerprints),
                threshold=standing.threshold,
                expires=standing.expires.timestamp(),
            )
            for role, standing in office.repository.roles().items()
        ],
        endings=[finding(ending) for ending in ending_soon(office)],
        roots=[raw.decode() for raw in changes.roots()],
        targets=changes.targets().decode(),
        change=_waiting(office),
    )


def _waiting(office: Office) -> ChangeView | None:
    changes = office.repository.changes
    waits, reached = changes.waiting(), changes.progress()
    if waits is None or reached is None:
        return None
    roots = [raw.decode() for raw in waits.roots]
    return ChangeView(roots=roots, targets=waits.targets.decode(), progress=progress(reached))


def online(office: Office, _call: Call[NoAsk]) -> OnlineKeyView:
    """Return the public half of the online key to come; it stays on the coordinator."""
    key = office.repository.changes.next_online_key()
    return OnlineKeyView(fingerprint=key.keyid, key=key.to_dict())


def propose(office: Office, call: Call[ChangeAsk]) -> ProgressView:
    """Take a change of keys; it replaces one that waits for signatures."""
    try:
        return progress(office.repository.changes.propose(_change(call.ask)))
    except NotPublished as error:
        raise Problem(Status.CONFLICT, str(error), _LIST) from None


def sign(office: Office, call: Call[ChangeAsk]) -> ProgressView:
    """Take further signatures of the change that waits."""
    try:
        return progress(office.repository.changes.sign(_change(call.ask)))
    except NotPublished as error:
        raise Problem(Status.CONFLICT, str(error), _LIST) from None


def drop(office: Office, _call: Call[NoAsk]) -> KeysView:
    """Forget the change that waits."""
    if not office.repository.changes.drop():
        raise Problem(Status.CONFLICT, "no change of keys waits", _LIST)
    return keys(office, _call)


def ending_soon(office: Office) -> list[Ending]:
    """Return what of the signed metadata expires soon, or has."""
    now = dt.datetime.fromtimestamp(office.clock(), dt.UTC)
    return endings(office.repository.expiries(), now)


def finding(ending: Ending) -> FindingView:
    """Return an expiry as the doctor tells it."""
    severity = Severity.BLOCKS if ending.is_over else Severity.WARNING
    return FindingView(
        host="the coordinator",
        code="signature-expires",
        severity=severity,
        message=ending.text,
        fix=ending.mend,
    )


def progress(reached: Progress) -> ProgressView:
    """Return how far signatures have come, as people see it."""
    return ProgressView(
        signed=list(reached.signed),
        done=reached.done,
        threshold=reached.threshold,
        may_sign=list(reached.may_sign),
        published=reached.published,
    )


def _change(ask: ChangeAsk) -> Change:
    return Change(tuple(raw.encode() for raw in ask.roots), ask.targets.encode())
