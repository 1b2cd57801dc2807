"""What the journal keeps: one dataclass a kind of row, each written as bounded JSON."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from agent.programs import Programs
from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.codec import decode, encode
from agent.wire.contract import (
    CordonMode,
    Count,
    Fence,
    Finding,
    Name,
    RolloutId,
    Sentence,
    StepParams,
    StepReport,
    StepState,
    Target,
)
from agent.wire.notices import Outlook

MOST_FINDINGS = 1000
_SENTENCE = 500
_UNREADABLE = "what was kept of this step cannot be read in full"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step in one direction. `report` never holds the findings: they may be many."""

    report: StepReport
    params: StepParams
    began: Count  # grows with every run of any step: says which of two directions came last
    started: Annotated[float, Number(0, 1e11)]  # seconds since 1970
    ended: Annotated[float, Number(0, 1e11)] = 0.0
    touched: bool = False  # some run of it may have changed something
    unmended: bool = False  # its recovery has yet to succeed
    findings: Annotated[tuple[Finding, ...], Entries(MOST_FINDINGS)] = ()

    @property
    def state(self) -> StepState:
        """How far the step has got."""
        return self.report.state


@dataclass(frozen=True, slots=True)
class CordonRecord:
    """The cordon of this host. `heard` and `until` are on the platform's clock."""

    rollout: RolloutId
    profile: Target
    app: Name
    mode: CordonMode
    fence: Fence
    programs: Programs
    service: Programs  # those of them that the runner itself may start
    since: Annotated[float, Number(0, 1e11)]  # seconds since 1970, for people to read
    heard: Annotated[float, Number(0, 1e11)] = 0.0  # when the order came; in that boot only
    until: Annotated[float, Number(0, 1e11)] = 0.0
    owed: bool = False  # a drain, before it is sealed: people came in again after a lease ended
    boot_id: Name = ""
    since_clock: Annotated[float, Number(0, 1e11)] = 0.0  # `since`, in the boot `since_boot`
    since_boot: Name = ""  # "" = an agent wrote it that did not know these two
    title: Name = ""
    text: Sentence = ""
    outlook: Outlook = field(default_factory=Outlook)
    unit: Annotated[str, Text(256)] = ""  # of the system's service manager, which `service` is
    block: bool = False  # its programs cannot be started meanwhile
    code_salt: Annotated[str, Text(64)] = ""
    code_hash: Annotated[str, Text(64)] = ""


@dataclass(frozen=True, slots=True)
class CordonState:
    """The cordon's record and what became of it since."""

    record: CordonRecord
    relaunches: int = 0
    opened: str = ""  # by whom it was ended at this host: "code" or "administrator"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log line and its number."""

    number: Annotated[int, Whole(0, 2**53)]
    line: str = field(default="")


def write_record(record: object) -> str:
    """Return the record as the text that is kept."""
    return json.dumps(encode(record), sort_keys=True, separators=(",", ":"))


def read_record(kind: type[T], text: str) -> T:
    """Return the record in `text`. Raises `ValueError` when it is none."""
    return decode(kind, json.loads(text))


def read_step(text: str) -> StepRecord:
    """Return the step in `text`, without the words in it when they are out of bounds.

    Raises `ValueError` when it is none. What was under way matters more than what was said.
    """
    try:
        return read_record(StepRecord, text)
    except ValueError:
        return decode(StepRecord, _without_words(json.loads(text)))


def _without_words(kept: Any) -> dict[str, Any]:
    try:
        report = kept["report"] | {"facts": {}, "detail": _UNREADABLE}
        return dict(kept | {"report": report, "findings": []})
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no step: {error}") from None


def sentence(text: object, most: int = _SENTENCE) -> str:
    """Return `text` on one printable line of at most `most` characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return line if len(line) <= most else line[: most - 3] + "..."
