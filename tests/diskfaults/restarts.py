"""The agent is ended in the middle of an update, started again, ended again, and so on."""

import random
import time
from dataclasses import dataclass, field

from tests.diskfaults.agent import Agent, AgentDied
from tests.diskfaults.bench import Bench
from tests.diskfaults.judge import Judge
from tests.diskfaults.scenarios import APPLY, UNAPPLY, Order, Scenario
from tests.diskfaults.strace import KILL, Call, fired, injecting


@dataclass
class Restarts:
    """What came of them."""

    wanted: int
    fired: int = 0
    runnable: int = 0
    ended: int = 0  # how often an update or its undo came to its end in between
    wrong: list[str] = field(default_factory=list)


class Restarting:
    """One office whose agent is a fresh interpreter each time, killed at calls chosen by lot."""

    def __init__(self, bench: Bench, scenario: Scenario, calls: list[Call], seed: int) -> None:
        self._bench = bench
        self._judge: Judge = bench.restore(scenario.name)
        self._calls = [call for call in calls if call.changes]
        self._chance = random.Random(seed)
        self._order: Order = APPLY
        self._attempt = 1

    def run(self, times: int, until: float) -> Restarts:
        """Restart it that often, each time by a kill that hit, or till then on this machine."""
        result = Restarts(times)
        while result.fired < times and not result.wrong and time.monotonic() < until:
            self._once(result)
        return result

    def _once(self, result: Restarts) -> None:
        call = self._chance.choice(self._calls)
        log = self._bench.folder / "restart.log"
        tracer = injecting(log, call.name, str(call.number), KILL)
        agent = Agent(self._judge.place.root, tracer, "lane", fresh=True)
        try:
            agent.hear()
            wrong = self._judge.holds({"old", "new"}) + self._judge.way_back()
            result.runnable += not wrong
            result.wrong += wrong
            self._note(agent.order(self._order, self._attempt), result)
            agent.kill()
        except AgentDied:
            agent.reap()
        result.fired += fired(tracer.end(), KILL)

    def _note(self, report: dict[str, str], result: Restarts) -> None:
        if report["state"] != "done":
            result.wrong.append(f"{self._order.step} {self._order.direction}: {report}")
            return
        result.wrong += self._judge.done(self._order.step, self._order.direction)
        result.ended += 1
        self._attempt += self._order == UNAPPLY
        self._order = APPLY if self._order == UNAPPLY else UNAPPLY
