"""What the coordinator and an agent say to each other.

Everything that crosses a link is declared here and nowhere else. Each of the seven methods
takes one dataclass and answers one dataclass (`METHODS`); `agent.wire.codec` turns them into
the plain JSON that travels and back. Every field is bounded: what a bound does not admit never
reaches the code behind it. Fields that a newer peer adds are ignored; another protocol version
is refused in `hello`, before anything else is said. Standard library only.
"""

from dataclasses import dataclass, field
from typing import Annotated

from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.notices import Outlook
from agent.wire.words import CordonMode as CordonMode
from agent.wire.words import Direction as Direction
from agent.wire.words import Refusal as Refusal
from agent.wire.words import Severity as Severity
from agent.wire.words import StepName as StepName
from agent.wire.words import StepState as StepState

PROTOCOL = 1
LEASE_SECONDS = 120.0
"""How long a leased cordon outlives the last order heard (design: invariant I2)."""
REPORT_WAIT_SECONDS = 1.5
"""The longest an agent may hold a `report` back while nothing changes."""

STILL_IN = "still_in"
"""The fact of a drain under way that says, for people, who has the app open."""
TURN_OF, TURN_SECONDS = "turn_of", "turn_seconds"
"""The facts of an attended update under way: whose turn it is, "" = nobody's, and how long."""

HostId = Annotated[str, Text(64, r"[A-Za-z0-9][A-Za-z0-9._-]*")]
RolloutId = Annotated[str, Text(26, r"[0-9A-HJKMNP-TV-Z]{26}")]
BackupName = Annotated[str, Text(26, r"([0-9A-HJKMNP-TV-Z]{26})?")]
"""A backup is named after the rollout that made it; "" = the newest of the app."""
StepId = Annotated[str, Text(140, r"[0-9A-HJKMNP-TV-Z]{26}/[A-Za-z0-9][A-Za-z0-9._-]*/[a-z-]+")]
Sha256 = Annotated[str, Text(64, r"[0-9a-f]{64}")]
Epoch = Annotated[int, Whole(0, 2**53)]
Instance = Annotated[str, Text(40, r"[0-9a-f]*")]
Count = Annotated[int, Whole(0, 2**53)]
Seconds = Annotated[float, Number(0, 7 * 86400)]
Version = Annotated[str, Text(64)]
Sentence = Annotated[str, Text(500)]
Name = Annotated[str, Text(100)]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found on a host: what it is, what it means, what mends it."""

    code: Annotated[str, Text(60, r"[a-z0-9-]+")]
    severity: Severity
    message: Sentence
    fix: Sentence = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A signed target by name and content; the agent reads it only as verified metadata says."""

    name: Annotated[str, Text(200, r"[A-Za-z0-9][A-Za-z0-9._/-]*")]
    sha256: Sha256


NO_PROFILE = Target("none", "0" * 64)
"""What is named as the profile of a step that needs none; there is no such signed target."""


@dataclass(frozen=True, slots=True)
class StepParams:
    """What a step works on: signed targets, numbers and texts, never a path or a command."""

    profile: Target
    package: Target | None = None
    version: Version = ""
    grace_seconds: Seconds = 0.0
    notice: Sentence = ""
    asked_by: Name = ""
    backup: BackupName = ""
    postpones: Annotated[int, Whole(0, 100)] = 0  # how often a user may have 5 more minutes
    takes: Seconds = 0.0  # about how long the app will be closed, for the notice
    starts_in: Seconds = 0.0  # announce: seconds until the rollout begins
    drill: bool = False  # nothing is applied, and what was backed up for it is not kept
    rate: Count = 0  # stage: bytes a second at most; 0 = as fast as it comes
    leaves: Annotated[tuple[Name, ...], Entries(64)] = ()  # modules that are not updated along


@dataclass(frozen=True, slots=True)
class Fence:
    """Who gives orders: the highest epoch wins, and within an epoch one instance only."""

    epoch: Epoch
    instance: Instance


@dataclass(frozen=True, slots=True)
class HelloAsk:
    """The coordinator's first words on a new link."""

    protocol: Annotated[int, Whole(0, 10_000)]
    version: Version


