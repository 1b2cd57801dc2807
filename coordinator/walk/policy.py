"""The decisions of the walk, one function each. Pure: what is known goes in as values."""

from collections.abc import Collection, Sequence

from agent.wire.contract import LEASE_SECONDS, CordonMode, Sight, StepName
from coordinator.model import Plan, PlannedHost, SharedData
from coordinator.walk import led
from coordinator.walk.ports import Outcome, SightOf, Verdict
from coordinator.walk.sessions import in_use_by, open_in

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

_PLAIN = {
    StepName.SURVEY: "be looked at",
    StepName.STAGE: "be given the release",
    StepName.DRAIN: "close the app",
}
_SERVER = "server"
_BY_ADMINISTRATOR = "administrator"  # in an agent's words

CHANGES_A_HOST = frozenset({StepName.BACK_UP, StepName.APPLY_RELEASE})
"""Before these every other host is confirmed closed (invariant I2; how, the port decides), anew
unless all of them have just said so; what follows them is the same visit, which finishes."""
LEAVE_SECONDS = 10.0
"""So long the oldest word of the others holds for a second change: the time between two pings."""

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

POSTPONE_SECONDS = 300.0
"""What "5 more minutes" adds to the grace period."""

_APPLIES = frozenset({StepName.STAGE, StepName.APPLY_RELEASE})
_BACKS_UP = frozenset({StepName.BACK_UP, StepName.BACK_UP_DATA})


def cannot(step: StepName, why: str) -> str:
    """Return how a sentence ends that begins with a host that cannot take a step.

    What a host says itself may be such a sentence: then it stands alone.
    """
    if why.startswith("cannot "):
        return f": {why}"
    return f" cannot {_PLAIN.get(step, step.replace('-', ' '))}: {why or 'no answer'}"


def steps_of(plan: Plan, steps: Sequence[StepName]) -> tuple[StepName, ...]:
    """Return those of these steps that a walk of this plan takes: a drill applies nothing."""
    left_out = (_APPLIES if plan.drill else frozenset()) | (
        frozenset() if plan.backs_up else _BACKS_UP
    )
    return tuple(step for step in steps if step not in left_out)


def bears_repeating(outcome: Outcome) -> bool:
    """True when the step ended, and ended badly."""
    return outcome.verdict in {Verdict.FAILED, Verdict.REFUSED}


def is_first(plan: Plan, planned: PlannedHost) -> bool:
    """True for a host that is updated before the others, where a profile wants that."""
    return bool(plan.server_first) and planned.role == plan.server_first


def may_be_mixed(plan: Plan) -> bool:
    """True when others may use the old release once the server has the new one (I4)."""
    data_forbids = plan.data is not None and not plan.data.old_reads_new
    has_first = any(is_first(plan, planned) for planned in plan.hosts)
    return has_first and not data_forbids and not plan.drill


def is_closed_anew(plan: Plan) -> bool:
    """False when the group may be mixed, and its server has the release already.

    Nobody is closed then but for the visit of his own host.
    """
    first = [p for p in plan.hosts if is_first(plan, p)]
    has_it = all(not p.visited and p.from_version == plan.version for p in first)
    return not (may_be_mixed(plan) and has_it and plan.data is None)


def opening_order(plan: Plan, hosts: Sequence[str]) -> list[list[str]]:
    """Return these hosts in the order in which they re-open: servers before the others."""
    holder = plan.data.holder if plan.data else ""
    roles = {_SERVER, plan.server_first} - {""}
    early = {p.id for p in plan.hosts if p.role in roles or p.id == holder}
    waves = [h for h in hosts if h in early], [h for h in hosts if h not in early]
    return [wave for wave in waves if wave]


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


def closing_seconds(plan: Plan) -> float:
    """Return how long closing may take, everybody postponing as often as he may (I3)."""
    return plan.grace_seconds + plan.postpones * POSTPONE_SECONDS


def plan_seconds(plan: Plan, hosts: Sequence[PlannedHost]) -> float:
    """Return how long to allow for what must be done of a plan, these hosts being visited.

    Where others may use the old release meanwhile, only the server must be done.
    """
    mixed = may_be_mixed(plan)
    visited = [p for p in hosts if p.visited and (is_first(plan, p) or not mixed)]
    return group_seconds([p.estimate_seconds for p in visited], closing_seconds(plan), plan.data)


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
    if led.is_led(sight.refusal):
        return led.FOLLOWS
    if sight.refusal is not None:
        return sight.detail or f"refused the cordon: {sight.refusal}"
    if is_opened(of):
        return _how_opened(sight) + _in_use(sight)
    if sight.mode is not CordonMode.SEALED:
        return "is not sealed"
    if sight.open:
        return open_in(sight.open)
    if sight.spared:
        return "has its service manager running"
    return "has not looked yet since it was sealed"


def is_opened(of: SightOf) -> bool:
    """True for a host that somebody opened on the spot: only an operator closes it again."""
    sight = of.sight
    if sight is None or sight.refusal is not None:
        return False
    return sight.code_used or sight.mode is CordonMode.NONE


def owes_a_drain(of: SightOf) -> bool:
    """True for a host that answers the order to seal itself with a lease.

    Its lease had ended while the coordinator was silent, and people came in again.
    """
    sight = of.sight
    return sight is not None and sight.refusal is None and sight.mode is CordonMode.LEASED


def _how_opened(sight: Sight) -> str:
    if sight.code_used:
        return "was opened on the spot, with its one-time code"
    who = "by its administrator" if _BY_ADMINISTRATOR in sight.detail else "and is closed no more"
    return f"was opened on the spot, {who}"


def _in_use(sight: Sight) -> str:
    said = in_use_by(sight.open)
    return f"; {said}" if said else ""
