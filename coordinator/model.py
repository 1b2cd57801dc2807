"""The nouns of the coordinator, frozen: host, group, release, plan. No I/O, no clock.

A `Plan` is the whole input of a rollout: once made it never changes, and the walk reads
nothing else. All of it can be turned into JSON and back (`agent.wire.codec`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from agent.wire.bounds import Entries, Number, Text, Whole
from agent.wire.contract import (
    Finding,
    HostId,
    Name,
    Refusal,
    RolloutId,
    Seconds,
    Sentence,
    Target,
    Version,
)

Moment = Annotated[float, Number(0, 1e11)]  # seconds since 1970, UTC
# no "=?": that would be read as text in a code, which may hold anything
ADDRESS = r"[A-Za-z0-9.!#$%&'*+/^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
Address = Annotated[str, Text(254, ADDRESS)]
AppName = Annotated[str, Text(60, r"[a-z0-9][a-z0-9-]*")]


class HostStanding(StrEnum):
    """What the fleet thinks of a host, apart from any rollout."""

    WAITING = "waiting"  # asked to be enrolled, not yet approved
    ENROLLED = "enrolled"
    HELD = "held"  # an operator keeps it out of visits
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Host:
    """One workstation of the fleet."""

    id: HostId
    name: Name
    site: Name
    group: Name
    role: Name
    order: int
    standing: HostStanding
    reason: Sentence = ""


@dataclass(frozen=True, slots=True)
class SurveyOf:
    """What one host said of itself; `problem` says why it could not be asked, "" when it was."""

    facts: Annotated[dict[str, str], Entries(64, 40, 400)]
    findings: Annotated[tuple[Finding, ...], Entries(1000)] = ()
    problem: Sentence = ""
    refusal: Refusal | None = None
    is_silent: bool = True  # with a problem: it gave no answer; else it answered that it cannot


class AfterRollBack(StrEnum):
    """What becomes of the walk once a failed host has been rolled back."""

    STOP = "stop"  # wait at a safe point, cordons held, for an operator
    SKIP = "skip"  # go on without it; it stays sealed and is listed
    ROLL_BACK_ALL = "roll-back-all"  # the whole group goes back, with the data it shares


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """How often a step is tried again, and what then."""

    retries: Annotated[int, Whole(0, 10)] = 1
    then: AfterRollBack = AfterRollBack.STOP


@dataclass(frozen=True, slots=True)
class SharedData:
    """The data a group shares, as far as the walk must know (invariant I6)."""

    holder: HostId  # the one host that backs it up, and restores it
    old_reads_new: bool  # whether the old release can work with what the new one has written
    seconds: Seconds = 0.0  # what backing it up takes, about


@dataclass(frozen=True, slots=True)
class SessionCount:
    """How many sessions a host had when it was asked: numbers, and nobody's name."""

    here: Annotated[int, Whole(0, 10_000)] = 0
    away: Annotated[int, Whole(0, 10_000)] = 0  # nobody can answer there
    open: Annotated[int, Whole(0, 10_000)] = 0  # the app is open there


class ModuleVerdict(StrEnum):
    """What becomes of one installed module in an update."""

    COMPATIBLE = "compatible"  # stays as it is, and works with the new release
    UPDATED = "updated"  # along, in the same visit
    LEFT = "left"  # an operator has unticked it; it works with the new release as it is
    NOT_RELEASED = "not-released"  # for this release: stays, and may not work
    NOT_UPDATABLE = "not-updatable"  # there is a newer one, which cannot be put over it
    BLOCKS = "blocks"  # stays, does not work, and is needed


@dataclass(frozen=True, slots=True)
class PlannedModule:
    """One module of one host: what it is, what it will be, and why."""

    name: Name
    from_version: Version
    to_version: Version
    verdict: ModuleVerdict


class Gate(StrEnum):
    """Which part of the judgement a finding belongs to: one column of the matrix."""

    HOST = "host"  # the workstation itself: reached, room, rights, ports
    LICENCE = "licence"
    VERSION = "version"
    MODULES = "modules"
    ROLES = "roles"
    PLAN = "plan"  # the day: window, order, shared data


@dataclass(frozen=True, slots=True)
class Mark:
    """Whom a finding is about, and of which gate it is."""

    host: Annotated[str, Text(64)]  # "" = all of them
    gate: Gate


@dataclass(frozen=True, slots=True)
class PlannedHost:
    """One host's place in the plan, and why it stands there."""

    id: HostId
    name: Name
    role: Name
    from_version: Version
    package: Target
    estimate_seconds: Seconds
    reason: Sentence = ""
    visited: bool = True  # False = held: its app is kept closed, it is not updated
    left_closed: bool = False  # by an earlier rollout: it was sealed when this plan was made
    sessions: SessionCount = SessionCount()
    leaves: Annotated[tuple[Name, ...], Entries(64)] = ()  # modules that are not updated along
    modules: Annotated[tuple[PlannedModule, ...], Entries(64)] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One release through one group, on one day: ordered, reasoned, frozen."""

    id: RolloutId
    app: AppName
    site: Name
    group: Name
    version: Version
    profile: Target
    hosts: Annotated[tuple[PlannedHost, ...], Entries(1000)]
    opens: Moment
    deadline: Moment
    grace_seconds: Seconds
    step_seconds: Seconds  # how long one step may take before it is cancelled or lost
    silence_seconds: Seconds  # how long no answer is borne before a host counts as unknown
    notice: Sentence
    asked_by: Name
    policy: FailurePolicy = FailurePolicy()
    close_between_visits: bool = True
    findings: Annotated[tuple[Finding, ...], Entries(500)] = ()
    marks: Annotated[tuple[Mark, ...], Entries(500)] = ()  # of each finding, in the same order
    data: SharedData | None = None  # None = the group shares none
    announce: Annotated[tuple[Moment, ...], Entries(10)] = ()  # when people are told ahead
    postpones: Annotated[int, Whole(0, 100)] = 0  # how often a user may have 5 more minutes
    server_first: Name = ""  # role updated first; then the others may open the old release (O12)
    reopen: bool = False  # who had the app open gets it back
    drill: bool = False  # the whole walk with nothing applied
    backs_up: bool = True  # False in a drill that only closes and re-opens
    mail: Annotated[tuple[Address, ...], Entries(50)] = ()  # who is told how it ends


class DownloadState(StrEnum):
    """How far a download from a vendor has come."""

    UNDER_WAY = "under-way"
    DONE = "done"
    FAILED = "failed"


class StagingState(StrEnum):
    """How far a staging has come."""

    UNDER_WAY = "under-way"
    DONE = "done"  # every host has it, or is told why it cannot
    STOPPED = "stopped"  # by an operator
    REPLACED = "replaced"  # by later ones of the same app, which have the hosts it still had
    TIMED_OUT = "timed-out"  # some hosts were never on


class StagedState(StrEnum):
    """How far one host of it has come."""

    WAITING = "waiting"
    FETCHING = "fetching"
    READY = "ready"  # verified and unpacked, there
    REFUSED = "refused"  # it cannot be, and trying again would not help
    REPLACED = "replaced"  # a later staging of the app has this host

    @property
    def is_final(self) -> bool:
        """True when nothing more is done for this host."""
        return self in {StagedState.READY, StagedState.REFUSED, StagedState.REPLACED}


@dataclass(frozen=True, slots=True)
class Keep:
    """How long the coordinator keeps what is on offer no more."""

    days: int = 90
    releases: int = 3  # of each app, the last ones, however old
