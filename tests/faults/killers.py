"""Kill -9, at random moments, and proof of each: whom, when, and what was under way."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from coordinator.cli.demo_workstation import Workstation
from tests.faults.ledger import PLANNED, Key
from tests.faults.office import FaultOffice

_WALKED_STEPS = 1, 2
"""So many steps are done, at the least and at the most, from one kill to the next: counted in
seconds, a slow machine would be killed in the first steps of a rollout only."""
_STEP_LOOK_SECONDS = 0.1
_STUCK_SECONDS = 15.0  # after which the next one is killed though nothing went on
_WAIT_SECONDS = 0.6  # at the most, after that
_AIMED = {"coordinator": 1 / 2, "agent": 2 / 3}
"""How many of the kills are to hit a step: those of milliseconds are hardly ever hit by chance."""
_DOWN_SECONDS = 1.0
_STEP_SECONDS = 2.5  # so long the step is waited for
_NEXT = 5  # it is one of so many that come next: all of a visit, say
_INTO_SECONDS = 0.1  # at most so far into it
_LOOK_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Kill:
    """One process that was alive and was ended by signal 9, while a rollout was under way."""

    whom: str  # "coordinator", or the host's name
    pid: int
    began: float  # seconds since 1970, just before and just after
    at: float
    rollout: str
    phase: str
    steps: tuple[Key, ...]  # asked for and unanswered; of this host only, when it is an agent

    @property
    def under_way(self) -> str:
        """What it hit, for the figures."""
        return ", ".join(sorted({f"{d} {s}" for s, d in self.steps})) or f"between ({self.phase})"


@dataclass
class Tally:
    """All kills so far; `wanted` of each kind."""

    wanted: int
    kills: list[Kill] = field(default_factory=list)
    late: int = 0  # fired when the rollout had just ended: not counted

    def of_coordinator(self) -> list[Kill]:
        """Return the kills of the coordinator."""
        return [kill for kill in self.kills if kill.whom == "coordinator"]

    def of_agents(self) -> list[Kill]:
        """Return the kills of agents."""
        return [kill for kill in self.kills if kill.whom != "coordinator"]

    def of(self, host: Workstation) -> list[Kill]:
        """Return the kills of one host's agent."""
        return [kill for kill in self.kills if kill.whom == host.name]

    @property
    def is_full(self) -> bool:
        """True when there are as many of each kind as wanted."""
        return min(len(self.of_coordinator()), len(self.of_agents())) >= self.wanted

    def told(self) -> str:
        """Return the figures: how many kills hit what."""
        lines = []
        kinds = {"coordinator": self.of_coordinator(), "agent": self.of_agents()}
        for name, kills in kinds.items():
            lines.append(f"{len(kills)} kills of {name}:")
            counted = Counter(kill.under_way for kill in kills)
            lines += [f"  {count:3} {what}" for what, count in counted.most_common()]
        return "\n".join([*lines, f"{self.late} more came just after the end: not counted"])


class Killers:
    """Two threads: one that kills the coordinator again and again, one that kills agents."""

    def __init__(
        self, office: FaultOffice, rollout: str, tally: Tally, chance: random.Random
    ) -> None:
        self._office = office
        self._rollout = rollout
        self._tally = tally
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._chances = [random.Random(chance.random()) for _ in range(2)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Kill inside the block; at its end everything runs again."""
        with ThreadPoolExecutor(2, "killer") as pool:
            coordinator = pool.submit(self._again_and_again, "coordinator", self._coordinator)
            agents = pool.submit(self._again_and_again, "agent", self._agent)
            try:
                yield
            finally:
                self._over.set()
            coordinator.result()
            agents.result()

    def _again_and_again(self, kind: str, kill: Callable[[random.Random], None]) -> None:
        chance = self._chances[kind == "agent"]
        while not self._has_enough(kind) and self._goes_on(chance.randint(*_WALKED_STEPS)):
            if not self._over.wait(chance.uniform(0, _WAIT_SECONDS)):
                kill(chance)

    def _goes_on(self, steps: int) -> bool:
        """Wait until so many more steps are done; return False when the rollout is over."""
        wanted, last = self._done() + steps, time.monotonic() + _STUCK_SECONDS
        while self._done() < wanted and time.monotonic() < last:
            if self._over.wait(_STEP_LOOK_SECONDS):
                return False
        return not self._over.is_set()

    def _done(self) -> int:
        rows = self._office.ledger.steps(self._rollout)
        return sum(row.state == "done" for row in rows)

    def _has_enough(self, kind: str) -> bool:
        tally = self._tally
        kills = tally.of_coordinator() if kind == "coordinator" else tally.of_agents()
        return len(kills) >= tally.wanted

    def _coordinator(self, chance: random.Random) -> None:
        self._aim(chance, _AIMED["coordinator"])
        self._note("coordinator", self._office.kill_coordinator)
        time.sleep(chance.uniform(0, _DOWN_SECONDS))
        self._office.start_coordinator()

    def _agent(self, chance: random.Random) -> None:
        hosts = self._aim(chance, _AIMED["agent"]) or self._office.hosts
        host = chance.choice(hosts)
        self._note(host.name, lambda: self._office.kill_agent(host))
        time.sleep(chance.uniform(0, _DOWN_SECONDS))
        self._office.start_agent(host)

    def _aim(self, chance: random.Random, share: float) -> list[Workstation]:
        """Wait for a step of random choice, in this share of the calls; return who takes it.

        Returns [] when it does not come.
        """
        if chance.random() >= share:
            return []
        wanted = chance.choice(self._to_come())
        last = time.monotonic() + _STEP_SECONDS
        while time.monotonic() < last and not self._over.is_set():
            rows = [r for r in self._office.ledger.running(self._rollout) if r.key == wanted]
            if rows:
                time.sleep(chance.uniform(0, _INTO_SECONDS))
                return [self._office.host_of(row.host) for row in rows]
            time.sleep(_LOOK_SECONDS)
        return []

    def _to_come(self) -> list[Key]:
        """Return the next steps that not every host has taken yet, or all when there are none."""
        rows = self._office.ledger.steps(self._rollout)
        done = Counter(row.key for row in rows if row.state == "done")
        hosts = len(self._office.hosts)
        return [key for key in PLANNED if done[key] < hosts][:_NEXT] or list(PLANNED)

    def _note(self, whom: str, kill: Callable[[], int]) -> None:
        """Kill, which raises when the process was dead already, and write it down."""
        ledger, began = self._office.ledger, time.time()
        pid = kill()
        at, row = time.time(), ledger.state_of(self._rollout)
        steps = tuple(
            found.key
            for found in ledger.running(self._rollout)
            if whom in {"coordinator", self._office.host_of(found.host).name}
        )
        killed = Kill(whom, pid, began, at, self._rollout, row["state"], steps)
        with self._lock:
            if row["ended"] is None:
                self._tally.kills.append(killed)
            else:
                self._tally.late += 1
