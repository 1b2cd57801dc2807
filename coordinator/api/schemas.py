"""The JSON that operators' programs see and send; one class a noun.

Answers may grow: a reader ignores fields it does not know. What is sent may not: a field that
the coordinator does not know is refused. Times are seconds since 1970, UTC; sizes are bytes.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.wire.contract import Severity
from coordinator.api.roles import OperatorRole
from coordinator.fleet.enrolment_book import Approval
from coordinator.model import AfterRollBack, HostStanding
from coordinator.walk.ports import Verb
from coordinator.walk.states import HostState, RolloutState

PREFIX = "/api/v1"
"""Where all of it is on the coordinator's HTTPS."""

Short = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Line = Annotated[str, StringConstraints(max_length=500)]
Word = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")]
AppName = Word
VersionName = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_~-]*$")
]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Answer(BaseModel):
    """What the coordinator answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Ask(BaseModel):
    """What an operator sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def in_words(self) -> str:
        """Return what the audit trail keeps of it: its short values, "key=value"."""
        given: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        pairs = [f"{key}={value}" for key, value in given.items() if len(str(value)) <= 200]
        return " ".join(pairs)


class NoAsk(Ask):
    """Nothing more than the request itself."""


# -- fleet -------------------------------------------------------------------------------


class TokenAsk(Ask):
    """A new enrolment token: where its hosts go, and who lets them in."""

    group: Short
    site: Short | None = None  # the coordinator's own when left out
    role: Short = "workstation"
    uses: Annotated[int, Field(ge=1, le=200)] = 1
    approval: Approval = Approval.OPERATOR


class TokenView(Answer):
    """A token, shown once and kept nowhere."""

    token: str
    uses: int
    hours: float


class HostView(Answer):
    """One host of the fleet, and where its link stands."""

    id: str
    name: str
    site: str
    group: str
    role: str
    order: int
    standing: HostStanding
    reason: str = ""
    linked: bool = False
    since: float | None = None  # of this link, or of the end of the last one
    last_heard: float | None = None
    address: str = ""
    system: str = ""
    agent_version: str = ""
    problem: str = ""
    clone_address: str = ""  # another machine with this host's certificate was seen there
    rollout: str = ""  # the one under way that it is part of

    @property
    def needs_a_person(self) -> bool:
        """True when something about it does not mend itself."""
        return bool(self.problem or self.clone_address) or self.standing is HostStanding.WAITING


class ReasonAsk(Ask):
    """Why a host is held or revoked."""

    reason: Annotated[str, StringConstraints(max_length=300)] = ""


class ImportAsk(Ask):
    """A fleet file: the text, and the name it had, for errors."""

    text: Annotated[str, StringConstraints(max_length=500_000)]
    file: Line = "fleet file"


class ImportView(Answer):
    """What a fleet file changed."""

    changed: list[str]
    unchanged: list[str]
    absent: list[str]  # named in the file, and not enrolled yet


# -- releases ----------------------------------------------------------------------------


class PackageAsk(Ask):
    """What an uploaded package is; `notes` are the vendor's, of this version."""

    app: AppName
    version: VersionName
    role: Word = "workstation"
    system: Word = "linux"
    notes: Annotated[str, StringConstraints(max_length=8000)] = ""


class PackageView(Answer):
    """One package, signed or not yet."""

    app: str
    version: str
    role: str
    system: str
    size: int
    sha256: str  # of its manifest, which is what is signed
    target: str
    signed: bool
    added_by: str
    at: float
    notes: str = ""


class ProfileView(Answer):
    """One application profile that the coordinator has."""

    name: str
    title: str
    sha256: str
    signed: bool
    actions: list[str]  # everything that it lets an agent run or end, in words


class ProfileAsk(Ask):
    """A profile to be signed next."""

    text: Annotated[str, StringConstraints(max_length=256 * 1024)]
    file: Line = "profile"


class TargetView(Answer):
    """One target of a list that is to be signed."""

    name: str
    sha256: str
    new: bool


class UnsignedView(Answer):
    """The list that is to be signed, exactly as it is to be signed."""

    unsigned: str
    targets: list[TargetView]


class PublishAsk(Ask):
    """The list, signed."""

    signed: Annotated[str, StringConstraints(max_length=4_000_000)]


class PublishedView(Answer):
    """What agents accept from now on."""

    targets: list[TargetView]


# -- plans -------------------------------------------------------------------------------


class FindingView(Answer):
    """One thing found on a host: what it is, what mends it."""

    host: str = ""
    code: str
    severity: Severity
    message: str
    fix: str = ""


