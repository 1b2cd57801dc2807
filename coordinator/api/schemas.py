"""The JSON that operators' programs see; one class a noun.

Answers may grow: a reader ignores fields that it does not know. Times are seconds since 1970,
UTC; sizes are bytes.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agent.wire.contract import Severity
from coordinator.api.roles import OperatorRole
from coordinator.model import HostStanding
from coordinator.walk.states import HostState, RolloutState


class Answer(BaseModel):
    """What the coordinator answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


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


class ImportView(Answer):
    """What a fleet file changed."""

    changed: list[str]
    unchanged: list[str]
    absent: list[str]  # named in the file, and not enrolled yet


class Added(Answer):
    """Something that was put among what is to be signed."""

    dropped: int = 0  # signatures that the list lost, since it is another one now


class PackageView(Added):
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
    warning: str = ""  # when it was added: what is missing for it to be installed
    withdrawn: str = ""  # by whom it was taken off offer, when and why; "" = it was not


class ProfileView(Added):
    """One application profile that the coordinator has."""

    name: str
    title: str
    sha256: str
    signed: bool
    actions: list[str]  # everything that it lets an agent run or end, in words


class TargetView(Answer):
    """One target of a list that is to be signed."""

    name: str
    sha256: str
    new: bool


class ProgressView(Answer):
    """How far the signatures of something have come; keys are named by their fingerprints."""

    signed: list[str]
    done: int
    threshold: int
    may_sign: list[str]
    published: bool = False


class PublishedView(Answer):
    """What agents accept from now on; as before while signatures are missing."""

    targets: list[TargetView]
    progress: ProgressView


class UnsignedView(PublishedView):
    """The list that is to be signed, exactly as it is to be signed."""

    unsigned: str
    withdrawn: list[TargetView] = []  # what it has no more, and agents accept until then
    dropped: int = 0  # signatures that were lost when the list last changed
    overtakes: bool = False  # a change of keys waits, which this list ends when it is published


class FindingView(Answer):
    """One thing found on a host: what it is, what mends it."""

    host: str = ""
    code: str
    severity: Severity
    message: str
    fix: str = ""


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
    still_in: str = ""  # who has the app open while it is being closed, in words
    turn_of: str = ""  # who is to update the app from inside it just now, in words
    turn_until: float | None = None
    opened: str = ""  # how it was opened on the spot that was to stay closed, in words


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
    drill: bool = False  # nothing is applied
    mixed: bool = False  # the server is updated, and the others may use the old release
    visits: list[VisitView] = []
    opened: str = ""  # which hosts were opened on the spot that were to stay closed, in words
    closes_again: str = ""  # what is typed to have those closed again

    @property
    def needs_a_person(self) -> bool:
        """True when it does not go on, or did not end well, by itself."""
        return self.state in _UNWELL


_R = RolloutState
_UNWELL = frozenset({_R.NEEDS_OPERATOR, _R.PAUSED, _R.PARTLY_DONE, _R.LEFT_CLOSED})


class WhyView(Answer):
    """Who holds the walk, since when, for what, and the command that unblocks it."""

    label: str
    state: RolloutState
    holder: str  # a host, an operator, or "" when nobody holds it
    since: float
    now: float
    reason: str
    mend: str

    @property
    def needs_a_person(self) -> bool:
        """True when it does not go on, or did not end well, by itself."""
        return self.state in _UNWELL


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


class OperatorView(Answer):
    """One operator; the token only when it was just made."""

    name: str
    role: OperatorRole
    mail: str = ""
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
