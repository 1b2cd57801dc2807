"""Does steps, one at a time in each lane, and remembers how far each has got, across crashes.

The intent is in the journal before a step begins and the outcome when it has ended, so that a
crash shows. What the journal shows under way when the agent starts is brought to a runnable
state by the step's `recover`, never gone on with, and is then called interrupted.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext

from agent.fence import why_stale
from agent.journal import Journal, JournalError
from agent.no_profile import NOBODYS
from agent.orders import Answer, No, judge
from agent.records import StepRecord, sentence
from agent.run import (
    Run,
    finished,
    intent,
    live_report,
    outcome_of,
    page_of,
    recovered,
    refused,
)
from agent.steps.table import Lane, Step
from agent.wire.contract import (
    CancelOrder,
    Direction,
    Refusal,
    ReportAsk,
    StartOrder,
    StepName,
    StepReport,
    StepState,
)
from agent.work import Assignment, Progress, StepWork, Tools

_log = logging.getLogger(__name__)
_Key = tuple[str, Direction]


class Runner:
    """Runs the steps of one table against one journal; call `recover` before anything else."""

    def __init__(self, steps: Mapping[StepName, Step], journal: Journal, tools: Tools) -> None:
        self._steps = steps
        self._journal = journal
        self._tools = tools
        self._changed = threading.Condition()
        self._runs: dict[_Key, Run] = {}
        self._lanes: dict[Lane, Run] = {}
        self._futures: set[Future[None]] = set()
        self._pools = {lane: ThreadPoolExecutor(1, f"lane {lane}") for lane in Lane}
        self._stopping = False

    def start(self, order: StartOrder) -> StepReport:
        """Start a step, join it, or return its stored result; see `agent.orders`."""
        received = self._tools.platform.clock()
        with self._changed:
            try:
                answer = self._answer(order)
                if answer is Answer.START:
                    answer = self._begin(order, received)
                elif answer is Answer.NOTHING:
                    self._journal.put_step(self._nothing(order))
            except JournalError as error:
                answer = No(Refusal.INTERNAL, str(error))
            if isinstance(answer, No):
                return refused(order, answer)
            return self._report((order.step_id, order.direction), page=0)

    def report(self, ask: ReportAsk) -> StepReport:
        """Return what is known of a step, after `ask.wait` seconds or at once when it is news."""
        key = (ask.step_id, ask.direction)
        with self._changed:
            self._changed.wait_for(lambda: self._is_news(key, ask.since), ask.wait)
            return self._report(key, ask.page)

    def cancel(self, order: CancelOrder) -> StepReport:
        """Have a cancellable step end at its next safe moment; others are only reported."""
        with self._changed:
            run = self._runs.get((order.step_id, order.direction))
            why = why_stale(self._journal, order.fence)
            if why:
                return StepReport(
                    order.step_id,
                    order.direction,
                    StepState.REFUSED,
                    refusal=Refusal.STALE_EPOCH,
                    detail=sentence(why),
                )
            if run is not None and run.cancellable:
                run.progress.asked_to_end.set()
            return self._report((order.step_id, order.direction), page=0)

    def lanes(self) -> dict[str, str]:
        """Return which step runs in each lane that is taken."""
        with self._changed:
            return {lane.value: run.record.report.step_id for lane, run in self._lanes.items()}

    def unless_begun(self, number: int, act: Callable[[], None]) -> bool:
        """Act while no step can begin; False, not done, when the run `number` has begun."""
        with self._changed:
            if self._journal.next_run() > number:
                return False
            act()
            return True

    def recover(self) -> None:
        """Bring what a crash left under way to a runnable state. Raises `JournalError`."""
        for record in self._journal.to_recover():
            future = self._pools[Lane.VISIT].submit(self._mend, record)
            error = future.exception()
            if error is not None:
                _log.error("recovery did not end", extra=_about(record), exc_info=error)
            self._journal.put_step(recovered(record, error, time.time()))
            _log.warning("step recovered", extra=_about(record))

    def close(self, patience: float) -> bool:
        """Take no more orders, end what can be ended; False when a step still runs after that."""
        with self._changed:
            self._stopping = True
            for run in self._runs.values():
                if run.cancellable:
                    run.progress.asked_to_end.set()
            futures = set(self._futures)
        ended = not wait(futures, patience).not_done
        for pool in self._pools.values():
            pool.shutdown(wait=ended)
        return ended

    def _mend(self, record: StepRecord) -> None:
        row = self._row(record.report.step_id)
        if row is not None and row.recover is not None:
            with self._tools.startable():
                row.recover(self._work(record, ticket="", afresh=False))

    def _row(self, step_id: str) -> Step | None:
        name = step_id.rpartition("/")[2]
        return self._steps.get(StepName(name)) if name in set(StepName) else None

    def _answer(self, order: StartOrder) -> Answer | No:
        if no := self._unfit(order):
            return no
        if why := why_stale(self._journal, order.fence):
            return No(Refusal.STALE_EPOCH, why)
        history = {way: self._known((order.step_id, way)) for way in Direction}
        row = self._row(order.step_id)
        return judge(order, history, repeats=row is not None and row.repeats)

    def _unfit(self, order: StartOrder) -> No | None:
        host, mine = order.step_id.split("/")[1], self._tools.config.host
        if host != mine:
            return No(Refusal.BAD_ORDER, f"the order is for {host}; this host is {mine}")
        if self._row(order.step_id) is None:
            return No(Refusal.UNKNOWN_STEP, f"this agent knows no step {order.step_id}")
        if self._stopping:
            return No(Refusal.INTERNAL, "the agent is being stopped")
        if order.not_after <= 0:
            return No(Refusal.OUT_OF_TIME, "the order leaves no time")
        return None

    def _known(self, key: _Key) -> StepRecord | None:
        run = self._runs.get(key)
        return run.record if run else self._journal.step(*key)

    def _begin(self, order: StartOrder, received: float) -> Answer | No:
        row = self._row(order.step_id)
        if row is None:
            return No(Refusal.UNKNOWN_STEP, order.step_id)
        in_the_way = next((run for run in self._lanes.values() if _excludes(run.row, row)), None)
        if in_the_way is not None:
            busy = in_the_way.record.report
            return No(Refusal.LANE_BUSY, f"{busy.step_id} {busy.direction} is under way")
        run = self._new_run(order, row, received)
        self._journal.put_step(run.record)  # intent first: a crash shows
        self._runs[order.step_id, order.direction] = self._lanes[row.lane] = run
        _log.info("step started", extra=_about(run.record))
        future = self._pools[row.lane].submit(self._carry_out, run, order.ticket)
        self._futures.add(future)
        future.add_done_callback(lambda done: self._ended(run, done))
        return Answer.STORED

    def _new_run(self, order: StartOrder, row: Step, received: float) -> Run:
        before = self._known((order.step_id, order.direction))
        record = intent(order, before, self._journal.next_run(), time.time())
        progress = Progress(lambda: None, received + order.not_after, cancellable=False)
        touched = before is not None and before.touched
        run = Run(record, row, progress, received, touched, record.report.revision)
        progress.cancellable = run.cancellable
        progress.changed = lambda: self._tell(run)
        return run

    def _carry_out(self, run: Run, ticket: str) -> None:
        if run.handler is None:
            return
        is_do = run.record.report.direction is Direction.DO
        work = self._work(run.record, ticket, afresh=is_do)
        work.report_to(run.progress)
        run.attended = run.is_attended(work.profile)
        run.progress.cancellable = run.cancellable
        with self._tools.startable() as found, self._meanwhile(run):
            for finding in found if run.begins_the_visits else ():
                work.find(finding)
            run.handler(work)

    def _meanwhile(self, run: Run) -> AbstractContextManager[None]:
        """Return what the guard lets be while a run lasts."""
        if run.attended:
            return self._tools.letting()
        return self._tools.expecting() if run.starts_programs else nullcontext()

    def _work(self, record: StepRecord, ticket: str, *, afresh: bool) -> StepWork:
        row, wanted = self._row(record.report.step_id), record.params.profile
        needs = row is None or row.needs_profile
        profile = self._tools.profile(wanted, afresh=afresh) if needs else NOBODYS
        assignment = Assignment(record.report.step_id, record.params, ticket, profile)
        return StepWork(assignment, self._tools, self._journal)

    def _tell(self, run: Run) -> None:
        with self._changed:
            run.revision += 1
            self._changed.notify_all()

    def _ended(self, run: Run, future: Future[None]) -> None:
        error = future.exception()
        with self._changed:
            outcome = outcome_of(error, run.progress, stopping=self._stopping)
            run.record = finished(run, outcome, self._tools.platform.clock(), time.time())
            self._keep_outcome(run, error if outcome.refusal is Refusal.INTERNAL else None)
            self._lanes.pop(run.row.lane)
            self._futures.discard(future)
            self._changed.notify_all()

    def _keep_outcome(self, run: Run, fault: BaseException | None) -> None:
        report = run.record.report
        try:
            self._journal.put_step(run.record)
        except JournalError as error:
            # the run stays in memory; to the journal it is under way, so a restart recovers it
            _log.critical("cannot keep an outcome", extra={"step": report.step_id, "why": error})
        else:
            self._runs.pop((report.step_id, report.direction))
        _log.info("step ended", extra=_about(run.record), exc_info=fault)
        if run.ends_the_rollout:
            self._tools.tidied()

    def _nothing(self, order: StartOrder) -> StepRecord:
        before = self._known((order.step_id, order.direction))
        record = intent(order, before, self._journal.next_run(), time.time())
        progress = Progress(lambda: None, 0.0, cancellable=False)
        row = self._steps[StepName(order.step_id.rpartition("/")[2])]
        clock = self._tools.platform.clock()
        run = Run(record, row, progress, clock, touched_before=False, revision=1)
        outcome = outcome_of(None, progress, stopping=False)
        return finished(run, outcome, clock, time.time())

    def _is_news(self, key: _Key, since: int) -> bool:
        run = self._runs.get(key)
        return run is None or run.record.state is not StepState.RUNNING or run.revision != since

    def _report(self, key: _Key, page: int) -> StepReport:
        run = self._runs.get(key)
        if run is not None and run.record.state is StepState.RUNNING:
            report = live_report(run, self._tools.platform.clock())
            return page_of(report, tuple(run.progress.findings), page)
        record = self._known(key)
        if record is None:
            return StepReport(*key, StepState.UNHEARD)
        return page_of(record.report, record.findings, page)


def _excludes(running: Step, wanted: Step) -> bool:
    return running.lane is wanted.lane or running.alone or wanted.alone


def _about(record: StepRecord) -> dict[str, object]:
    report = record.report
    return {
        "step": report.step_id,
        "direction": report.direction.value,
        "attempt": report.attempt,
        "state": report.state.value,
        "seconds": round(report.seconds, 3),
        "detail": report.detail,
    }