class PlanAsk(Ask):
    """What is to be planned. `window` is "12:00-14:00", local time of the coordinator."""

    app: AppName
    version: VersionName
    group: Short | None = None  # may be left out when there is one only
    site: Short | None = None
    window: Annotated[
        str, StringConstraints(pattern=r"^([0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})?$")
    ] = ""
    within_seconds: Annotated[float, Field(ge=1, le=86_400)] | None = None  # instead of a window
    grace_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None  # None: the profile's
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    then: AfterRollBack = AfterRollBack.STOP
    notice: Line = ""


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
    findings: list[FindingView]
    notes: str = ""  # the vendor's, of this version

    @property
    def needs_a_person(self) -> bool:
        """True when starting it as it is would not end well."""
        return not self.fits or any(f.severity is Severity.BLOCKS for f in self.findings)


# -- rollouts ----------------------------------------------------------------------------


class StartAsk(Ask):
    """Which plan to start."""

    plan: Short


class VisitView(Answer):
    """Where one host stands in a rollout, and how far its present step has come."""

    host: str
    id: str
    place: int
    state: HostState
    detail: str
    since: float
    began: float | None
    ended: float | None
    from_version: str
    step: str = ""
    direction: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    steps_done: int = 0
    steps_total: int = 0


class RolloutView(Answer):
    """Where a rollout stands; `visits` is empty in lists."""

    id: str
    label: str  # r12
    app: str
    version: str
    site: str
    group: str
    state: RolloutState
    detail: str
    mend: str
    since: float
    started_by: str
    started: float
    ended: float | None
    deadline: float
    now: float  # the coordinator's clock when it answered
    visits: list[VisitView] = []

    @property
    def needs_a_person(self) -> bool:
        """True when it does not go on, or did not end well, by itself."""
        return self.state in _UNWELL


_UNWELL = frozenset(
    {
        RolloutState.NEEDS_OPERATOR,
        RolloutState.PAUSED,
        RolloutState.PARTLY_DONE,
        RolloutState.LEFT_CLOSED,
    }
)


class WhyView(Answer):
    """Who holds the walk, since when, for what, and the command that unblocks it."""

    label: str
    state: RolloutState
    holder: str  # a host, an operator, or "" when nobody holds it
    since: float
    now: float
    reason: str
    mend: str


class CommandAsk(Ask):
    """An operator's word to a rollout under way."""

    verb: Verb
    host: Short | None = None
    until: Clock | None = None  # with resume: a later deadline, today


class CodeView(Answer):
    """The one-time code that opens a host on the spot."""

    host: str
    id: str
    code: str


class NewsView(Answer):
    """One line of a rollout's history."""

    number: int
    at: float
    state: str
    host: str
    host_state: str
    detail: str
    mend: str


class ReportView(Answer):
    """A rollout's report, whole; `page` is its HTML, "" unless it was asked for."""

    rollout: dict[str, Any]
    hosts: list[dict[str, Any]]
    not_done: list[str]
    history: list[dict[str, Any]]
    text: str
    page: str = ""


# -- the rest ----------------------------------------------------------------------------


class DoctorAsk(Ask):
    """Which hosts to look at; all of them when none is named."""

    hosts: list[Short] = []
    app: AppName | None = None


class CheckView(Answer):
    """What the doctor found on one host; `problem` says why it could not be asked."""

    host: str
    id: str
    app: str
    facts: dict[str, str]
    findings: list[FindingView]
    problem: str = ""

    @property
    def needs_a_person(self) -> bool:
        """True when something has to be mended before a walk."""
        return bool(self.problem) or any(f.severity is Severity.BLOCKS for f in self.findings)


class OperatorAsk(Ask):
    """A person (or program) who may speak to the coordinator, and as what."""

    name: Short
    role: OperatorRole


class OperatorView(Answer):
    """One operator; the token only when it was just made."""

    name: str
    role: OperatorRole
    token: str = ""


class AuditView(Answer):
    """Who did what, when."""

    number: int
    at: float
    who: str
    what: str
    detail: str


class HealthView(Answer):
    """How the coordinator is."""

    state: Literal["well", "needs a person"]
    version: str
    you: OperatorView
    up_seconds: float
    hosts: int
    linked: int
    active: list[str]  # rollouts that have not ended
    expiries: dict[str, float]  # of the signed metadata, by kind
    problems: list[str]


class ProblemView(Answer):
    """Why something was refused, and what to do."""

    error: str
    mend: str = ""
