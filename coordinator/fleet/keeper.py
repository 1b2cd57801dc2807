"""Keeps the cordons: what the store wants is ordered, renewed at every ping, and remembered.

A lease is counted from before its order was sent, on a clock that nobody sets, so it always ends
here before it ends on the host (invariant I2). Renewal belongs to the daemon, not to the walk: a
long step would starve it.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agent.wire.contract import (
    CordonMode,
    CordonOrder,
    Fence,
    Refusal,
    Sight,
    Target,
    UncordonOrder,
)
from agent.wire.notices import Outlook
from coordinator.fleet.hub import Order
from coordinator.fleet.stepper import Links
from coordinator.fleet.trust import Trust, Wish, Word
from coordinator.store.cordons import Cordons
from coordinator.store.rows import CordonRow
from coordinator.walk.policy import why_open
from coordinator.walk.ports import SightOf

_CALL_SECONDS = 5.0
_NO_OUTLOOK = Outlook()
_CordonOrder = CordonOrder | UncordonOrder
_METHODS = {CordonOrder: "cordon", UncordonOrder: "uncordon"}


class Closing(Protocol):
    """What a cordon is put on for, as far as the keeper must know: a plan is one."""

    @property
    def profile(self) -> Target:
        """The signed profile that says what is closed."""

    @property
    def notice(self) -> str:
        """What people read who open it all the same."""

    @property
    def close_between_visits(self) -> bool:
        """Whether a service manager that the agent itself started counts as open."""


class Keeper:
    """Orders the cordons that are wanted, and knows when each was last confirmed.

    Any thread may call it: the pings of the hub do, and each walk's own.
    """

    def __init__(
        self,
        wanted: Cordons,
        links: Links,
        fence: Callable[[], Fence],
        plan_of: Callable[[str], Closing | None],
        trust: Trust,
        outlook: Callable[[str, str], Outlook] = lambda _rollout, _host: _NO_OUTLOOK,
    ) -> None:
        self._store = wanted
        self._links = links
        self._fence = fence
        self._plan_of = plan_of
        self._clock = trust.clock
        self._outlook = outlook
        self._lock = threading.Lock()
        self._wanted = wanted.all()
        self._plans: dict[str, Closing] = {}
        self._sent: dict[str, tuple[_CordonOrder, float]] = {}  # the last order, and when
        self._confirmed: dict[str, float] = {}
        self._trust = trust

    # -- at every ping -------------------------------------------------------------------

    def orders(self, host: str) -> Sequence[Order]:
        """Return what to say to a host at this ping; () when it has no cordon."""
        row = self._wanted.get(host)
        if row is None:
            return ()
        order = self._order(row)
        self._sent[host] = (order, self._clock())
        return [(_METHODS[type(order)], order)]

    def heard(self, host: str, order: object, answer: object) -> None:
        """Take in what an agent answered to an order, or the error it came to.

        Pings and the walk ask at the same time: what is wanted may have changed since the order.
        """
        row = self._wanted.get(host)
        if row is None or not isinstance(answer, Sight):
            self._trust.forget(host)
        elif isinstance(order, CordonOrder) and row.mode is not CordonMode.NONE:
            if order.code_hash == row.code_hash:
                self._judge(row, order, answer)
        elif isinstance(order, UncordonOrder) and row.mode is CordonMode.NONE is answer.mode:
            self._store.forget(host)
            self._refresh(host)

    def _judge(self, row: CordonRow, order: CordonOrder, answer: Sight) -> None:
        host = row.host
        ended = answer.refusal is None and answer.mode is CordonMode.NONE
        if (answer.code_used or ended) and not row.opened:
            why = why_open(SightOf(host, answer))
            self._store.note_opened(host, why, self._trust.today())
            self._refresh(host)
        last, at = self._sent[host]
        if not self._is_closed(row, answer):
            self._confirmed.pop(host, None)
            self._trust.forget(host)
        elif order is last:  # a good answer to an older order may be older than a bad one
            self._confirmed[host] = at
            self._trust.note(host, Word((row, order.fence), answer, at))

    def _is_closed(self, row: CordonRow, sight: Sight) -> bool:
        plan = self._plan(row.rollout)
        strict = plan is None or plan.close_between_visits
        return (
            sight.mode is CordonMode.SEALED
            and sight.guarded
            and sight.refusal is None
            and not sight.code_used
            and not sight.open
            and not (strict and sight.spared)
        )

    # -- for the walk --------------------------------------------------------------------

    def confirm(self, hosts: Sequence[str], rollout: str, mode: CordonMode) -> list[SightOf]:
        """Order the cordon on each host and return what each one saw.

        In a large group most are not asked anew that have just said it (`Trust`).
        """
        if not self._is_wanted(hosts, rollout, mode):
            self._store.want(hosts, rollout, mode)
            self._refresh(*hosts)
        told = self._trust.told(self._wishes(hosts))
        asked = self._ask([h for h in hosts if h not in told], "cordon")
        seen = {s.host: s for s in asked}
        seen |= {
            h: SightOf(h, word.sight, self._trust.moment(word.at), asked=False)
            for h, word in told.items()
        }
        return [seen[h] for h in hosts if h in seen]

    def _wishes(self, hosts: Sequence[str]) -> dict[str, Wish]:
        fence, wanted = self._fence(), self._wanted
        return {h: (wanted[h], fence) for h in hosts if h in wanted}

    def _is_wanted(self, hosts: Sequence[str], rollout: str, mode: CordonMode) -> bool:
        rows = [self._wanted.get(host) for host in hosts]
        return all(row and (row.rollout, row.mode) == (rollout, mode) for row in rows)

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        """Lift the cordons; a host that cannot be reached is told when it is back."""
        self._store.lift(hosts)
        self._refresh(*hosts)
        return self._ask(hosts, "uncordon")

    # -- for what is asked of one host outside of a rollout --------------------------------

    def close_for(self, errand: str, closing: Closing) -> None:
        """Let cordons be put on for an errand; known to this run of the daemon only."""
        self._plans[errand] = closing

    def uncordon_for(self, cause: str, hosts: Sequence[str]) -> list[SightOf]:
        """Lift the cordons that were put on for one rollout or errand, and no other."""
        wanted = self._wanted
        return self.uncordon([h for h in hosts if h in wanted and wanted[h].rollout == cause])

    def lift_strays(self) -> None:
        """Lift the leases of errands that an earlier run of the daemon has left behind."""
        leased = [r for r in self._wanted.values() if r.mode is CordonMode.LEASED]
        strays = [row.host for row in leased if self._plan(row.rollout) is None]
        if strays:
            self._store.lift(strays)
            self._refresh(*strays)

    def cause(self, host: str) -> str:
        """Return the rollout or errand that a host's cordon is wanted for, "" = none is."""
        row = self._wanted.get(host)
        return row.rollout if row else ""

    def is_sealed(self, host: str) -> bool:
        """True for a host that is to be sealed, and was not opened on the spot."""
        return host in self.sealed()

    def renew_seal(self, host: str) -> None:
        """Let a host that was opened on the spot be sealed again, with a new code."""
        row = self._wanted.get(host)
        if row is not None and row.opened:
            self._store.renew(host)
            self._refresh(host)

    def codes(self, rollout: str) -> dict[str, str]:
        """Return the one-time code of each host that is sealed for a rollout."""
        return {h: row.code for h, row in self._wanted.items() if row.rollout == rollout}

    def sealed(self) -> list[str]:
        """Return the hosts that are to be sealed, and were not opened on the spot."""
        rows = self._wanted.values()
        return [r.host for r in rows if r.mode is CordonMode.SEALED and not r.opened]

    def _ask(self, hosts: Sequence[str], method: str) -> list[SightOf]:
        sights = self._ask_once(hosts, method)
        if stale := [s.host for s in sights if self._is_outdated(s)]:
            again = {s.host: s for s in self._ask_once(stale, method)}
            sights = [again.get(s.host, s) for s in sights]
        return sights

    def _is_outdated(self, of: SightOf) -> bool:
        """True for a host that refused an epoch of ours, which we have raised meanwhile."""
        if of.sight is None or of.sight.refusal is not Refusal.STALE_EPOCH:
            return False
        return self._sent[of.host][0].fence != self._fence()

    def _ask_once(self, hosts: Sequence[str], method: str) -> list[SightOf]:
        now, wanted = self._clock(), self._wanted
        orders = {h: self._order(wanted[h]) for h in hosts if h in wanted}
        self._sent |= {h: (order, now) for h, order in orders.items()}
        answers = self._links.call_all(orders, method, _CALL_SECONDS)
        for host, answer in answers.items():
            self.heard(host, orders[host], answer)
        return [self._sight(h, answers.get(h)) for h in orders]

    def _sight(self, host: str, answer: Any) -> SightOf:
        at = self._confirmed.get(host)
        confirmed = 0.0 if at is None else self._trust.moment(at)
        if isinstance(answer, Sight):
            return SightOf(host, answer, confirmed)
        return SightOf(host, None, confirmed, f"cannot be seen: {answer}"[:500])

    # -- orders --------------------------------------------------------------------------

    def _order(self, row: CordonRow) -> _CordonOrder:
        plan = self._plan(row.rollout)
        if row.mode is CordonMode.NONE or plan is None:
            return UncordonOrder(row.rollout, self._fence())
        return CordonOrder(
            rollout=row.rollout,
            profile=plan.profile,
            mode=row.mode,
            fence=self._fence(),
            text=plan.notice,
            outlook=self._outlook(row.rollout, row.host),
            code_hash=row.code_hash,
            code_salt=row.salt,
        )

    def _plan(self, rollout: str) -> Closing | None:
        if rollout not in self._plans:
            found = self._plan_of(rollout)
            if found is None:
                return None
            self._plans[rollout] = found
        return self._plans[rollout]

    def _refresh(self, *hosts: str) -> None:
        with self._lock:  # else an older reading may be kept instead of a newer one
            others = {h: self._wanted[h] for h in self._wanted.keys() - set(hosts)}
            self._wanted = others | self._store.of(hosts)
