"""What the walk needs from the outside.

Under the engine each call is exactly one durable step: it returns a value, never raises for
what an agent, a person or a link did, and gives the same value again when the walk is resumed.
Tests, and later rehearsals, implement the same protocol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from agent.wire.bounds import Entries, Whole
from agent.wire.contract import (
    CordonMode,
    Direction,
    Finding,
    HostId,
    Name,
    Refusal,
    Seconds,
    Sentence,
    Sight,
    StepName,
)
from coordinator.model import Moment
from coordinator.walk.states import HostState, RolloutState


class Verdict(StrEnum):
    """How a step ended, as far as the walk can know."""

    DONE = "done"
    FAILED = "failed"  # something was changed
    REFUSED = "refused"  # nothing was changed
    UNKNOWN = "unknown"  # no answer: neither done nor failed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step on one host."""

    host: HostId
    verdict: Verdict
    refusal: Refusal | None = None
    detail: Sentence = ""
    seconds: Seconds = 0.0


@dataclass(frozen=True, slots=True)
class SightOf:
    """What one host's agent saw; `sight` is None when it could not be asked.

    `confirmed_at` is when the last good confirmation of the seal (nothing open, guard on) was
    *sent for*, 0 = never since; so a lease counted from it always ends before the agent's own.
    Not `asked`: it was not asked now, and has said this to its last ping.
    """

    host: HostId
    sight: Sight | None
    confirmed_at: Moment = 0.0
    detail: Sentence = ""
    asked: bool = True


class Verb(StrEnum):
    """What an operator may say to a rollout under way."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT_ROLL_BACK = "abort-roll-back"
    ABORT_LEAVE_CLOSED = "abort-leave-closed"
    RETRY = "retry"
    SKIP = "skip"
    ROLL_BACK = "roll-back"
    SWITCHED_OFF = "switched-off"
    WITHDRAW = "withdraw"  # the release was found to be bad; typed of the release, not of this

    @property
    def typed(self) -> str:
        """The command as an operator types it, after `roundsman rollout`."""
        return _TYPED.get(self, self.value)


_TYPED = {
    Verb.ABORT_ROLL_BACK: "abort --roll-back-all",
    Verb.ABORT_LEAVE_CLOSED: "abort",
    Verb.SWITCHED_OFF: "skip --switched-off",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One word of an operator, numbered so that it is heard once and never lost."""

    number: Annotated[int, Whole(1, 2**53)]
    verb: Verb
    host: Name = ""  # "" = whichever host the walk is asking about
    by: Name = ""
    until: Moment = 0.0  # with RESUME: a later deadline the operator takes upon himself


@dataclass(frozen=True, slots=True)
class News:
    """Something people should see: where the rollout or one host of it stands now, and why."""

    rollout: RolloutState
    detail: Sentence = ""
    mend: Sentence = ""  # the command that unblocks it, when it waits for somebody
    host: Name = ""
    state: HostState | None = None
    findings: Annotated[tuple[Finding, ...], Entries(50)] = ()


class Port(Protocol):
    """The outside world of one rollout."""

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        """Have one host take a step; returns when it has ended or has long been silent."""

    def take_all(
        self, attempts: Mapping[str, int], step: StepName, direction: Direction
    ) -> list[Outcome]:
        """Have each host take the same step, at the same time; `attempts` by host."""

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        """Put or renew the cordon on each host and return what each one saw."""

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        """Let the app be opened again on each host."""

    def now(self) -> float:
        """Return the time, seconds since 1970."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def safe_point(self, after: int, patience: float) -> Command | None:
        """Return the operator's first command after number `after`, None without one.

        Waits up to `patience` seconds for it.
        """

    def tell(self, *news: News) -> None:
        """Show people where things stand, all of it at once."""
