"""Keeps the cordons: what the store wants is ordered, renewed at every ping, and remembered.

A lease is counted from before its order was sent, so it always ends here before it ends on the
host (invariant I2). Renewal belongs to the daemon, not to the walk: a long step would starve it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from agent.wire.contract import (
    CordonMode,
    CordonOrder,
    Fence,
    Sight,
    UncordonOrder,
)
from coordinator.fleet.hub import Order
from coordinator.fleet.stepper import Links
from coordinator.model import Plan
from coordinator.store.cordons import Cordons
from coordinator.store.rows import CordonRow
from coordinator.walk.ports import SightOf

_CALL_SECONDS = 5.0
_METHODS = {CordonOrder: "cordon", UncordonOrder: "uncordon"}


class Keeper:
    """Orders the cordons that are wanted, and knows when each was last confirmed."""

    def __init__(
        self,
        wanted: Cordons,
        links: Links,
        fence: Callable[[], Fence],
        plan_of: Callable[[str], Plan | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = wanted
        self._links = links
        self._fence = fence
        self._plan_of = plan_of
        self._clock = clock
        self._wanted = wanted.all()
        self._plans: dict[str, Plan] = {}
        self._sent: dict[str, float] = {}
        self._confirmed: dict[str, float] = {}

    # -- at every ping -------------------------------------------------------------------

    def orders(self, host: str) -> Sequence[Order]:
        """Return what to say to a host at this ping; () when it has no cordon."""
        row = self._wanted.get(host)
        if row is None:
            return ()
        order = self._order(row)
        self._sent[host] = self._clock()
        return [(_METHODS[type(order)], order)]

    def heard(self, host: str, answer: object) -> None:
        """Take in what an agent answered to an order, or the error it came to."""
        row = self._wanted.get(host)
        if row is None or not isinstance(answer, Sight):
            return
        if row.mode is CordonMode.NONE:
            if answer.mode is CordonMode.NONE:
                self._store.forget(host)
                self._refresh()
            return
        ended = answer.refusal is None and answer.mode is CordonMode.NONE
        if (answer.code_used or ended) and not row.opened:
            self._store.note_opened(host)
            self._refresh()
        if self._is_closed(row, answer):
            self._confirmed[host] = self._sent.get(host, 0.0)
        else:
            self._confirmed.pop(host, None)

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
        """Order the cordon on each host and return what each one saw."""
        self._store.want(hosts, rollout, mode)
        self._refresh()
        return self._ask(hosts, "cordon")

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        """Lift the cordons; a host that cannot be reached is told when it is back."""
        self._store.lift(hosts)
        self._refresh()
        return self._ask([h for h in hosts if h in self._wanted], "uncordon")

    def renew_seal(self, host: str) -> None:
        """Let a host that was opened on the spot be sealed again, with a new code."""
        self._store.renew(host)
        self._refresh()

    def codes(self, rollout: str) -> dict[str, str]:
        """Return the one-time code of each host that is sealed for a rollout."""
        return {h: row.code for h, row in self._wanted.items() if row.rollout == rollout}

    def _ask(self, hosts: Sequence[str], method: str) -> list[SightOf]:
        now = self._clock()
        orders = {h: self._order(self._wanted[h]) for h in hosts}
        self._sent |= dict.fromkeys(orders, now)
        answers = self._links.call_all(orders, method, _CALL_SECONDS)
        for host, answer in answers.items():
            self.heard(host, answer)
        return [self._sight(h, answers.get(h)) for h in hosts]

    def _sight(self, host: str, answer: Any) -> SightOf:
        confirmed = self._confirmed.get(host, 0.0)
        if isinstance(answer, Sight):
            return SightOf(host, answer, confirmed)
        return SightOf(host, None, confirmed, f"cannot be seen: {answer}"[:500])

    # -- orders --------------------------------------------------------------------------

    def _order(self, row: CordonRow) -> CordonOrder | UncordonOrder:
        plan = self._plan(row.rollout)
        if row.mode is CordonMode.NONE or plan is None:
            return UncordonOrder(row.rollout, self._fence())
        return CordonOrder(
            rollout=row.rollout,
            profile=plan.profile,
            mode=row.mode,
            fence=self._fence(),
            text=plan.notice,
            code_hash=row.code_hash,
            code_salt=row.salt,
        )

    def _plan(self, rollout: str) -> Plan | None:
        if rollout not in self._plans:
            found = self._plan_of(rollout)
            if found is None:
                return None
            self._plans[rollout] = found
        return self._plans[rollout]

    def _refresh(self) -> None:
        self._wanted = self._store.all()
