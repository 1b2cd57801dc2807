"""How far one rollout has come: its hosts' states, what the operator said, the attempts made.

Rebuilt by replay after a crash of the coordinator, so it takes nothing from anywhere but the
plan and the port.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from agent.wire.contract import Direction, StepName
from coordinator.model import Plan, PlannedHost
from coordinator.walk import policy
from coordinator.walk.ports import Command, News, Outcome, Port, SightOf, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState, advance

_LONG_SECONDS = 600.0
_RETRY_PAUSE_SECONDS = 1.0
_ABORTS = frozenset({Verb.ABORT_LEAVE_CLOSED, Verb.ABORT_ROLL_BACK})


class Abort(Exception):  # noqa: N818 - reads better where it is caught
    """An operator ended the walk. Raised and caught inside the walk only."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(verb)
        self.verb = verb


@dataclass(slots=True)
class Course:
    """One rollout under way."""

    plan: Plan
    port: Port
    deadline: float
    states: dict[str, HostState]
    state: RolloutState = RolloutState.PREPARING
    heard: int = 0
    slowest: float = 0.0
    changed: bool = False  # some host may be other than it was
    switched_off: set[str] = field(default_factory=set)
    unwanted: set[str] = field(default_factory=set)  # updated hosts an operator wants back
    attempts: dict[tuple[str, StepName, Direction], int] = field(default_factory=dict)
    told: News | None = None

    @classmethod
    def begin(cls, plan: Plan, port: Port) -> "Course":
        """Return the course of a rollout that has not moved yet."""
        states = {host.id: HostState.PENDING for host in plan.hosts}
        return cls(plan=plan, port=port, deadline=plan.deadline, states=states)

    # -- who -----------------------------------------------------------------------------

    def planned(self, host: str) -> PlannedHost:
        """Return the host's row of the plan."""
        return next(p for p in self.plan.hosts if p.id == host)

    def name(self, host: str) -> str:
        """Return the name people know the host by."""
        return self.planned(host).name

    def ids(self, *states: HostState) -> list[str]:
        """Return the hosts in one of these states, or all, in the order of the plan."""
        return [h for h, state in self.states.items() if not states or state in states]

    def in_sight(self, besides: str = "") -> list[str]:
        """Return the hosts that can be asked: all but those known to be switched off."""
        return [h for h in self.states if h != besides and h not in self.switched_off]

    # -- what people see -----------------------------------------------------------------

    def tell(self, state: RolloutState, detail: str = "", mend: str = "") -> None:
        """Show where the rollout stands; the same news twice is told once."""
        self.state = state
        self._say(News(state, detail[:500], mend))

    def move(self, host: str, event: Event, detail: str = "") -> None:
        """Move one host by the table, and show it."""
        self.states[host] = advance(self.states[host], event)
        self._say(News(self.state, detail[:500], host=host, state=self.states[host]))

    def _say(self, news: News) -> None:
        if news != self.told:
            self.told = news
            self.port.tell(news)

    # -- steps ---------------------------------------------------------------------------

    def take(self, host: str, step: StepName, direction: Direction = Direction.DO) -> Outcome:
        """Have one host take a step, tried again as often as the policy says."""
        return self.take_all([host], step, direction)[0]

    def take_all(
        self, hosts: Sequence[str], step: StepName, direction: Direction = Direction.DO
    ) -> list[Outcome]:
        """Have each host take a step, those it fails on again as the policy says."""
        if not hosts:
            return []
        outcomes = {o.host: o for o in self._once(hosts, step, direction)}
        for _ in range(self.plan.policy.retries):
            failing = [h for h, o in outcomes.items() if _bears_repeating(o)]
            if not failing:
                break
            self.port.wait(_RETRY_PAUSE_SECONDS)
            self.again(failing, step, direction)
            outcomes |= {o.host: o for o in self._once(failing, step, direction)}
        return [outcomes[h] for h in hosts]

    def _once(self, hosts: Sequence[str], step: StepName, direction: Direction) -> list[Outcome]:
        attempts = {h: self.attempts.setdefault((h, step, direction), 1) for h in hosts}
        if len(hosts) == 1:
            return [self.port.take(hosts[0], step, direction, attempts[hosts[0]])]
        return self.port.take_all(attempts, step, direction)

    def again(
        self, hosts: Collection[str], step: StepName, direction: Direction = Direction.DO
    ) -> None:
        """Make the next taking of the step a new attempt: a failed one is not answered twice."""
        for host in hosts:
            self.attempts[host, step, direction] = (
                self.attempts.get((host, step, direction), 0) + 1
            )

    def open_elsewhere(self, sights: Sequence[SightOf]) -> list[SightOf]:
        """Return the hosts that are not confirmed closed now."""
        return policy.open_elsewhere(
            sights, self.port.now(), spared_is_open=self.plan.close_between_visits
        )

    # -- the operator --------------------------------------------------------------------

    def hear(self) -> None:
        """Be at a safe point: do what the operator has said. Raises `Abort`."""
        while (command := self.port.safe_point(self.heard, 0)) is not None:
            self._heed(command)

    def ask(self, host: str, answers: Collection[Verb], patience: float = 0.0) -> Command | None:
        """Wait for one of these answers about `host` ("" = about the rollout). Raises `Abort`.

        Returns None once `patience` seconds have passed without one; 0 waits for ever.
        """
        while True:
            command = self.port.safe_point(self.heard, patience or _LONG_SECONDS)
            if command is None:
                if patience:
                    return None
                continue
            self._heed(command)
            if command.verb in answers and command.host in {"", host}:
                return command

    def _heed(self, command: Command) -> None:
        self.heard = command.number
        if command.verb in _ABORTS:
            raise Abort(command.verb)
        if command.verb is Verb.RESUME and command.until:
            self.deadline = command.until
        if command.verb is Verb.ROLL_BACK and command.host in self.states:
            self.unwanted.add(command.host)
        if command.verb is Verb.PAUSE:
            self._pause(command)

    def _pause(self, command: Command) -> None:
        before = self.told or News(self.state)
        self.tell(
            RolloutState.PAUSED,
            f"paused by {command.by or 'an operator'}; the app stays closed where it is",
            "roundsman rollout resume {rollout}",
        )
        self.ask("", {Verb.RESUME})
        self.tell(before.rollout, before.detail, before.mend)


def _bears_repeating(outcome: Outcome) -> bool:
    return outcome.verdict in {Verdict.FAILED, Verdict.REFUSED}
