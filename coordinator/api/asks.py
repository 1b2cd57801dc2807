"""The JSON that operators' programs send; one class a noun.

A field that the coordinator does not know is refused, as is a value beyond its bound.
"""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from coordinator.api.roles import OperatorRole
from coordinator.fleet.enrolment_book import Approval
from coordinator.model import ADDRESS, AfterRollBack
from coordinator.walk.ports import Verb

PREFIX = "/api/v1"
"""Where all of it is on the coordinator's HTTPS."""

Short = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Line = Annotated[str, StringConstraints(max_length=500)]
_WORD = r"^[a-z0-9][a-z0-9-]*$"
_VERSION = r"^[0-9A-Za-z][0-9A-Za-z.+_~-]*$"
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_WINDOW = r"^([0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})?$"
_MAIL = f"^({ADDRESS})?$"
_ANNOUNCE = r"^(start|(day-before|morning) ([01][0-9]|2[0-3]):[0-5][0-9])$"
_BACKUP = r"^([0-9A-HJKMNP-TV-Z]{26})?$"
_LEAVE = r"^[A-Za-z0-9][A-Za-z0-9._-]*(@[A-Za-z0-9][A-Za-z0-9._-]*)?$"
_SHA256 = r"^([0-9a-f]{64})?$"
_FORMS = {
    _WORD: "must be small letters, digits and hyphens",
    _VERSION: "must be letters, digits and . + _ ~ -, as 1.4.2",
    _CLOCK: "must be a time of day, as 17:30",
    _BACKUP: "must be the name of a backup, as roundsman backup list shows it",
    f"({_WORD})|^$": "must be small letters, digits and hyphens",
    _SHA256: "must be a SHA-256, 64 digits and letters a to f",
    _MAIL: "must be an address, as ann@example.org",
    _ANNOUNCE: "must be day-before 16:00, morning 08:00 or start",
    _LEAVE: "must be a module, or MODULE@HOST",
    _WINDOW: "must be two times of day, as 12:00-14:00",
}
"""What each pattern asks for, in words."""

Word = Annotated[str, StringConstraints(max_length=60, pattern=_WORD)]
AppName = Word
MailAddress = Annotated[str, StringConstraints(max_length=254, pattern=_MAIL)]
VersionName = Annotated[str, StringConstraints(max_length=64, pattern=_VERSION)]
Announce = Annotated[str, StringConstraints(pattern=_ANNOUNCE)]
Leave = Annotated[str, StringConstraints(max_length=170, pattern=_LEAVE)]
Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]


def first_fault(error: ValidationError) -> str:
    """Return the first thing wrong with what was to be asked, "field: why".

    One of several values is told by what was given, not by its number.
    """
    first = error.errors(include_url=False)[0]
    field = ".".join(part for part in first["loc"] if isinstance(part, str))
    if len(first["loc"]) > 1 and isinstance(given := first["input"], str):
        field += f" {given[:60]!a}"
    pattern = str(first.get("ctx", {}).get("pattern", ""))
    return f"{field or 'the request'}: {_FORMS.get(pattern, first['msg'].lower())}"


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


class TokenAsk(Ask):
    """A new enrolment token: where its hosts go, and who lets them in."""

    group: Short
    site: Short | None = None  # the coordinator's own when left out
    role: Short = "workstation"
    uses: Annotated[int, Field(ge=1, le=200)] = 1
    approval: Approval = Approval.OPERATOR


class ReasonAsk(Ask):
    """Why a host is held or revoked."""

    reason: Annotated[str, StringConstraints(max_length=300)] = ""


class ImportAsk(Ask):
    """A fleet file: the text, and the name that it had, for errors."""

    text: Annotated[str, StringConstraints(max_length=500_000)]
    file: Line = "fleet file"


class PackageAsk(Ask):
    """What an uploaded package is; `notes` are the vendor's, of this version."""

    app: AppName
    version: VersionName
    role: Word = "workstation"
    system: Word = "linux"
    notes: Annotated[str, StringConstraints(max_length=8000)] = ""
    terms: Annotated[str, StringConstraints(max_length=16_000)] = ""  # JSON; "" = none


class FetchAsk(Ask):
    """Which release the coordinator fetches itself: from the app's feed, or from an address.

    From the feed come all packages, or those of one role or system. What is given here counts
    before what the feed says.
    """

    app: AppName
    version: VersionName
    url: Annotated[str, StringConstraints(max_length=2000)] = ""  # "" = as the feed says
    sha256: Annotated[str, StringConstraints(pattern=_SHA256)] = ""  # with url: what must come
    role: Annotated[str, StringConstraints(max_length=60, pattern=f"({_WORD})|^$")] = ""
    system: Annotated[str, StringConstraints(max_length=60, pattern=f"({_WORD})|^$")] = ""
    notes: Annotated[str, StringConstraints(max_length=8000)] = ""
    terms: Annotated[str, StringConstraints(max_length=16_000)] = ""


