"""The walk's port on the real world: agents over links, the store, the clock, the operator.

Nothing here is durable by itself; `coordinator.engine` makes each call one durable step. Every
act is written before it is asked for and after it is known.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from agent.wire.contract import (
    LEASE_SECONDS,
    CordonMode,
    Direction,
    Fence,
    StartOrder,
    StepName,
    StepParams,
    StepReport,
)
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.params import step_params
from coordinator.fleet.stepper import Stepper
from coordinator.model import Plan, PlannedHost, SurveyOf
from coordinator.store.rollouts import Rollouts
from coordinator.walk import led
from coordinator.walk.policy import closing_seconds
from coordinator.walk.ports import Command, News, Outcome, SightOf, Verdict

_POOL = 200
SETTLE_SECONDS = 10.0
"""So long after a daemon's start agents may still be dialing it (`agent.uplink.Backoff`)."""
_LOOK_SECONDS = 0.2
_WRITE_PROGRESS_SECONDS = 0.5
_DRAINED = (StepName.DRAIN, Direction.DO)
_LOOKED = (StepName.SURVEY, Direction.DO)
_FETCHING = {(StepName.STAGE, Direction.DO), (StepName.APPLY_RELEASE, Direction.DO)}
"""What may fetch a package: applying too, when what was staged is found damaged."""

Ticket = Callable[[str, StepParams], str]
"""Makes what lets one agent fetch one package, by host id and parameters."""


Permit = Callable[[Plan, StepName], str]
"""Returns why a step of a plan may not be begun now, "" when it may."""


Judge = Callable[[Plan, str, SurveyOf], str]
"""Returns why a host, by id, may not be visited now that this was found there, "" when it may."""


def _permitted(_plan: Plan, _step: StepName) -> str:
    return ""


def _unjudged(_plan: Plan, _host: str, _found: SurveyOf) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class World:
    """What every rollout shares: the links, the store, the cordons, the fence."""

    rollouts: Rollouts
    keeper: Keeper
    stepper: Stepper
    fence: Callable[[], Fence]
    ticket: Ticket
    permit: Permit = _permitted
    judge: Judge = _unjudged
    began: float = field(default_factory=time.monotonic)  # when this daemon started


class Outside:
    """One rollout's port (`coordinator.walk.ports.Port`)."""

    def __init__(self, plan: Plan, world: World) -> None:
        self._plan = plan
        self._world = world
        self._planned: dict[str, PlannedHost] = {p.id: p for p in plan.hosts}

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        """Have one host take a step; returns when it has ended or has long been silent."""
        if why := self._why_not(step, direction):
            return Outcome(host, Verdict.REFUSED, None, why)
        return self._take(host, step, direction, attempt)

    def _why_not(self, step: StepName, direction: Direction) -> str:
        return self._world.permit(self._plan, step) if direction is Direction.DO else ""

    def _take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        order = self._order(host, step, direction, attempt)
        rollouts = self._world.rollouts
        rollouts.begin_step(order.step_id, direction, attempt)
        begun = time.monotonic()
        verdict, report = self._world.stepper.take(
            host, order, self._plan.silence_seconds, self._progress_writer()
        )
        findings = self._world.stepper.findings(host, report)
        rollouts.end_step(report, verdict.value, findings)
        if verdict is Verdict.DONE and (step, direction) == _DRAINED:
            self._world.keeper.renew_seal(host)  # not before: people are still in it
        if verdict is Verdict.DONE and (step, direction) == _LOOKED:
            found = SurveyOf(report.facts, findings)
            if why := self._world.judge(self._plan, host, found):
                return Outcome(host, Verdict.REFUSED, None, why)
        why = led.why(report.refusal, report.detail)
        return Outcome(host, verdict, report.refusal, why, time.monotonic() - begun)

    def take_all(
        self, attempts: Mapping[str, int], step: StepName, direction: Direction
    ) -> list[Outcome]:
        """Have each host take the same step, at the same time."""
        if why := self._why_not(step, direction):
            return [Outcome(host, Verdict.REFUSED, None, why) for host in attempts]
        with ThreadPoolExecutor(min(len(attempts), _POOL) or 1, "take") as pool:
            takes = [
                pool.submit(self._take, host, step, direction, attempt)
                for host, attempt in attempts.items()
            ]
            return [take.result() for take in takes]

    def _order(self, host: str, step: StepName, direction: Direction, attempt: int) -> StartOrder:
        plan = self._plan
        draining = step is StepName.DRAIN
        params = step_params(plan, self._planned[host], step, self.now())
        return StartOrder(
            step_id=f"{plan.id}/{host}/{step}",
            direction=direction,
            attempt=attempt,
            fence=self._world.fence(),
            not_after=plan.step_seconds + (closing_seconds(plan) if draining else 0),
            params=params,
            ticket=self._world.ticket(host, params) if (step, direction) in _FETCHING else "",
        )

    def _progress_writer(self) -> Callable[[StepReport], None]:
        written, facts = 0.0, dict[str, str]()

        def write(report: StepReport) -> None:
            nonlocal written, facts
            told = self._world.rollouts
            if report.facts != facts:
                facts = report.facts
                told.note_facts(report.step_id, report.direction, facts)
            if report.bytes_total and time.monotonic() - written > _WRITE_PROGRESS_SECONDS:
                written = time.monotonic()
                told.note_progress(
                    report.step_id, report.direction, report.bytes_done, report.bytes_total
                )

        return write

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        """Put or renew the cordon on each host and return what each one saw.

        Right after a start nobody was seen yet: the agents get a moment to dial, so that a
        restart of the daemon is no alarm.
        """
        keeper, end = self._world.keeper, self._world.began + SETTLE_SECONDS
        sights = keeper.confirm(hosts, self._plan.id, mode)
        while any(map(_is_unseen, sights)) and time.monotonic() < end:
            self._world.stepper.pause(_LOOK_SECONDS)
            sights = keeper.confirm(hosts, self._plan.id, mode)
        return sights

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        """Let the app be opened again on each host."""
        return self._world.keeper.uncordon(hosts)

    def now(self) -> float:
        """Return the time, seconds since 1970."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._world.stepper.pause(seconds)

    def safe_point(self, after: int, patience: float) -> Command | None:
        """Return the operator's first command after number `after`, None without one."""
        end = time.monotonic() + patience
        while True:
            command = self._world.rollouts.next_command(self._plan.id, after)
            if command is not None or time.monotonic() >= end:
                return command
            self._world.stepper.pause(_LOOK_SECONDS)

    def tell(self, *news: News) -> None:
        """Show people where things stand."""
        self._world.rollouts.tell(self._plan.id, *news)


def _is_unseen(of: SightOf) -> bool:
    """True for a host that does not answer and was not seen within a lease either."""
    return of.sight is None and time.time() >= of.confirmed_at + LEASE_SECONDS
