"""The decisions of the walk, one function each. Pure: what is known goes in as values."""

from collections.abc import Collection, Sequence

from agent.wire.contract import LEASE_SECONDS, CordonMode, StepName
from coordinator.model import SharedData
from coordinator.walk.ports import SightOf

PREPARE = (StepName.SURVEY, StepName.STAGE)
"""Taken on all hosts at once, while people work on."""

CLOSE = (StepName.DRAIN, StepName.STOP_SERVICE_MANAGER)
"""Taken on all hosts at once: app and service manager are closed everywhere (row I4)."""

VISIT = (
    StepName.BACK_UP,
    StepName.APPLY_RELEASE,
    StepName.START_SERVICE_MANAGER,
    StepName.CHECK_HEALTH,
)
"""Taken on one host at a time, all others confirmed closed."""

CHANGES_A_HOST = frozenset({StepName.BACK_UP, StepName.APPLY_RELEASE})
"""Before these every other host is asked afresh (invariant I2); what follows them is the same
visit, which finishes."""

WAY_BACK = (
    StepName.CHECK_HEALTH,
    StepName.START_SERVICE_MANAGER,
    StepName.APPLY_RELEASE,
    StepName.BACK_UP,
)
"""Undone in this order to bring one host back to its old release."""

COMMIT = (
    StepName.APPLY_RELEASE,
    StepName.BACK_UP,
    StepName.BACK_UP_DATA,
    StepName.STAGE,
    StepName.START_SERVICE_MANAGER,
    StepName.CHECK_HEALTH,
    StepName.DRAIN,
    StepName.SURVEY,
)
"""Tidied once, on all updated hosts, when the group is open again; the way back ends here."""

WAY_BACK_SHARE = 0.5
"""What a roll-back may take, as a share of a visit: no back-up and no soak in it."""


def not_closed(
    sights: Sequence[SightOf], now: float, *, off: Collection[str] = (), spared_is_open: bool
) -> list[SightOf]:
    """Return the hosts that are not confirmed closed at `now` (invariant I2).

    A host out of sight counts as closed while the lease of its last confirmation lives,
    counted from before that was asked for, and when an operator says that it is `off`. With
    `spared_is_open` a service manager that the agent itself started counts as open too.
    """
    seen = [s for s in sights if s.sight is not None or s.host not in off]
    return [s for s in seen if not _is_closed(s, now, spared_is_open=spared_is_open)]


def _is_closed(of: SightOf, now: float, *, spared_is_open: bool) -> bool:
    if of.sight is None:
        return 0 < of.confirmed_at <= now < of.confirmed_at + LEASE_SECONDS
    sight = of.sight
    if sight.refusal is not None or sight.code_used or not sight.guarded:
        return False
    if sight.mode is not CordonMode.SEALED or sight.open:
        return False
    return not (spared_is_open and sight.spared)


def visit_seconds(estimate: float, slowest: float) -> float:
    """Return how long to allow for one visit, its way back included (invariant I3).

    `slowest` is the slowest visit so far, 0 while there was none.
    """
    return max(estimate, slowest) * (1 + WAY_BACK_SHARE)


def seconds_left(estimate: float, slowest: float, spent: float) -> float:
    """Return how long to allow for the rest of a visit whose steps have taken `spent` so far."""
    whole = visit_seconds(estimate, slowest)
    return max(whole - spent, whole * WAY_BACK_SHARE / (1 + WAY_BACK_SHARE))


def group_seconds(
    estimates: Sequence[float], grace: float, data: SharedData | None = None
) -> float:
    """Return how long to allow for a group: closing it, its data, each visit, and a way back.

    The way back is that of one host, or of all and their data when none goes back alone.
    """
    backup = data.seconds if data else 0.0
    needed = grace + backup + sum(estimates)
    if data and not data.old_reads_new:
        return needed + all_back_seconds(estimates, data)
    return needed + max(estimates, default=0.0) * WAY_BACK_SHARE


def all_back_seconds(estimates: Sequence[float], data: SharedData) -> float:
    """Return how long to allow for bringing hosts back, and the data they share."""
    return sum(estimates) * WAY_BACK_SHARE + data.seconds


def fits(now: float, deadline: float, needed: float) -> bool:
    """True when what is begun now and takes `needed` seconds ends before the deadline."""
    return now + needed <= deadline


def why_open(of: SightOf) -> str:
    """Return, in an operator's words, why a host does not count as closed."""
    sight = of.sight
    if sight is None:
        return of.detail or "cannot be seen"
    if sight.refusal is not None:
        return sight.detail or f"refused the cordon: {sight.refusal}"
    if sight.code_used or sight.mode is CordonMode.NONE:
        return "was opened on the spot, with its one-time code or by its administrator"
    if sight.mode is not CordonMode.SEALED:
        return "is not sealed"
    if sight.open:
        who = ", ".join(sorted({f"{p.program} of {p.user or 'nobody'}" for p in sight.open}))
        return f"has it open: {who}"
    if sight.spared:
        return "has its service manager running"
    return "has not looked yet since it was sealed"
