"""One simulated PC with its agent: app, service manager, cordon, release, and a journal."""

from dataclasses import dataclass, field
from enum import StrEnum

from agent.wire.contract import CordonMode, Direction, OpenProgram, Refusal, Sight, StepName
from coordinator.walk.ports import Outcome, Verdict

DO, UNDO, TIDY = Direction.DO, Direction.UNDO, Direction.TIDY


class Release(StrEnum):
    OLD = "old"
    HALF = "half"
    NEW = "new"


class Fate(StrEnum):
    """What a step comes to, each time it really begins."""

    FAIL = "fail"
    REFUSE = "refuse"
    STALE = "stale"  # refused: another coordinator leads this PC
    SILENT = "silent"  # done, and the answer is lost three times
    SILENT_FAIL = "silent-fail"
    LOST = "lost"  # the order itself is lost three times


SECONDS = {
    StepName.SURVEY: 1.0,
    StepName.STAGE: 60.0,
    StepName.ANNOUNCE: 0.5,
    StepName.DRAIN: 30.0,
    StepName.STOP_SERVICE_MANAGER: 2.0,
    StepName.BACK_UP_DATA: 50.0,
    StepName.BACK_UP: 40.0,
    StepName.APPLY_RELEASE: 15.0,
    StepName.START_SERVICE_MANAGER: 4.0,
    StepName.CHECK_HEALTH: 10.0,
    StepName.REOPEN: 1.0,
}
"""How long a step takes."""
REPEATS = frozenset({StepName.SURVEY, StepName.ANNOUNCE, StepName.REOPEN})
"""Steps of which each higher attempt is a run of its own (`agent.orders`)."""
UNDO_SHARE = 0.25
VISIT_SECONDS = 70.0
WAY_BACK_SECONDS = 17.25


@dataclass(slots=True)
class Entry:
    attempt: int
    outcome: Outcome
    began: int