class WithdrawAsk(Ask):
    """Why a release is taken off offer, or that it is put back."""

    why: Annotated[str, StringConstraints(max_length=200)] = ""
    undo: bool = False


class StageAsk(Ask):
    """What is sent to hosts ahead of time; to all of the fleet when none is named."""

    app: AppName
    version: VersionName
    hosts: Annotated[list[Short], Field(max_length=1000)] = []
    group: Short | None = None
    at: Clock | None = None  # time of day; with `until` it goes on daily between the two
    until: Clock | None = None
    rate: Annotated[int, Field(ge=0, le=10**12)] = 0  # bytes a second for all together
    slots: Annotated[int, Field(ge=1, le=200)] = 8


class ProfileAsk(Ask):
    """A profile to be signed next."""

    text: Annotated[str, StringConstraints(max_length=256 * 1024)]
    file: Line = "profile"


class TidyAsk(Ask):
    """Whether what nobody needs any more is deleted, or only shown."""

    dry_run: bool = False


class PublishAsk(Ask):
    """The list, signed."""

    signed: Annotated[str, StringConstraints(max_length=4_000_000)]


class LicenceAsk(Ask):
    """An entitlement as the vendor has sent it, and its detached signature in base64."""

    text: Annotated[str, StringConstraints(max_length=16 * 1024)]
    signature: Annotated[str, StringConstraints(max_length=200)] = ""
    file: Line = "entitlement"


class PlanAsk(Ask):
    """What is to be planned. `window` is "12:00-14:00", local time of the coordinator."""

    app: AppName
    version: VersionName
    group: Short | None = None  # may be left out when there is one only
    site: Short | None = None
    window: Annotated[str, StringConstraints(pattern=_WINDOW)] = ""
    within_seconds: Annotated[float, Field(ge=1, le=86_400)] | None = None  # instead of a window
    grace_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None  # None: the profile's
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    then: AfterRollBack = AfterRollBack.STOP
    notice: Line = ""
    announce: Annotated[list[Announce], Field(max_length=10)] = []  # when people are told ahead
    postpones: Annotated[int, Field(ge=0, le=20)] = 2  # how often a user may have 5 more minutes
    mail: Annotated[list[MailAddress], Field(max_length=50)] = []  # who is told how it ends
    leave: Annotated[list[Leave], Field(max_length=100)] = []  # modules: MODULE or MODULE@HOST


class DrillAsk(Ask):
    """What is drilled: a plan, in its own window or another, or some hosts as they are.

    Without `back_up` it only closes, starts, checks and re-opens (`profile try`).
    """

    plan: Short | None = None  # else `app` and `hosts`
    app: AppName | None = None
    hosts: Annotated[list[Short], Field(max_length=1000)] = []
    back_up: bool = True
    window: Annotated[str, StringConstraints(pattern=_WINDOW)] = ""
    within_seconds: Annotated[float, Field(ge=1, le=86_400)] | None = None  # instead of a window
    grace_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None  # None: the profile's
    notice: Line = ""


class StartAsk(Ask):
    """Which plan to start."""

    plan: Short


def _of_a_rollout(verb: Verb) -> Verb:
    if verb is Verb.WITHDRAW:
        raise ValueError("it is releases that are withdrawn: roundsman release withdraw")
    return verb


class CommandAsk(Ask):
    """An operator's word to a rollout under way."""

    verb: Annotated[Verb, AfterValidator(_of_a_rollout)]
    host: Short | None = None
    until: Clock | None = None  # with resume: a later deadline, today


class DoctorAsk(Ask):
    """Which hosts to look at, all when none is named, and judged for which version."""

    hosts: list[Short] = []
    app: AppName | None = None
    version: VersionName | None = None  # None = as they are


class BackupAsk(Ask):
    """Which backup of a host; the newest complete one when none is named."""

    app: AppName | None = None  # may be left out when there is one only
    backup: Annotated[str, StringConstraints(pattern=_BACKUP)] = ""


class RestoreAsk(BackupAsk):
    """Which backup is restored, and whether the host may stay closed afterwards."""

    leave_closed: bool = False


class RecordAsk(Ask):
    """Which of the folders seen on a host a profile is drafted of, and its name."""

    folder: Annotated[str, StringConstraints(max_length=300)] = ""  # "" = where only one is
    name: Annotated[str, StringConstraints(max_length=60, pattern=f"({_WORD})|^$")] = ""


class OperatorAsk(Ask):
    """A person (or program) who may speak to the coordinator, and as what."""

    name: Short
    role: OperatorRole
    mail: MailAddress = ""  # "" = the one that is known stays


class MailAsk(Ask):
    """Where an operator is told; "" = nowhere."""

    mail: MailAddress


class MailTestAsk(Ask):
    """To whom a test is sent; "" = to whom every rollout is told, and to who asks."""

    address: MailAddress = ""
