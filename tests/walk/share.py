"""The data a simulated group shares: what it holds, what was saved of it, who may not open it."""

from dataclasses import dataclass, field

from agent.wire.contract import Direction, StepName
from coordinator.model import SharedData
from coordinator.walk.ports import Outcome, Verdict
from tests.walk.pc import Pc, Release

DO, UNDO, TIDY = Direction.DO, Direction.UNDO, Direction.TIDY
_MIGRATED = " and migrated"
_RUNS_THE_NEW = {StepName.APPLY_RELEASE, StepName.START_SERVICE_MANAGER, StepName.CHECK_HEALTH}


@dataclass(slots=True)
class Share:
    """The data itself, judged each time somebody opens it."""

    plan: SharedData
    content: str = "work of years"
    saved: str | None = None
    aside: list[str] = field(default_factory=list)
    backups: int = 0
    gone_back: set[str] = field(default_factory=set)  # while it was the new release's
    faults: list[str] = field(default_factory=list)

    @property
    def is_bound(self) -> bool:
        """True while the old release must not open it."""
        return self.content.endswith(_MIGRATED) and not self.plan.old_reads_new

    def begins(self, pc: Pc, step: StepName, way: Direction) -> None:
        """Judge a step that is about to begin on a PC."""
        if step is StepName.APPLY_RELEASE and way is DO and self.saved is None:
            self.faults.append(f"I6: {pc.id} is changed before the data was backed up")
        if step is StepName.BACK_UP_DATA and pc.id != self.plan.holder:
            self.faults.append(f"I6: {pc.id} does not hold the data")
        taken = (StepName.APPLY_RELEASE, DO) in pc.journal
        if step is StepName.APPLY_RELEASE and way is UNDO and taken and self.is_bound:
            self.gone_back.add(pc.id)
        elif way is DO and step in {StepName.BACK_UP, *_RUNS_THE_NEW} and self.gone_back:
            self.faults.append(f"I6: {pc.id} {step} after {sorted(self.gone_back)} went back")

    def ends(self, pc: Pc, step: StepName, way: Direction, outcome: Outcome) -> None:
        """Let the data be what a step made of it: the worst, short of losing it."""
        is_done = outcome.verdict is Verdict.DONE
        runs = step in _RUNS_THE_NEW and way is DO and outcome.verdict is not Verdict.REFUSED
        if runs and pc.release is not Release.OLD:
            self.migrate()
        elif step is StepName.BACK_UP_DATA and is_done:
            self._keep(way)
        elif step is StepName.STOP_SERVICE_MANAGER and way is TIDY and is_done:
            self.open(pc)

    def open(self, pc: Pc) -> None:
        """Have the release of a PC open it."""
        if pc.release is Release.NEW:
            self.migrate()
        elif self.is_bound:
            self.faults.append(f"I6: {pc.id} opens with its {pc.release} release what is new")

    def migrate(self) -> None:
        if not self.content.endswith(_MIGRATED):
            self.content += _MIGRATED

    def _keep(self, way: Direction) -> None:
        if way is DO:
            self.saved, self.backups = self.content, self.backups + 1
        elif way is UNDO and self.saved is not None:
            self.aside.append(self.content)
            self.content = self.saved
            self.gone_back.clear()