@dataclass(frozen=True, slots=True)
class Hello:
    """An agent's answer: who it is and where it stands."""

    protocol: Annotated[int, Whole(0, 10_000)]
    version: Version
    boot_id: Name
    host_name: Name
    system: Name
    clock: Annotated[float, Number(0, 1e11)]  # seconds since 1970, the host's own opinion
    fence: Fence
    lanes: Annotated[dict[str, str], Entries(4, 20, 140)] = field(default_factory=dict)
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class StartOrder:
    """Start a step, join it while it runs, or hear the stored result when it has ended."""

    step_id: StepId
    direction: Direction
    attempt: Annotated[int, Whole(1, 1000)]
    fence: Fence
    not_after: Seconds  # counted from receipt: the clocks of two machines need not agree
    params: StepParams
    ticket: Annotated[str, Text(400)] = ""  # lets the agent fetch bulk; not part of the params


@dataclass(frozen=True, slots=True)
class ReportAsk:
    """Ask what is known of a step; answered when `revision` has changed, or after `wait`."""

    step_id: StepId
    direction: Direction
    since: Count = 0
    wait: Annotated[float, Number(0, REPORT_WAIT_SECONDS)] = 0.0
    page: Annotated[int, Whole(0, 1000)] = 0


@dataclass(frozen=True, slots=True)
class StepReport:
    """What an agent knows about one step in one direction."""

    step_id: StepId
    direction: Direction
    state: StepState
    attempt: Annotated[int, Whole(0, 1000)] = 0
    revision: Count = 0
    bytes_done: Count = 0
    bytes_total: Count = 0
    seconds: Seconds = 0.0
    refusal: Refusal | None = None
    detail: Sentence = ""
    facts: Annotated[dict[str, str], Entries(64, 40, 400)] = field(default_factory=dict)
    findings: Annotated[tuple[Finding, ...], Entries(50)] = ()
    more: bool = False  # further findings on the next page


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """End a cancellable step at its next safe moment."""

    step_id: StepId
    direction: Direction
    fence: Fence


@dataclass(frozen=True, slots=True)
class CordonOrder:
    """Keep the app closed on this host."""

    rollout: RolloutId
    profile: Target
    mode: CordonMode
    fence: Fence
    ttl: Seconds = LEASE_SECONDS
    text: Sentence = ""
    outlook: Outlook = field(default_factory=Outlook)
    code_hash: Annotated[str, Text(64, r"[0-9a-f]*")] = ""
    code_salt: Annotated[str, Text(64, r"[0-9a-f]*")] = ""


@dataclass(frozen=True, slots=True)
class UncordonOrder:
    """Let the app be opened again on this host."""

    rollout: RolloutId
    fence: Fence


@dataclass(frozen=True, slots=True)
class OpenProgram:
    """A process of the app, its service manager or its updater, seen in somebody's session."""

    user: Name
    session: Name
    program: Name
    pid: Count
    age: Seconds


@dataclass(frozen=True, slots=True)
class Sight:
    """What an agent sees at this moment, after it has looked."""

    mode: CordonMode
    guarded: bool = False  # the guard has looked since the cordon was put on
    open: Annotated[tuple[OpenProgram, ...], Entries(50)] = ()
    spared: Annotated[tuple[OpenProgram, ...], Entries(50)] = ()  # started by the runner itself
    relaunches: Count = 0
    code_used: bool = False
    rollout: Annotated[str, Text(26)] = ""
    refusal: Refusal | None = None
    detail: Sentence = ""


@dataclass(frozen=True, slots=True)
class LogAsk:
    """Ask for the agent's log lines after `since`."""

    since: Count = 0
    most: Annotated[int, Whole(1, 200)] = 100


@dataclass(frozen=True, slots=True)
class LogPage:
    """Log lines, oldest first, and the number to ask from next."""

    lines: Annotated[tuple[Annotated[str, Text(1000)], ...], Entries(200)] = ()
    next: Count = 0


METHODS: dict[str, tuple[type, type]] = {
    "hello": (HelloAsk, Hello),
    "start": (StartOrder, StepReport),
    "report": (ReportAsk, StepReport),
    "cancel": (CancelOrder, StepReport),
    "cordon": (CordonOrder, Sight),
    "uncordon": (UncordonOrder, Sight),
    "log": (LogAsk, LogPage),
}
"""The whole of what may be said over a link: method, what is asked, what is answered."""
