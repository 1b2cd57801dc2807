"""What the store hands out: rows as frozen dataclasses, for people and for the daemon."""

from dataclasses import dataclass

from agent.wire.contract import CordonMode, Direction, Finding, StepName
from coordinator.model import Plan
from coordinator.walk.states import HostState, RolloutState

IMPERSONAL_FACTS = frozenset(
    {
        "system",
        "app_version",
        "service_manager_version",
        "staged_version",
        "app_bytes",
        "backup_bytes",
        "backup_files",
        "data_bytes",
        "data_files",
        "newer_data",
        "kept_newer_data",
        "needs_reboot",
    }
)
"""Facts of steps that name no person; every other may."""


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """Where one rollout stands."""

    id: str
    number: int  # shown as r12
    plan: Plan
    state: RolloutState
    detail: str
    mend: str
    since: float
    epoch: int
    started_by: str
    started: float
    ended: float | None

    @property
    def label(self) -> str:
        """The name people use for it."""
        return f"r{self.number}"


@dataclass(frozen=True, slots=True)
class VisitRow:
    """Where one host stands in a rollout."""

    host: str
    place: int
    state: HostState
    detail: str
    since: float
    began: float | None  # its turn came
    ended: float | None  # updated, rolled back or skipped


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of one host, in one direction, as far as the coordinator has heard."""

    step_id: str
    host: str
    step: StepName
    direction: Direction
    attempt: int
    state: str  # a StepState, or "unknown"
    started: float
    ended: float | None
    bytes_done: int
    bytes_total: int
    detail: str
    facts: dict[str, str]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class CordonRow:
    """What cordon a host is to have, and the one-time code that ends it on the spot."""

    host: str
    rollout: str
    mode: CordonMode  # NONE = to be uncordoned, and not yet confirmed
    code: str
    salt: str
    code_hash: str
    opened: bool  # opened on the spot: not sealed again until an operator says so


@dataclass(frozen=True, slots=True)
class NewsRow:
    """One line of a rollout's history."""

    number: int
    at: float
    state: str
    host: str
    host_state: str
    detail: str
    mend: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a release was found to be bad."""

    at: float
    by: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class PackageRow:
    """One package known to the coordinator, signed or not yet."""

    target: str
    sha256: str
    app: str
    version: str
    role: str
    system: str
    size: int
    signed: bool
    added_by: str
    at: float
    notes: str = ""  # the vendor's, shown before anything is approved
    withdrawn: Withdrawal | None = None  # None = nobody has

    @property
    def last_used(self) -> float:
        """When it was added, or was taken off offer."""
        return max(self.at, self.withdrawn.at if self.withdrawn else 0.0)


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One person (or program) who may speak to the coordinator."""

    name: str
    role: str
    mail: str = ""  # where it is told how what it started goes


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, when."""

    number: int
    at: float
    who: str
    what: str
    detail: str