@dataclass(slots=True)
class Pc:
    """A PC; what it does is what a real agent promises (`agent.orders`)."""

    id: str
    on: bool = True
    cable: bool = True
    app_open: bool = True
    manager: bool = True
    spared: bool = False
    mode: CordonMode = CordonMode.NONE
    code_used: bool = False
    owed: bool = False  # a drain, before it is sealed: people came in after its lease ended
    release: Release = Release.OLD
    staged: bool = False
    healthy: bool = True
    pace: float = 1.0  # how much longer than SECONDS its steps take
    confirmed_at: float = 0.0
    mute: int = 0
    shut_on: int = 0  # how often a seal closed the app in front of somebody
    due: CordonMode | None = None  # what its coordinator orders as soon as it is back
    fates: dict[tuple[StepName, Direction], list[Fate]] = field(default_factory=dict)
    journal: dict[tuple[StepName, Direction], Entry] = field(default_factory=dict)
    runs: int = 0

    @property
    def answers(self) -> bool:
        return self.on and self.cable

    @property
    def closed(self) -> bool:
        """True when nobody here can have the app open, whoever is in sight of whom."""
        sealed = self.mode is CordonMode.SEALED and not (self.app_open or self.manager)
        return not self.on or (sealed and not self.spared)

    def order(self, mode: CordonMode) -> None:
        if self.code_used:
            return
        self.owed = self.owed and self.app_open
        self.mode = CordonMode.LEASED if self.owed else mode
        if self.mode is CordonMode.SEALED:
            self.shut_on += self.app_open
            self.app_open = False
            self.manager = self.manager and self.spared

    def switch_on(self) -> None:
        self.on, self.cable = True, True
        self.manager = self.app_open = self.mode is CordonMode.NONE
        self.spared = False
        if self.due is not None:
            self.order(self.due)

    def let_in(self) -> None:
        """Have people come in again, its coordinator having been silent for a lease."""
        if self.mode is CordonMode.LEASED:
            self.mode, self.owed, self.app_open = CordonMode.NONE, True, True

    def open_by_code(self) -> None:
        if self.mode is CordonMode.SEALED:
            self.mode, self.code_used, self.app_open, self.manager = (
                CordonMode.NONE, True, True, True,
            )  # fmt: skip

    def sight(self) -> Sight:
        seen = OpenProgram("marie", "1", "office", 7, 1.0)
        running = OpenProgram("marie", "1", "tray", 8, 1.0)
        is_open = ((seen,) if self.app_open else ()) + (
            (running,) if self.manager and not self.spared else ()
        )
        return Sight(
            mode=self.mode,
            guarded=self.mode is not CordonMode.NONE,
            open=is_open,
            spared=(running,) if self.spared else (),
            code_used=self.code_used,
        )

    # -- steps ---------------------------------------------------------------------------

    def known(self, step: StepName, way: Direction, attempt: int) -> Outcome | None:
        """Return the stored answer, None when the step begins now."""
        entry = self.journal.get((step, way))
        if entry is None:
            nothing = way is not DO and (step, DO) not in self.journal
            return Outcome(self.id, Verdict.DONE) if nothing else None
        assert attempt >= entry.attempt, "an attempt came too late"
        higher = attempt > entry.attempt
        if step in REPEATS and higher:
            return None
        other = self.journal.get((step, UNDO if way is DO else DO))
        if other is not None and other.began > entry.began:
            return None if higher or way is not DO else entry.outcome
        if entry.outcome.verdict is Verdict.DONE or not higher:
            return entry.outcome
        return None

    def fate(self, step: StepName, way: Direction) -> Fate | None:
        fates = self.fates.get((step, way))
        return fates.pop(0) if fates else None

    def run(self, step: StepName, way: Direction, attempt: int, fate: Fate | None) -> Outcome:
        """Take a step that begins now, and keep how it ended."""
        self.runs += 1
        outcome = self._outcome(step, way, fate)
        self.journal[step, way] = Entry(attempt, outcome, self.runs)
        return outcome

    def _outcome(self, step: StepName, way: Direction, fate: Fate | None) -> Outcome:
        seconds = SECONDS[step] * self.pace * (UNDO_SHARE if way is UNDO else 1.0)
        if fate is Fate.REFUSE:
            return Outcome(self.id, Verdict.REFUSED, Refusal.DISK_FULL, "disk full", 0.0)
        if fate is Fate.STALE:
            return Outcome(self.id, Verdict.REFUSED, Refusal.STALE_EPOCH, "led elsewhere", 0.0)
        if way is DO and (no := self._refusal(step)):
            return Outcome(self.id, Verdict.REFUSED, no, no.value, 0.0)
        if fate in {Fate.FAIL, Fate.SILENT_FAIL}:
            if step is StepName.APPLY_RELEASE and way is not TIDY:
                self.release = Release.HALF
            return Outcome(self.id, Verdict.FAILED, None, f"{step} broke", seconds)
        self._act(step, way)
        if step is StepName.CHECK_HEALTH and way is DO and not self.healthy:
            return Outcome(self.id, Verdict.FAILED, None, "no answer from the app", seconds)
        return Outcome(self.id, Verdict.DONE, None, "", seconds)

    def _refusal(self, step: StepName) -> Refusal | None:
        if step not in {StepName.BACK_UP_DATA, StepName.BACK_UP, StepName.APPLY_RELEASE}:
            return None
        if self.mode is not CordonMode.SEALED:
            return Refusal.NOT_SEALED
        if self.app_open or self.manager:
            return Refusal.APP_STILL_OPEN
        if step is StepName.APPLY_RELEASE and not self.staged:
            return Refusal.NOT_STAGED
        return None

    def _act(self, step: StepName, way: Direction) -> None:
        if step is StepName.STAGE:
            self.staged = way is DO
        elif step is StepName.DRAIN and way is DO:
            self.app_open = False
        elif step is StepName.STOP_SERVICE_MANAGER:
            self.manager, self.spared = way is not DO, False
        elif step is StepName.APPLY_RELEASE and way is not TIDY:
            self.release = Release.NEW if way is DO else Release.OLD
        elif step is StepName.START_SERVICE_MANAGER and way is not TIDY:
            self.manager = self.spared = way is DO
