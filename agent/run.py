"""One run of a step: what the journal says of it before and after, and what is told meanwhile."""

from dataclasses import dataclass, replace

from agent.journal import JournalError
from agent.orders import No
from agent.records import StepRecord, sentence
from agent.steps.table import Cancelled, Failed, Handler, Refused, Step
from agent.wire.contract import (
    Direction,
    Finding,
    Refusal,
    StartOrder,
    StepName,
    StepReport,
    StepState,
)
from agent.wire.profile import ApplyKind, Profile
from agent.work import Progress

FINDINGS_A_PAGE = 25
"""So many fit a message, with room to spare."""
_STARTS = {
    (StepName.START_SERVICE_MANAGER, Direction.DO),
    (StepName.STOP_SERVICE_MANAGER, Direction.UNDO),
    (StepName.STOP_SERVICE_MANAGER, Direction.TIDY),
}
_BEYOND = 2**20  # past any revision that a run now forgotten may have told


@dataclass(slots=True)
class Run:
    """A step under way; `record` is what the journal holds of it."""

    record: StepRecord
    row: Step
    progress: Progress
    begun: float  # on the platform's clock
    touched_before: bool
    revision: int
    attended: bool = False  # a person works with the app meanwhile: known once it is carried out

    @property
    def handler(self) -> Handler | None:
        """What is to be done."""
        by_direction = {
            Direction.DO: self.row.do,
            Direction.UNDO: self.row.undo,
            Direction.TIDY: self.row.tidy,
        }
        return by_direction[self.record.report.direction]

    @property
    def cancellable(self) -> bool:
        """True when it may be ended from outside: never when it takes something back."""
        may_end = self.row.cancellable or self.attended
        return may_end and self.record.report.direction is Direction.DO

    def is_attended(self, profile: Profile) -> bool:
        """True when the person at this host updates the app in this run, from inside it."""
        this = (self.row.name, self.record.report.direction)
        applies = this == (StepName.APPLY_RELEASE, Direction.DO)
        return applies and profile.apply.kind is ApplyKind.ATTENDED

    @property
    def begins_the_visits(self) -> bool:
        """True for the first step after the app was closed: what was found then is told once."""
        return (self.row.name, self.record.report.direction) == (StepName.DRAIN, Direction.DO)

    @property
    def ends_the_rollout(self) -> bool:
        """True for what is tidied last: the way back is given up by then."""
        return (self.row.name, self.record.report.direction) == (StepName.SURVEY, Direction.TIDY)

    @property
    def starts_programs(self) -> bool:
        """True when the service manager may come up before the step could have it spared."""
        return (self.row.name, self.record.report.direction) in _STARTS


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    state: StepState
    refusal: Refusal | None = None
    detail: str = ""


def intent(order: StartOrder, before: StepRecord | None, number: int, now: float) -> StepRecord:
    """Return what the journal says before a run begins."""
    report = StepReport(
        order.step_id,
        order.direction,
        StepState.RUNNING,
        order.attempt,
        revision=before.report.revision + 1 if before else 1,
    )
    return StepRecord(report, order.params, number, now, touched=True)


def refused(order: StartOrder, no: No) -> StepReport:
    """Return the answer to an order that is refused; the journal keeps nothing of it."""
    return StepReport(
        order.step_id,
        order.direction,
        StepState.REFUSED,
        order.attempt,
        refusal=no.refusal,
        detail=sentence(no.detail),
    )


def outcome_of(error: BaseException | None, progress: Progress, *, stopping: bool) -> Outcome:
    """Return how a run ended that raised `error`."""
    match error:
        case None:
            return Outcome(StepState.DONE)
        case Refused():
            return Outcome(StepState.REFUSED, error.refusal, sentence(error))
        case Cancelled() if stopping:
            return Outcome(StepState.INTERRUPTED, None, "the agent was stopped")
        case Cancelled():
            late = Refusal.OUT_OF_TIME if progress.out_of_time else None
            return Outcome(StepState.CANCELLED, late, sentence(error))
        case OSError(filename=str() as file, strerror=str() as why):
            return Outcome(StepState.FAILED, None, sentence(f'cannot use "{file}": {why}'))
        case Failed() | OSError() | JournalError():
            return Outcome(StepState.FAILED, None, sentence(error))
    return Outcome(
        StepState.FAILED,
        Refusal.INTERNAL,
        sentence(f"fault in the agent: {type(error).__name__}: {error}; see its log"),
    )


def finished(run: Run, outcome: Outcome, clock: float, now: float) -> StepRecord:
    """Return what the journal says after a run has ended."""
    report = replace(
        live_report(run, clock),
        state=outcome.state,
        revision=run.revision + 1,
        refusal=outcome.refusal,
        detail=outcome.detail,
    )
    return replace(
        run.record,
        report=report,
        ended=now,
        touched=run.touched_before or outcome.state is not StepState.REFUSED,
        unmended=_may_need_mending(run, outcome),
        findings=tuple(run.progress.findings),
    )


def _may_need_mending(run: Run, outcome: Outcome) -> bool:
    """True when the next start is to look again whether the host was left runnable."""
    failed = outcome.state is StepState.FAILED and run.row.recover is not None
    return failed or outcome.state is StepState.INTERRUPTED


def recovered(record: StepRecord, error: BaseException | None, now: float) -> StepRecord:
    """Return what the journal says of a step once its recovery was tried at the agent's start.

    A step that had failed stays failed: only what it left behind was looked at again.
    """
    if record.state is StepState.FAILED:
        return replace(record, unmended=error is not None)
    why = f"cannot recover: {error}" if error else "the agent ended in the middle of it"
    report = replace(
        record.report,
        state=StepState.INTERRUPTED,
        revision=record.report.revision + _BEYOND,
        detail=sentence(why),
    )
    return replace(record, report=report, ended=now, unmended=error is not None)


def live_report(run: Run, clock: float) -> StepReport:
    """Return what is known of a run at this moment, without its findings."""
    told = run.progress
    return replace(
        run.record.report,
        revision=run.revision,
        bytes_done=told.bytes_done,
        bytes_total=told.bytes_total,
        seconds=max(0.0, clock - run.begun),
        facts=dict(told.facts),
    )


def page_of(report: StepReport, findings: tuple[Finding, ...], page: int) -> StepReport:
    """Return the report with one page of its findings."""
    first = page * FINDINGS_A_PAGE
    last = first + FINDINGS_A_PAGE
    return replace(report, findings=findings[first:last], more=len(findings) > last)
