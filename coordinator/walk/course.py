"""How far one rollout has come: its hosts' states, what the operator said, the attempts made.

Rebuilt by replay after a crash of the coordinator, so it takes nothing from anywhere but the
plan and the port.
"""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from agent.wire.contract import CordonMode, Direction, Refusal, StepName
from coordinator.model import Plan, PlannedHost
from coordinator.walk import led, policy
from coordinator.walk.ports import News, Outcome, Port, SightOf, Verb, Verdict
from coordinator.walk.states import Event, HostState, RolloutState, advance

_RETRY_PAUSE_SECONDS = 1.0
NOT_ALONE = (
    "the new release may have changed the data the group shares, and the old cannot read it"
)
_AT_FIRST = News(RolloutState.PREPARING)


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
    stands: News = _AT_FIRST
    told: News | None = None  # of the rollout as a whole, last
    heard: int = 0
    slowest: float = 0.0  # seconds the steps of the slowest visit took
    spent: float = 0.0  # seconds the steps of this visit have taken
    begun: set[str] = field(default_factory=set)  # hosts whose turn has come
    changed: set[str] = field(default_factory=set)  # hosts that may be other than they were
    switched_off: set[str] = field(default_factory=set)  # says an operator, and not seen since
    unwanted: set[str] = field(default_factory=set)  # updated hosts an operator wants back
    untidy: set[str] = field(default_factory=set)  # hosts on which something was left behind
    stuck_at: dict[str, StepName] = field(default_factory=dict)  # where to go on, on retry
    is_data_touched: bool = False  # the new release may have written what the group shares
    is_mixed: bool = False  # people may use either release: the server has the new one (I4)
    inside: set[str] = field(default_factory=set)  # hosts on which people were let in again
    gone_wrong: dict[str, str] = field(default_factory=dict)  # why hosts were taken back
    by_hand: set[str] = field(default_factory=set)  # open, and their service manager is not up
    drained_anew: set[str] = field(default_factory=set)  # people had come in again meanwhile
    announced: int = 0  # of the moments at which people are told ahead, those that are over
    needed: str = ""  # the host that cannot be left out now
    has_leave: bool = False  # the next change may begin: the others were just confirmed closed
    oldest_word: float = 0.0  # when that one of the others last said so who was asked first
    spent_by_then: float = 0.0
    led_elsewhere: set[str] = field(
        default_factory=set
    )  # hosts that follow another coordinator now
    attempts: dict[tuple[str, StepName, Direction], int] = field(default_factory=dict)
    _planned: dict[str, PlannedHost] = field(default_factory=dict)

    @classmethod
    def begin(cls, plan: Plan, port: Port) -> "Course":
        """Return the course of a rollout that has not moved yet."""
        states = {host.id: HostState.PENDING for host in plan.hosts}
        course = cls(plan=plan, port=port, deadline=plan.deadline, states=states)
        course._planned.update((host.id, host) for host in plan.hosts)
        return course

    # -- who -----------------------------------------------------------------------------

    def planned(self, host: str) -> PlannedHost:
        """Return the host's row of the plan."""
        return self._planned[host]

    def name(self, host: str) -> str:
        """Return the name people know the host by."""
        return self.planned(host).name

    def typed(self, host: str) -> str:
        """Return the host's name as it is typed in a command."""
        return shlex.quote(self.name(host))

    def ids(self, *states: HostState) -> list[str]:
        """Return the hosts in one of these states, or all, in the order of the plan."""
        return [h for h, state in self.states.items() if not states or state in states]

    def at_hand(self, hosts: Collection[str]) -> list[str]:
        """Return those of these hosts that are not known to be switched off."""
        return [h for h in hosts if h not in self.switched_off]

    def is_out(self, host: str) -> bool:
        """True when the host is skipped."""
        return self.states[host] is HostState.SKIPPED

    def was_left_closed(self, host: str) -> bool:
        """True for a host that an earlier rollout has sealed: why, only that one knows (I4).

        On one version it may still not fit the hosts that are not in this plan, or the data.
        """
        return self.planned(host).left_closed

    def is_unsure(self, host: str) -> bool:
        """True while a visited host's outcome is unknown: it counts as updating (I1)."""
        return self.states[host] is HostState.UNKNOWN and host in self.begun

    @property
    def is_bound(self) -> bool:
        """True when no host goes back alone: the data it shares is the new release's (I6)."""
        data = self.plan.data
        return self.is_data_touched and data is not None and not data.old_reads_new

    def goes_back_alone(self, host: str) -> bool:
        """True when the host may be taken back without the others."""
        return not self.is_bound or host not in self.changed

    def mend(self, host: str, usual: str) -> str:
        """Return what an operator does about a host: `usual`, unless another coordinator leads it.

        Then trying again comes after taking over, and leaving it out would mend nothing.
        """
        again = f"roundsman rollout retry {{rollout}} --host {self.typed(host)}"
        return f"{led.TAKE_OVER}; then {again}" if host in self.led_elsewhere else usual

    # -- what people see -----------------------------------------------------------------

    def tell(self, state: RolloutState, detail: str = "", mend: str = "") -> None:
        """Show where the rollout stands; the same news twice is told once."""
        self.stand(News(state, detail[:500], mend[:500]))

    def stand(self, news: News) -> None:
        """Show that the rollout stands as it stood when `news` was told."""
        self.stands = news
        if news != self.told:
            self.told = news
            self.port.tell(news)

    def move(self, host: str, event: Event, detail: str = "") -> None:
        """Move one host by the table, and show it."""
        self.move_all([host], event, detail)

    def move_all(self, hosts: Sequence[str], event: Event, detail: str = "") -> None:
        """Move hosts by the table, and show all of them at once: each telling is written down."""
        for host in hosts:
            self.states[host] = advance(self.states[host], event)
        stands, why = self.stands.rollout, detail[:500]
        if hosts:
            self.port.tell(*(News(stands, why, host=h, state=self.states[h]) for h in hosts))

    # -- steps ---------------------------------------------------------------------------

    def take(self, host: str, step: StepName, direction: Direction = Direction.DO) -> Outcome:
        """Have one host take a step, tried again as often as the policy says."""
        return self.take_all([host], step, direction)[0]

    def take_all(
        self, hosts: Sequence[str], step: StepName, direction: Direction = Direction.DO
    ) -> list[Outcome]:
        """Have each host take a step, those it fails on again as the policy says."""
        outcomes = {o.host: o for o in self._once(hosts, step, direction)}
        for _ in range(self.plan.policy.retries):
            failing = [h for h, o in outcomes.items() if policy.bears_repeating(o)]
            if not failing:
                break
            self.try_again(failing, step, direction)
            outcomes |= {o.host: o for o in self._once(failing, step, direction)}
        return [outcomes[h] for h in hosts]

    def once(self, host: str, step: StepName, direction: Direction) -> Outcome:
        """Have one host take a step of its visit, tried once."""
        outcome = self._once([host], step, direction)[0]
        if outcome.verdict is not Verdict.UNKNOWN:
            self.spent += outcome.seconds
        return outcome

    def _once(self, hosts: Sequence[str], step: StepName, direction: Direction) -> list[Outcome]:
        attempts = {h: self.attempts.setdefault((h, step, direction), 1) for h in hosts}
        if len(hosts) == 1:
            outcomes = [self.port.take(hosts[0], step, direction, attempts[hosts[0]])]
        else:
            outcomes = self.port.take_all(attempts, step, direction) if hosts else []
        for outcome in outcomes:
            self._note_leader(outcome.host, outcome.refusal)
        return outcomes

    def _note_leader(self, host: str, refusal: Refusal | None) -> None:
        follows = self.led_elsewhere
        (follows.add if led.is_led(refusal) else follows.discard)(host)

    def try_again(self, hosts: Collection[str], step: StepName, direction: Direction) -> None:
        """Let a moment pass before a new attempt."""
        self.port.wait(_RETRY_PAUSE_SECONDS)
        self.again(hosts, step, direction)

    def whatever_comes(self, hosts: Sequence[str], step: StepName) -> None:
        """Have each host take a step that nothing depends on: once, and anew each time."""
        self.again([h for h in hosts if (h, step, Direction.DO) in self.attempts], step)
        self._once(hosts, step, Direction.DO)

    def again(
        self, hosts: Collection[str], step: StepName, direction: Direction = Direction.DO
    ) -> None:
        """Make the next taking of the step a new attempt: a failed one is not answered twice."""
        for host in hosts:
            key = (host, step, direction)
            self.attempts[key] = self.attempts.get(key, 0) + 1

    def afresh(self, hosts: Sequence[str], step: StepName) -> list[Outcome]:
        """Have a step taken that may be done already: undone first, it is not done twice."""
        self.again(hosts, step, Direction.UNDO)
        self.take_all(hosts, step, Direction.UNDO)
        self.again(hosts, step)
        return self.take_all(hosts, step)

    def not_closed(self, besides: str = "") -> list[SightOf]:
        """Have every host but one seal itself; return those not confirmed closed (I2).

        A host that was switched off and answers is sealed and judged like any other.
        """
        others = [h for h in self.states if h != besides]
        sights = self.port.confirm(others, CordonMode.SEALED) if others else []
        for seen in sights:
            if seen.sight is not None:
                self._note_leader(seen.host, seen.sight.refusal)
        self.switched_off -= {s.host for s in sights if s.sight is not None and s.asked}
        counted = [s for s in sights if s.sight is not None or s.host not in self.switched_off]
        now = self.port.now()
        self.oldest_word = min((s.confirmed_at for s in counted), default=now)
        self.spent_by_then = self.spent
        return policy.not_closed(
            sights,
            now,
            off=self.switched_off,
            spared_is_open=self.plan.close_between_visits,
        )
