"""Offices as they are before a fault, made once and put back as often as wanted."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.diskfaults.agent import Agent, AgentDied
from tests.diskfaults.judge import Baseline, Judge, baseline
from tests.diskfaults.office import Place, Variant, build
from tests.diskfaults.scenarios import SCENARIOS, Cut, Order, Scenario
from tests.diskfaults.strace import KILL, Call, calls_in, counting, injecting


class Bench:
    """One folder in which offices are made, one at a time, always at the same path."""

    def __init__(self, folder: Path, before: Mapping[Variant, Baseline] | None = None) -> None:
        self.folder = folder
        self.place = Place(folder / "world")
        self.before = dict(before or {})

    def prepare(self) -> None:
        """Build the offices, and keep one for each scenario as it is before the fault."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for variant in Variant:
            self.place.root.mkdir()
            build(self.place, variant)
            self.before[variant] = baseline(self.place)
            self._save(variant)
            shutil.rmtree(self.place.root)
        for scenario in SCENARIOS:
            self.restore(scenario.variant)
            self._lead_up(scenario)
            self._save(scenario.name)

    def restore(self, name: str) -> Judge:
        """Put the office back as it was saved."""
        saved = self.folder / "saved" / name
        script = 'rm -rf "$2" && cp -a "$1" "$2"'
        subprocess.run(["sh", "-c", script, "sh", str(saved), str(self.place.root)], check=True)
        return self._judge()

    def _judge(self) -> Judge:
        return Judge(self.place, self.before[self.place.variant])

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
        calls = calls_in(tracer.end())
        after = next((i for i, c in enumerate(calls) if self._fill(cut.after) in c.text), 0)
        holds = self._fill(cut.holds)
        found = [c for c in calls[after:] if _is_named(c, cut.name) and holds in c.text]
        assert len(found) >= cut.nth, (cut, self.folder)
        return found[cut.nth - 1]

    def _fill(self, words: str) -> str:
        for name in ("app.parent", "app", "incoming", "outgoing", "backup", "share"):
            value = self.place.app.parent if name == "app.parent" else getattr(self.place, name)
            words = words.replace(f"{{{name}}}", str(value))
        return words

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


def _is_named(call: Call, name: str) -> bool:
    """True for `rename` by any of its names: renameat, renameat2; `chmod`: fchmod, fchmodat."""
    return call.name in {name, f"f{name}", f"{name}at", f"f{name}at", f"{name}at2"}
