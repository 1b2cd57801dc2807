"""One point: a fresh office, one fault, and everything that must hold afterwards."""

import shutil
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.diskfaults.agent import Agent, AgentDied
from tests.diskfaults.driver import Told
from tests.diskfaults.judge import Baseline, Judge, baseline
from tests.diskfaults.office import Place, build
from tests.diskfaults.scenarios import SCENARIOS, Cut, Order, Scenario
from tests.diskfaults.strace import KILL, Call, calls_in, counting, fired, injecting

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


class Bench:
    """One folder in which offices are made, one at a time, always at the same path."""

    def __init__(self, folder: Path, before: Baseline | None = None) -> None:
        self.folder = folder
        self.place = Place(folder / "world")
        self._before = before

    @property
    def before(self) -> Baseline:
        assert self._before is not None
        return self._before

    def prepare(self) -> None:
        """Build the office, and keep one for each scenario as it is before the fault."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.place.root.mkdir(parents=True)
        build(self.place)
        self._before = baseline(self.place)
        self._save("as built")
        for scenario in SCENARIOS:
            self.restore("as built")
            self._lead_up(scenario)
            self._save(scenario.name)

    def restore(self, name: str) -> Judge:
        """Put the office back as it was saved."""
        saved = self.folder / "saved" / name
        script = 'rm -rf "$2" && cp -a "$1" "$2"'
        subprocess.run(["sh", "-c", script, "sh", str(saved), str(self.place.root)], check=True)
        return Judge(self.place, self.before)

    def after_strike(self) -> None:
        """Nothing more happens to this disk than what the agent did."""

    def _save(self, name: str) -> None:
        saved = self.folder / "saved" / name
        saved.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", str(self.place.root), str(saved)], check=True)

    def _lead_up(self, scenario: Scenario) -> None:
        self._take(scenario.before)
        scenario.arrange(self.place)
        if scenario.cut is not None:
            self._save(f"{scenario.name}, uncut")
            self.restore(f"{scenario.name}, uncut")  # other inodes: a backup copies all again
            call = self._call_of(scenario.cut)
            self.restore(f"{scenario.name}, uncut")
            tracer = injecting(self.folder / "cut.log", call.name, str(call.number), KILL)
            agent = Agent(self.place.root, tracer, "lane")
            try:
                agent.hear()
                agent.order(scenario.cut.order, 1)
            except AgentDied:
                pass
            assert agent.reap(), f"not cut: {scenario.name}"
            tracer.end()

    def _take(self, orders: tuple[Order, ...]) -> None:
        agent = Agent(self.place.root)
        agent.hear()
        for order in orders:
            report = agent.order(order, 1)
            assert report["state"] == "done", report
        agent.end()
        agent.reap()

    def _call_of(self, cut: Cut) -> Call:
        tracer = counting(self.folder / "count.log")
        agent = Agent(self.place.root, tracer, "lane")
        agent.hear()
        agent.order(cut.order, 1)
        agent.kill()
        holds = cut.holds
        for name in ("app.parent", "app", "incoming", "outgoing", "backup"):
            value = self.place.app.parent if name == "app.parent" else getattr(self.place, name)
            holds = holds.replace(f"{{{name}}}", str(value))
        found = [c for c in calls_in(tracer.end()) if c.name == cut.name and holds in c.text]
        assert len(found) >= cut.nth, (cut, self.folder)
        return found[cut.nth - 1]

    def count(self, scenario: Scenario, role: str) -> list[Call]:
        """Every file system call of one thread, from its gate on, without a fault."""
        judge = self.restore(scenario.name)
        tracer = counting(self.folder / "count.log")
        agent = Agent(self.place.root, tracer, role)
        agent.hear()
        if not scenario.is_recovery:
            report = agent.order(scenario.order, scenario.attempt)
            assert report["state"] == "done", report
        agent.end()
        agent.reap()
        assert not judge.holds(set(scenario.live)), judge.holds(set(scenario.live))
        return calls_in(tracer.end())


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
        if "tidy" not in self._scenario.name:
            wrong += self._judge.way_back()
        if self._scenario.has_backup:
            wrong += self._judge.backup_is_whole()
        for text in wrong:
            self._wrong(f"{when}: {text}")
        return not wrong

    def _wrong(self, text: str) -> None:
        self._verdict.wrong.append(text)
