"""What a plan is made of: what an operator asks for, and what is known at that moment. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from agent.wire.contract import Target
from agent.wire.profile import Profile
from agent.wire.terms import NO_TERMS, Terms
from coordinator.model import FailurePolicy, Host, SurveyOf
from coordinator.planning.announce import Ahead
from coordinator.planning.entitlement import NOTHING_HELD, Held
from coordinator.planning.judge_modules import Leave
from coordinator.planning.window import Span, Window, Within

STEP_SECONDS = 1800.0
SILENCE_SECONDS = 60.0
_DEFAULT_POLICY = FailurePolicy()


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What an operator asks for."""

    id: str
    app: str
    version: str
    site: str
    group: str
    asked_by: str
    zone: tzinfo | None = None  # None = this machine's
    window: Window | Within | Span | None = None  # None = from now until midnight
    grace_seconds: float | None = None  # None = the profile's
    notice: str = ""
    policy: FailurePolicy = _DEFAULT_POLICY
    step_seconds: float = STEP_SECONDS
    silence_seconds: float = SILENCE_SECONDS
    announce: Sequence[Ahead] = ()
    postpones: int = 0
    mail: tuple[str, ...] = ()
    drill: bool = False
    backs_up: bool = True  # False = a drill that only closes and re-opens
    leave: tuple[Leave, ...] = ()  # modules that are not to be updated along


@dataclass(frozen=True, slots=True)
class PackageChoice:
    """A signed package of the version asked for."""

    target: Target
    role: str
    system: str
    terms: Terms = NO_TERMS


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known when the plan is made."""

    profile: Profile
    profile_target: Target
    hosts: Sequence[Host]
    surveys: Mapping[str, SurveyOf]  # by host id
    packages: Sequence[PackageChoice]
    slowest: Mapping[str, float]  # seconds of a host's slowest visit of this app, where known
    now: float
    skews: Mapping[str, float] = field(default_factory=dict)  # clocks, seconds ahead of ours
    clones: Mapping[str, str] = field(default_factory=dict)  # where a host's double was seen
    left_closed: Collection[str] = ()  # hosts that an earlier rollout keeps closed
    orphans: Collection[str] = ()  # hosts kept closed for a rollout that is not known here
    held: Held = NOTHING_HELD  # the vendor's entitlement
    seats: int = 0  # workstations of the fleet that have the app
