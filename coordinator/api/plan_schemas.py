"""The JSON of plans that operators' programs see; see `coordinator.api.schemas`."""

from enum import StrEnum

from agent.wire.contract import Severity
from coordinator.api.schemas import Answer, FindingView
from coordinator.model import Gate, ModuleVerdict


class ModuleView(Answer):
    """What becomes of one module of a host."""

    name: str
    from_version: str
    to_version: str
    verdict: ModuleVerdict
    left: bool  # the agent leaves it as it is


class Cell(StrEnum):
    """What one gate says of one host."""

    GO = "go"
    WARNING = "warning"
    NO_GO = "no-go"


class MatrixRow(Answer):
    """One host, judged: what each gate says, and the worst of it. Host "" = the whole group."""

    host: str
    id: str
    verdict: Cell
    gates: dict[Gate, Cell]


class PlanFindingView(FindingView):
    """One thing that speaks against a plan, or should be known of it, and of which gate it is."""

    gate: Gate | None = None


class PlannedHostView(Answer):
    """One host's place in a plan, and when its turn would come."""

    place: int
    host: str
    id: str
    role: str
    from_version: str
    begins: float | None
    ends: float | None
    reason: str
    visited: bool
    modules: tuple[ModuleView, ...] = ()
    sessions: int = 0  # when it was asked, as the next two
    sessions_away: int = 0  # nobody can answer there: locked, disconnected or away
    sessions_open: int = 0  # the app is open there


class PlanView(Answer):
    """One plan: frozen; nothing moves because of it until it is started."""

    id: str
    label: str  # p3
    app: str
    version: str
    site: str
    group: str
    opens: float
    deadline: float
    ends: float  # when it would end, started in time
    fits: bool
    verdict: str  # the same in words
    hosts: list[PlannedHostView]
    findings: list[PlanFindingView]
    matrix: tuple[MatrixRow, ...] = ()
    notes: str = ""  # the vendor's, of this version
    announce: tuple[float, ...] = ()  # when people are told ahead
    postpones: int = 0
    closing_seconds: float = 0.0  # so long closing may take, everybody postponing
    server_first: str = ""  # role that is updated first, the others working on
    drill: bool = False  # nothing is applied
    mail: tuple[str, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """True when starting it as it is would not end well."""
        return not self.fits or any(f.severity is Severity.BLOCKS for f in self.findings)
