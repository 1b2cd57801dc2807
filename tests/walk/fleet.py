"""A simulated office behind the walk's port: fake clock, PCs, faults, an operator, a referee.

What a rule of the walk forbids is judged by the PCs' own state at the moment a step begins on
one, never by what the walk believes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.wire.contract import LEASE_SECONDS, CordonMode, Direction, StepName
from coordinator.model import Plan
from coordinator.walk.ports import Command, News, Outcome, SightOf, Verb, Verdict
from coordinator.walk.states import HostState, RolloutState
from tests.walk.pc import SECONDS, WAY_BACK_SECONDS, Fate, Pc, Release
from tests.walk.plans import BEGIN, SILENCE
from tests.walk.share import Share

_IDLE = 25
_VISIT_STEPS = (
    StepName.BACK_UP,
    StepName.APPLY_RELEASE,
    StepName.START_SERVICE_MANAGER,
    StepName.CHECK_HEALTH,
)
_JUDGED = {*_VISIT_STEPS, StepName.BACK_UP_DATA}
_CHANGES = {StepName.BACK_UP, StepName.APPLY_RELEASE}


class Waits(Exception):  # noqa: N818 - it is no error
    """The walk waits for an operator, and nobody is going to say anything any more."""


Deed = Callable[[dict[str, Pc]], None]


@dataclass(slots=True, repr=False)
class SimulatedFleet:
    """The walk's port on simulated PCs (`coordinator.walk.ports.Port`)."""

    plan: Plan
    at: list[tuple[float, Deed]] = field(default_factory=list)  # seconds after the beginning
    answers: list[tuple[Verb, str]] = field(default_factory=list)  # one each time it waits
    orders: list[tuple[float, Verb, str]] = field(default_factory=list)  # said at a time
    order_until: float = 0.0
    clock: float = BEGIN
    pcs: dict[str, Pc] = field(default_factory=dict)
    said: list[Command] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    dated: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what the referee saw
    unknown: set[str] = field(default_factory=set)
    asked: set[tuple[str, StepName]] = field(default_factory=set)
    said_off: set[str] = field(default_factory=set)  # and it did not answer
    given_up: set[str] = field(default_factory=set)  # said off at any time
    ran: set[str] = field(default_factory=set)
    deadline: float = 0.0
    idle: int = 0
    share: Share | None = None
    tried: dict[tuple[str, StepName, Direction], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deadline = self.plan.deadline
        for planned in self.plan.hosts:
            ahead = planned.from_version == self.plan.version
            self.pcs[planned.id] = Pc(planned.id, release=Release.NEW if ahead else Release.OLD)
        if self.plan.data is not None:
            self.share = Share(self.plan.data, faults=self.faults)
        self.at.sort(key=lambda due: due[0])
        self.orders.sort(key=lambda due: due[0])

    def __repr__(self) -> str:
        plan = self.plan
        fates = {(h, *key): f for h, pc in self.pcs.items() for key, f in pc.fates.items() if f}
        held = [p.id for p in plan.hosts if not p.visited]
        return (
            f"{len(plan.hosts)} PCs, held {held}, servers {[pc.id for pc in self._servers()]}, "
            f"drill {plan.drill}, {plan.data}, {plan.announce}\n{plan.policy}, "
            f"opens {plan.opens - BEGIN:+}, "
            f"deadline {plan.deadline - BEGIN:+}, until {self.order_until}\n"
            f"deeds {self.at}\nanswers {self.answers}\norders {self.orders}\nfates {fates}"
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # hypothesis prints by this
        printer.text(repr(self))

    def fail(self, host: str, step: StepName, *fates: Fate, way: Direction = Direction.DO) -> None:
        """Have the step come to these fates, one each time it begins."""
        self.pcs[host].fates[step, way] = list(fates)

    # -- steps ---------------------------------------------------------------------------

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        outcome = self._take(host, step, direction, attempt)
        self._pass(outcome.seconds if outcome.verdict is not Verdict.UNKNOWN else SILENCE)
        return outcome

    def take_all(
        self, attempts: Mapping[str, int], step: StepName, direction: Direction
    ) -> list[Outcome]:
        outcomes = [self._take(h, step, direction, n) for h, n in attempts.items()]
        self._pass(max(SILENCE if o.verdict is Verdict.UNKNOWN else o.seconds for o in outcomes))
        return outcomes

    def _take(self, host: str, step: StepName, way: Direction, attempt: int) -> Outcome:
        pc = self.pcs[host]
        self.tried[host, step, way] = attempt
        self.acts.append(f"{host} {step}" + (f" {way}" if way is not Direction.DO else ""))
        self.dated.append((self.clock, self.acts[-1]))
        outcome = self._asked(pc, step, way, attempt)
        known = outcome.verdict is not Verdict.UNKNOWN
        self.idle = 0 if known else self.idle
        began = way is Direction.DO or (host, step) in self.asked
        began = began and self.states()[host] is not HostState.UPDATED
        if step in _VISIT_STEPS and began and way is not Direction.TIDY:
            self.asked.add((host, step))
            (self.unknown.discard if known else self.unknown.add)(host)
        return outcome

    def _asked(self, pc: Pc, step: StepName, way: Direction, attempt: int) -> Outcome:
        silent = Outcome(pc.id, Verdict.UNKNOWN, None, "no answer for 20 s", SILENCE)
        if not pc.answers:
            return silent
        if pc.mute:
            pc.mute -= 1
            return silent
        if step is StepName.DRAIN and way is Direction.DO:
            pc.code_used = False  # its coordinator gives it a new code
        if (stored := pc.known(step, way, attempt)) is not None:
            return stored
        fate = pc.fate(step, way)
        if fate is Fate.LOST:
            pc.mute = 2
            return silent
        self._judge_begin(pc, step, way)
        outcome = pc.run(step, way, attempt, fate)
        if self.share is not None:
            self.share.ends(pc, step, way, outcome)
        self.ran.add(f"{pc.id} {step} {way}")
        if fate in {Fate.SILENT, Fate.SILENT_FAIL}:
            pc.mute = 2
            return silent
        return outcome

    # -- cordons -------------------------------------------------------------------------

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        sent = self.clock
        self._pass(0.1)
        for pc in (self.pcs[h] for h in hosts):
            pc.due = mode
        return [self._confirm(self.pcs[h], mode, sent) for h in hosts]

    def _confirm(self, pc: Pc, mode: CordonMode, sent: float) -> SightOf:
        if not pc.answers:
            return SightOf(pc.id, None, pc.confirmed_at, "cannot be seen: no link")
        self.said_off.discard(pc.id)
        pc.order(mode)
        pc.confirmed_at = sent if pc.closed else 0.0
        return SightOf(pc.id, pc.sight(), pc.confirmed_at)

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        for pc in (self.pcs[h] for h in hosts):
            pc.due = CordonMode.NONE
            if pc.answers:
                pc.mode, pc.code_used, pc.app_open = CordonMode.NONE, False, True
            if self.share is not None:
                self.share.open(pc)
        opened = {p.release for p in self.pcs.values() if p.due is CordonMode.NONE}
        is_mixed = len(opened) > 1 and not self._may_be_mixed()
        if is_mixed or Release.HALF in opened:
            self.faults.append(f"I4: re-opened with {sorted(opened)}")
        return [SightOf(h, self.pcs[h].sight() if self.pcs[h].answers else None) for h in hosts]

    # -- time, people --------------------------------------------------------------------

    def now(self) -> float:
        return self.clock

    def wait(self, seconds: float) -> None:
        self._pass(seconds)

    def safe_point(self, after: int, patience: float) -> Command | None:
        end = self.clock + patience
        while (command := self._next(after)) is None and self.clock < end:
            self._pass(min(self._until_due(), end - self.clock))
        if command is None and patience:
            self.idle += 1
            if self.answers:
                self._say(*self.answers.pop(0))
                command = self._next(after)
            elif self.idle > _IDLE and not self.at and not self.orders:
                raise Waits
        return command

    def tell(self, *news: News) -> None:
        self.news += news
        for item in news:
            if item.host and item.state is HostState.UPDATED:
                self._expect(item.host, Release.OLD if self.plan.drill else Release.NEW)
            if item.host and item.state is HostState.ROLLED_BACK:
                self._expect(item.host, Release.OLD)

    def _expect(self, host: str, release: Release) -> None:
        if self.pcs[host].release is not release:
            self.faults.append(f"{host} is called {release} and is {self.pcs[host].release}")

    def _next(self, after: int) -> Command | None:
        while self.orders and self.orders[0][0] <= self.clock - BEGIN:
            _, verb, host = self.orders.pop(0)
            self._say(verb, host)
        return next((c for c in self.said if c.number > after), None)

    def _say(self, verb: Verb, host: str) -> None:
        until = self.order_until if verb is Verb.RESUME else 0.0
        self.said.append(Command(len(self.said) + 1, verb, host, "ann", until))
        self.idle = 0
        if until:
            self.deadline = until
        if verb is Verb.SWITCHED_OFF:
            self.said_off |= {h for h in self.pcs if host in {"", h} and not self.pcs[h].answers}
            self.given_up |= self.said_off

    def _until_due(self) -> float:
        due = [t for t, _ in self.at[:1]] + [t for t, _, _ in self.orders[:1]]
        return max(0.1, min(due) - (self.clock - BEGIN)) if due else LEASE_SECONDS * 5

    def _pass(self, seconds: float) -> None:
        end = self.clock + seconds
        while self.at and BEGIN + self.at[0][0] <= end:
            when, deed = self.at.pop(0)
            self.clock = max(self.clock, BEGIN + when)
            deed(self.pcs)
        self.clock = max(self.clock, end)

    # -- the referee ---------------------------------------------------------------------

    def _servers(self) -> list[Pc]:
        first = self.plan.server_first
        return [self.pcs[p.id] for p in self.plan.hosts if first and p.role == first]

    def _may_be_mixed(self) -> bool:
        """True when the profile has its server updated first, and it is (I4's exception)."""
        servers, data = self._servers(), self.plan.data
        updated = bool(servers) and all(pc.release is Release.NEW for pc in servers)
        return updated and (data is None or data.old_reads_new)

    def _judge_begin(self, pc: Pc, step: StepName, way: Direction) -> None:
        if way is Direction.TIDY or step not in _JUDGED:
            return
        if self.share is not None:
            self.share.begins(pc, step, way)
        if step is StepName.BACK_UP_DATA:
            self._judge_closed(pc, step, list(self.pcs.values()))
        others = [p for p in self.pcs.values() if p is not pc]
        unsure = self.unknown - self.given_up - {pc.id}
        if unsure:
            self.faults.append(f"I1: {pc.id} {step} {way} while {sorted(unsure)} are not known")
        if way is Direction.DO and step in _CHANGES:
            self._judge_turn(pc, step)
            if pc in self._servers() or not self._may_be_mixed():
                self._judge_closed(pc, step, others)
            self._judge_time(pc, step)

    def _judge_turn(self, pc: Pc, step: StepName) -> None:
        servers, data = self._servers(), self.plan.data
        if self.plan.drill or not servers or pc in servers:
            return
        if data is not None and not data.old_reads_new:
            return  # refused when planned: walked as if no role came first
        if not any(server.release is Release.NEW for server in servers):
            self.faults.append(f"{pc.id} {step} before any server is updated")

    def _judge_closed(self, pc: Pc, step: StepName, others: Sequence[Pc]) -> None:
        for other in others:
            leased = self.clock < other.confirmed_at + LEASE_SECONDS
            borne = not other.answers and (leased or other.id in self.said_off)
            if not other.closed and not borne:
                self.faults.append(f"I2: {pc.id} {step} while {other.id} may be open")

    def _judge_time(self, pc: Pc, step: StepName) -> None:
        left = sum(SECONDS[s] for s in _VISIT_STEPS[_VISIT_STEPS.index(step) :])
        if self.clock + left + WAY_BACK_SECONDS > self.deadline:
            self.faults.append(f"I3: {pc.id} {step} cannot end before the deadline")

    # -- afterwards ----------------------------------------------------------------------

    def states(self) -> dict[str, HostState]:
        """Return what was told last of each host."""
        found = {p.id: HostState.PENDING for p in self.plan.hosts}
        return found | {n.host: n.state for n in self.news if n.host and n.state}

    def stands(self) -> News:
        """Return what was told last of the rollout."""
        return [n for n in self.news if not n.host][-1]

    def open_hosts(self) -> list[str]:
        """Return the PCs that people may use again, or may as soon as they are back."""
        return [p.id for p in self.pcs.values() if p.due in {None, CordonMode.NONE}]

    def visits(self) -> Iterator[str]:
        """Yield what was done in visits, in the little language of the tests."""
        return (a for a in self.acts if a.split()[1] in _VISIT_STEPS)

    def details(self, state: RolloutState) -> list[str]:
        """Return what was said of the rollout when it was in this state."""
        return [n.detail for n in self.news if not n.host and n.rollout is state]
