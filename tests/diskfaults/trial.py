"""One point: a fresh office, one fault, and everything that must hold afterwards."""

from dataclasses import dataclass, field
from enum import StrEnum

from tests.diskfaults.agent import Agent, AgentDied
from tests.diskfaults.bench import Bench
from tests.diskfaults.driver import Told
from tests.diskfaults.judge import Judge
from tests.diskfaults.scenarios import SCENARIOS
from tests.diskfaults.strace import KILL, fired, injecting

_STRIKES = 3  # two threads share the journal: now and then one of them makes the other's call


class Kind(StrEnum):
    """How long a fault lasts, and what goes with it."""

    ONCE = "once"
    LASTING = "lasting"  # every later call of that name fails too, until the agent starts anew
    POWER_CUT = "power cut"  # what was not yet on the disk is gone


@dataclass(frozen=True, slots=True)
class Point:
    """One fault: at the `number`th `name` of a thread, in one scenario."""

    scenario: str
    role: str  # whose call: "main" (the journal's opening, the order's receipt) or "lane"
    name: str
    number: int
    fault: str  # KILL or an error
    kind: Kind = Kind.ONCE
    text: str = ""  # what the call was when it was counted


@dataclass
class Verdict:
    """What came of one point; `wrong` is empty when all is as promised."""

    point: Point
    fired: bool = False
    runnable: bool = False
    done: bool = False
    wrong: list[str] = field(default_factory=list)


class Trial:
    """One point on one bench."""

    def __init__(self, bench: Bench, point: Point) -> None:
        self._bench = bench
        self._point = point
        self._scenario = next(s for s in SCENARIOS if s.name == point.scenario)
        self._verdict = Verdict(point)
        self._allowed = set(self._scenario.live)
        self._judge: Judge

    def run(self) -> Verdict:
        """Strike until it has hit, look, recover, look, order again, look."""
        for _ in range(_STRIKES):
            self._verdict = Verdict(self._point)
            self._allowed = set(self._scenario.live)
            self._run_once()
            if self._verdict.fired:
                return self._verdict
        self._wrong("the fault did not fire")
        return self._verdict

    def _run_once(self) -> None:
        self._judge = self._bench.restore(self._scenario.name)
        agent = self._strike()
        if agent is None:
            agent = self._recover()
        if agent is not None:
            self._again(agent)

    def _strike(self) -> Agent | None:
        """Return the agent if it lives on and is to take the same order again."""
        point = self._point
        log = self._bench.folder / "fault.log"
        when = f"{point.number}{'+' if point.kind is Kind.LASTING else ''}"
        tracer = injecting(log, point.name, when, point.fault)
        agent = Agent(self._judge.place.root, tracer, point.role)
        report, alive = None, False
        try:
            told = agent.hear()
            if "up" in told and not self._scenario.is_recovery:
                report = agent.order(self._scenario.order, self._scenario.attempt)
            alive = "up" in told
            if alive and point.role == "main":
                agent.end()
                alive = False
        except AgentDied:
            alive = False
        by_signal_9 = False if alive else agent.reap()
        text = tracer.end()
        self._verdict.fired = fired(text, point.fault) and (by_signal_9 or point.fault != KILL)
        if point.fault != KILL:
            self._judge_at_once(report)
        if alive and (point.number % 2 or report is None or point.kind is Kind.LASTING):
            agent.kill()
            alive = False
        self._bench.after_strike()
        return agent if alive else None

    def _judge_at_once(self, report: Told | None) -> None:
        """After an error the host must be runnable as it stands, and what was told must be so."""
        if not self._scenario.is_recovery and self._point.kind is Kind.ONCE:
            self._verdict.runnable = self._look("at once")
        if report is None:
            return
        state, detail = report["state"], report["detail"]
        self._check_words(report)
        if state == "done":
            self._done_means("at once")
        if state == "refused" and self._scenario.order.step == "apply-release":
            unchanged = "new" if "tidy" in self._scenario.name else "old"
            if self._scenario.order.direction == "do" and self._judge.live() != unchanged:
                self._wrong(f"refused, but live is {self._judge.live()}: {detail}")
        if "old one is back" in detail and self._judge.live() != "old":
            self._wrong(f"told that the old one is back; live is {self._judge.live()}")

    def _check_words(self, report: Told) -> None:
        if report["state"] not in {"done", "failed", "refused"}:
            self._wrong(f"ended as {report['state']}")
        elif report["state"] != "done" and "cannot" not in report["detail"]:
            self._wrong(f"no words: {report}")
        if "fault in the agent" in report["detail"]:
            self._wrong(f"no words: {report['detail']}")

    def _recover(self) -> Agent | None:
        """Start the agent anew and judge what its recovery alone has made of it."""
        agent = Agent(self._judge.place.root)
        try:
            told = agent.hear()
        except AgentDied:
            self._wrong("the agent dies at its start")
            agent.reap()
            return None
        if "down" in told:
            self._wrong(f"the agent does not start: {told['down']}")
            agent.reap()
            return None
        self._verdict.runnable = self._look("after recovery")
        for (step, direction), state in self._judge.journal().items():
            if state == "running":
                self._wrong(f"after recovery the journal has {step} {direction} running")
        return agent

    def _again(self, agent: Agent) -> None:
        order = self._scenario.order
        known = self._judge.journal().get((order.step, order.direction))
        again = known in {"failed", "refused", "cancelled"}
        attempt = self._scenario.attempt + again
        try:
            report = agent.order(order, attempt)
            if report["state"] != "done":
                self._wrong(f"ordered again: {report}")
            else:
                self._verdict.done = self._done_means("ordered again")
            if self._scenario.is_recovery:
                self._allowed = {"old", "new"}
            self._look("ordered again")
            self._go_on(agent)
        except AgentDied:
            self._wrong("the agent dies when it is ordered again")
        finally:
            agent.kill()

    def _go_on(self, agent: Agent) -> None:
        """What comes after in a rollout must work as if nothing had been."""
        for order in self._scenario.then:
            report = agent.order(order, 9)
            told = self._judge.done(order.step, order.direction)
            if report["state"] != "done" or told:
                self._wrong(f"then {order.step} {order.direction}: {report} {told}")
                return
        if self._scenario.then:
            self._allowed = {"old", "new"}
            self._look("at the end")

    def _done_means(self, when: str) -> bool:
        order = self._scenario.order
        wrong = self._judge.done(order.step, order.direction)
        for text in wrong:
            self._wrong(f"{when}: {text}")
        return not wrong

    def _look(self, when: str) -> bool:
        wrong = self._judge.holds(self._allowed)
        if self._scenario.has_way_back:
            wrong += self._judge.way_back()
        if self._scenario.has_backup:
            wrong += self._judge.backup_is_whole()
        for text in wrong:
            self._wrong(f"{when}: {text}")
        return not wrong

    def _wrong(self, text: str) -> None:
        self._verdict.wrong.append(text)
