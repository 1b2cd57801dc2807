"""Which function does a step, which one undoes it, which one tidies up after the rollout.

The table is filled in `agent.steps.rows`; this module says what a row is and what a handler
is given. A handler returns when its step is done, raises `Refused` when nothing was changed,
`Failed` when something was; it must bear repetition, since a crash may make it run again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from agent.platforms.base import Platform, Process
from agent.wire.contract import Finding, Refusal, StepName, StepParams, Target
from agent.wire.manifest import Manifest
from agent.wire.notices import Blind, Notice, Word
from agent.wire.profile import Profile


class Refused(Exception):  # noqa: N818 - reads better where it is raised
    """Nothing was changed, and why."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal


class Failed(Exception):  # noqa: N818
    """Begun, and cannot be ended well."""


class Cancelled(Exception):  # noqa: N818
    """The coordinator, or the step's time limit, ended it at a safe moment."""


class Lane(StrEnum):
    """One step at a time runs in each lane."""

    LOOK = "look"  # so that a plan can be made while a release comes all night
    BACKGROUND = "background"
    VISIT = "visit"


class Memo(Protocol):
    """Small facts a step must find again after a crash; on disk when `put` returns."""

    def get(self, key: str) -> str | None:
        """Return what was kept under `key` for this step."""

    def put(self, key: str, value: str) -> None:
        """Keep `value` under `key` until the rollout is tidied."""


class Packages(Protocol):
    """Signed targets, verified; nothing else reaches a step."""

    def profile(self, target: Target) -> Profile:
        """Return the verified profile. Raises `Refused` NOT_SIGNED."""

    def manifest(self, target: Target, *, afresh: bool = False) -> Manifest:
        """Return the verified manifest of a package. Raises `Refused` NOT_SIGNED.

        `afresh` asks for the signed list as it is now, since the package may be withdrawn.
        """

    def fetch(self, manifest: Manifest, ticket: str, work: "Work") -> Path:
        """Return the package's content, downloaded or resumed and verified, as one file.

        Raises `Refused` PACKAGE_ABSENT or PACKAGE_MISMATCH; reports bytes through `work`.
        """

    def assemble(self, manifest: Manifest, ticket: str, work: "Work", into: Path) -> bool:
        """Have the release in `into`, of what this host has and what it lacks, fetched singly.

        Returns False when the package is to be fetched whole. What is in `into` is not verified
        yet, whatever is returned. Raises `Refused` PACKAGE_ABSENT.
        """


class Guard(Protocol):
    """What a step may tell the cordon's guard."""

    def spare(self, process: Process) -> None:
        """Leave this process alone: the runner itself started it."""

    def spare_none(self) -> None:
        """Spare nothing from now on."""

    def let(self, users: Collection[str]) -> None:
        """Let these users have the app open while the step lasts, and nobody else."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One session and the person in it, as the program in that desktop tells.

    What it says may delay, never prove: that a program is closed is read from the process table.
    """

    session: str
    user: str
    active: bool = False  # somebody can answer there: neither locked nor disconnected
    sees: bool = False  # its windows can be seen
    windows: frozenset[int] = frozenset()  # pids that have a window
    asking: frozenset[int] = frozenset()  # pids with a question on the screen
    idle_seconds: float = 0.0  # read in `agent.steps.away` only: used, never kept
    away: bool = False  # by the profile's measure; nobody can answer there
    blind: Blind | None = None  # why it does not see, once that is known


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's word, from one session."""

    session: str
    user: str
    word: Word


class People(Protocol):
    """The people at this host (`agent.session` is in their desktops)."""

    def seats(self) -> Sequence[Seat]:
        """Return every session of a person, disconnected ones too."""

    def show(self, notice: Notice, sessions: Collection[str] = ()) -> None:
        """Show the notice, or renew what it says, in these sessions; () = in all."""

    def hush(self, sessions: Collection[str] = ()) -> None:
        """Take every notice away in these sessions; () = in all."""

    def close_windows(self, processes: Iterable[Process]) -> None:
        """Have each one's windows closed as its user would; returns at once."""

    def answers(self) -> list[Answer]:
        """Return what people have answered since this was last asked, but for `Word.OPEN`."""

    def offer(self, session: str, user: str, opens: Callable[[], None]) -> None:
        """Do this, once, when that person wants the app opened; until the next `hush` of all."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the app is on this host, from the profile's candidates or the host's agent.toml."""

    folder: Path
    values: Mapping[str, str]  # fills {name} in the profile's health checks, say a port
    data: tuple[Path, ...] = ()  # from agent.toml, instead of the profile's data folders


@dataclass(frozen=True, slots=True)
class Folders:
    """The agent's own folders for one rollout; made on first use, readable by root only.

    `incoming` and `outgoing` lie on the app's own volume, so that the swap is two renames.
    """

    download: Path
    incoming: Path
    outgoing: Path
    discarded: Path
    backup: Path
    autosaves: Path
    ready: Path  # releases fetched ahead of any rollout: theirs is taken over from here


class Work(Protocol):
    """Everything a handler works with. Built by the runner, one for each run of a step."""

    step_id: str
    params: StepParams
    ticket: str
    profile: Profile
    installation: Installation
    folders: Folders
    platform: Platform
    packages: Packages
    guard: Guard
    people: People
    memo: Memo
    owed: Memo  # of this app on this host, whichever the rollout: until it is given back

    def progress(self, done: int, total: int) -> None:
        """Tell how many bytes of how many are done; raises `Cancelled` when asked to end."""

    def pause(self, seconds: float) -> None:
        """Let time pass; raises `Cancelled` when asked to end or when time is up."""

    def seconds_left(self) -> float:
        """Return how long the step may still take."""

    def fact(self, key: str, value: str) -> None:
        """Add a fact to the report, say the version found."""

    def find(self, finding: Finding) -> None:
        """Add a finding to the report."""

    def memo_of(self, step: StepName) -> Memo:
        """Return the memo of another step of the same rollout on this host."""


Handler = Callable[[Work], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One row: how a step is done, undone and tidied, in which lane, and how it recovers.

    `recover` runs at agent start, before anything else, for a step the journal shows under
    way: it brings the host to a runnable release and never goes on with the step.
    """

    name: StepName
    do: Handler
    undo: Handler | None = None
    tidy: Handler | None = None
    recover: Handler | None = None
    lane: Lane = Lane.VISIT
    cancellable: bool = False
    needs_profile: bool = True  # False: it looks at the host whatever is installed there
    alone: bool = False  # not beside a step of another lane
    repeats: bool = False  # a higher attempt is taken whatever the last came to, with other params
