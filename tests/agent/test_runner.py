import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.journal import JournalError
from agent.records import MOST_FINDINGS
from agent.steps.table import Cancelled, Failed, Lane, Refused, Step, Work
from agent.wire.codec import decode, encode
from agent.wire.contract import (
    CancelOrder,
    Direction,
    Fence,
    Finding,
    Refusal,
    ReportAsk,
    Severity,
    StartOrder,
    StepName,
    StepParams,
    StepReport,
    StepState,
)
from agent.wire.profile import Apply, ApplyKind
from tests.agent.fakes import FENCE, PROFILE, ROLLOUT, Orders
from tests.agent.rig import Gate, Rig
from tests.until import until

ORDERS = Orders()
DO, UNDO, TIDY = Direction


@contextmanager
def running(folder: Path, *steps: Step) -> Iterator[Rig]:
    rig = Rig(folder, {step.name: step for step in steps})
    try:
        yield rig
    finally:
        rig.off()


def doing_nothing(work: Work) -> None:
    pass


def test_a_step_is_done_once_however_often_it_is_started(tmp_path: Path) -> None:
    runs: list[str] = []
    step = Step(StepName.APPLY_RELEASE, lambda work: runs.append(work.step_id))
    with running(tmp_path, step) as rig:
        first = rig.take(ORDERS.start())
        again = rig.runner.start(ORDERS.start())
    assert runs == [ORDERS.start().step_id]
    assert first.state is StepState.DONE
    assert again == first


def test_a_start_while_it_runs_joins_it(tmp_path: Path) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate)) as rig:
        rig.runner.start(ORDERS.start())
        assert gate.entered.wait(10)
        assert rig.runner.start(ORDERS.start()).state is StepState.RUNNING
        gate.go.set()
        assert rig.end_of(ORDERS.start()).state is StepState.DONE
    assert gate.runs == 1


def test_a_stored_result_outlives_the_agent(tmp_path: Path) -> None:
    step = Step(StepName.APPLY_RELEASE, lambda work: work.fact("version", "1.1"))
    with running(tmp_path, step) as rig:
        first = rig.take(ORDERS.start())
    with running(tmp_path, step) as rig:
        rig.runner.recover()
        assert rig.runner.start(ORDERS.start()) == first
        assert first.facts == {"version": "1.1"}


@pytest.mark.parametrize(
    ("error", "state", "refusal", "detail"),
    [
        (Refused(Refusal.DISK_FULL, "no room"), StepState.REFUSED, Refusal.DISK_FULL, "no room"),
        (Failed("broke\nhalf way"), StepState.FAILED, None, "broke half way"),
        (Cancelled("asked"), StepState.CANCELLED, None, "asked"),
        (
            PermissionError(13, "Permission denied", "/opt/app"),
            StepState.FAILED,
            None,
            'cannot use "/opt/app": Permission denied',
        ),
        (OSError("cannot start it"), StepState.FAILED, None, "cannot start it"),
        (
            KeyError("typo"),
            StepState.FAILED,
            Refusal.INTERNAL,
            "fault in the agent: KeyError: 'typo'; see its log",
        ),
    ],
)
def test_how_a_handler_ends_is_how_the_step_ends(
    tmp_path: Path, error: Exception, state: StepState, refusal: Refusal | None, detail: str
) -> None:
    def do(work: Work) -> None:
        raise error

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do)) as rig:
        report = rig.take(ORDERS.start())
    assert (report.state, report.refusal, report.detail) == (state, refusal, detail)


def test_a_fault_is_logged_with_its_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def do(work: Work) -> None:
        raise ZeroDivisionError("why")

    caplog.set_level(logging.INFO)
    with running(tmp_path, Step(StepName.APPLY_RELEASE, do)) as rig:
        rig.take(ORDERS.start())
    assert "ZeroDivisionError: why" in caplog.text


def test_a_failed_step_is_taken_again_by_a_higher_attempt(tmp_path: Path) -> None:
    endings = iter([Failed("first"), None])

    def do(work: Work) -> None:
        if error := next(endings):
            raise error

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do)) as rig:
        assert rig.take(ORDERS.start()).state is StepState.FAILED
        assert rig.take(ORDERS.start()).detail == "first"
        second = rig.take(ORDERS.start(attempt=2))
        assert (second.state, second.attempt, second.detail) == (StepState.DONE, 2, "")
        stale = rig.runner.start(ORDERS.start(attempt=1))
        assert stale.refusal is Refusal.STALE_ATTEMPT
        assert rig.known(ORDERS.start()) == second


def test_undo_and_tidy_take_their_own_handlers_and_an_undone_step_is_taken_again(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    step = Step(
        StepName.APPLY_RELEASE,
        do=lambda _: told.append("do"),
        undo=lambda _: told.append("undo"),
        tidy=lambda _: told.append("tidy"),
    )
    with running(tmp_path, step) as rig:
        for order in (
            ORDERS.start(),
            ORDERS.start(UNDO),
            ORDERS.start(UNDO),
            ORDERS.start(attempt=2),
            ORDERS.start(UNDO, attempt=2),
            ORDERS.start(attempt=3),
            ORDERS.start(TIDY),
        ):
            assert rig.take(order).state is StepState.DONE
    assert told == ["do", "undo", "do", "undo", "do", "tidy"]


@pytest.mark.parametrize("direction", [UNDO, TIDY])
def test_what_was_never_done_is_undone_with_nothing(tmp_path: Path, direction: Direction) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate, undo=gate, tidy=gate)) as rig:
        assert rig.runner.start(ORDERS.start(direction)).state is StepState.DONE
        assert rig.known(ORDERS.start(direction)).state is StepState.DONE
    assert gate.runs == 0


def test_what_was_refused_is_undone_with_nothing(tmp_path: Path) -> None:
    undone: list[str] = []

    def do(work: Work) -> None:
        raise Refused(Refusal.NOT_STAGED, "no")

    step = Step(StepName.APPLY_RELEASE, do, undo=lambda _: undone.append("undo"))
    with running(tmp_path, step) as rig:
        rig.take(ORDERS.start())
        assert rig.take(ORDERS.start(UNDO)).state is StepState.DONE
    assert undone == []


def test_other_parameters_are_refused_and_change_nothing(tmp_path: Path) -> None:
    with running(tmp_path, Step(StepName.APPLY_RELEASE, doing_nothing)) as rig:
        rig.take(ORDERS.start())
        other = rig.runner.start(ORDERS.start(params=StepParams(PROFILE, version="9")))
        assert other.refusal is Refusal.STEP_MISMATCH
        assert rig.known(ORDERS.start()).state is StepState.DONE


@pytest.mark.parametrize("fence", [Fence(2, "abc123"), Fence(3, "another")])
def test_a_stale_epoch_is_refused_and_told_the_one_known(tmp_path: Path, fence: Fence) -> None:
    with running(tmp_path, Step(StepName.APPLY_RELEASE, doing_nothing)) as rig:
        rig.take(ORDERS.start())
        for report in (
            rig.runner.start(ORDERS.start(attempt=2, fence=fence)),
            rig.runner.cancel(CancelOrder(ORDERS.start().step_id, DO, fence)),
        ):
            assert report.refusal is Refusal.STALE_EPOCH
            assert "epoch 3 of abc123" in report.detail


def test_a_stale_epoch_is_refused_after_the_agent_was_started_anew(tmp_path: Path) -> None:
    step = Step(StepName.APPLY_RELEASE, doing_nothing)
    with running(tmp_path, step) as rig:
        rig.take(ORDERS.start(fence=Fence(8, "new")))
    with running(tmp_path, step) as rig:
        assert rig.runner.start(ORDERS.start()).refusal is Refusal.STALE_EPOCH


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (Orders(StepName.SURVEY).start(), Refusal.UNKNOWN_STEP),
        (replace(ORDERS.start(), step_id=f"{ROLLOUT}/pc-99/apply-release"), Refusal.BAD_ORDER),
        (
            replace(
                ORDERS.start(), step_id=ORDERS.start().step_id.replace("apply-release", "format")
            ),
            Refusal.UNKNOWN_STEP,
        ),
        (ORDERS.start(not_after=0), Refusal.OUT_OF_TIME),
    ],
)
def test_an_order_that_does_not_fit_is_refused_and_forgotten(
    tmp_path: Path, order: StartOrder, refusal: Refusal
) -> None:
    with running(tmp_path, Step(StepName.APPLY_RELEASE, doing_nothing)) as rig:
        assert rig.runner.start(order).refusal is refusal
        assert rig.known(order).state is StepState.UNHEARD


def test_a_step_that_wants_to_be_alone_waits_for_every_lane(tmp_path: Path) -> None:
    gate = Gate()
    steps = (
        Step(StepName.STAGE, gate, lane=Lane.BACKGROUND),
        Step(StepName.RESTORE_BACKUP, doing_nothing, alone=True),
    )
    with running(tmp_path, *steps) as rig:
        staging, restoring = Orders(StepName.STAGE).start(), Orders(StepName.RESTORE_BACKUP)
        rig.runner.start(staging)
        assert gate.entered.wait(10)
        assert rig.runner.start(restoring.start()).refusal is Refusal.LANE_BUSY
        gate.go.set()
        assert rig.end_of(staging).state is StepState.DONE
        rig.runner.start(restoring.start())
        assert rig.end_of(restoring.start()).state is StepState.DONE


def test_one_step_a_lane_and_the_lanes_are_apart(tmp_path: Path) -> None:
    gate = Gate()
    steps = (
        Step(StepName.APPLY_RELEASE, gate),
        Step(StepName.BACK_UP, doing_nothing),
        Step(StepName.STAGE, doing_nothing, lane=Lane.BACKGROUND),
    )
    with running(tmp_path, *steps) as rig:
        rig.runner.start(ORDERS.start())
        assert gate.entered.wait(10)
        busy = rig.runner.start(Orders(StepName.BACK_UP).start())
        assert busy.refusal is Refusal.LANE_BUSY
        assert ORDERS.start().step_id in busy.detail
        assert rig.runner.start(ORDERS.start(UNDO)).refusal is Refusal.LANE_BUSY
        assert rig.runner.lanes() == {"visit": ORDERS.start().step_id}
        assert rig.take(Orders(StepName.STAGE).start()).state is StepState.DONE
        gate.go.set()
        rig.end_of(ORDERS.start())
        assert rig.take(Orders(StepName.BACK_UP).start()).state is StepState.DONE
        assert rig.runner.lanes() == {}


def test_a_report_comes_at_once_when_something_changes(tmp_path: Path) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate)) as rig:
        begun = rig.runner.start(ORDERS.start())
        ask = ReportAsk(begun.step_id, DO, since=begun.revision, wait=30.0)
        answers: list[StepReport] = []
        asking = threading.Thread(target=lambda: answers.append(rig.runner.report(ask)))
        asking.start()
        gate.go.set()
        asking.join(10)
        assert [answer.state for answer in answers] == [StepState.DONE]


def test_a_report_without_news_comes_after_its_wait(tmp_path: Path) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate)) as rig:
        begun = rig.runner.start(ORDERS.start())
        still = rig.runner.report(ReportAsk(begun.step_id, DO, begun.revision, wait=0.05))
        gate.go.set()
        assert still.state is StepState.RUNNING


def test_progress_facts_and_findings_are_told_while_it_runs(tmp_path: Path) -> None:
    gate = Gate()

    def do(work: Work) -> None:
        work.progress(7, 100)
        work.fact("f" * 99, "v" * 999)
        work.find(Finding("disk-slow", Severity.NOTE, "slow"))
        gate(work)

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do)) as rig:
        rig.runner.start(ORDERS.start())
        assert gate.entered.wait(10)
        told = rig.known(ORDERS.start())
        assert (told.bytes_done, told.bytes_total, told.state) == (7, 100, StepState.RUNNING)
        assert [finding.code for finding in told.findings] == ["disk-slow"]
        assert decode(StepReport, encode(told)) == told
        gate.go.set()
        assert rig.end_of(ORDERS.start()).bytes_done == 7


def test_findings_come_in_pages_and_within_a_bound(tmp_path: Path) -> None:
    def do(work: Work) -> None:
        for number in range(MOST_FINDINGS + 10):
            work.find(Finding("open", Severity.NOTE, f"number {number}"))

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do)) as rig:
        page = rig.take(ORDERS.start())
        found, number = list(page.findings), 0
        while page.more:
            number += 1
            page = rig.known(ORDERS.start(), page=number)
            found += page.findings
    assert [finding.message for finding in found] == [f"number {n}" for n in range(MOST_FINDINGS)]


def pausing(work: Work) -> None:
    while True:
        work.pause(0.01)
        work.progress(1, 2)


def test_a_cancellable_step_ends_when_asked(tmp_path: Path) -> None:
    with running(tmp_path, Step(StepName.DRAIN, pausing, cancellable=True)) as rig:
        order = Orders(StepName.DRAIN).start()
        rig.runner.start(order)
        rig.runner.cancel(CancelOrder(order.step_id, DO, FENCE))
        report = rig.end_of(order)
    assert (report.state, report.refusal) == (StepState.CANCELLED, None)


def test_another_step_goes_on_when_asked_to_end(tmp_path: Path) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate)) as rig:
        rig.runner.start(ORDERS.start())
        asked = rig.runner.cancel(CancelOrder(ORDERS.start().step_id, DO, FENCE))
        assert asked.state is StepState.RUNNING
        gate.go.set()
        assert rig.end_of(ORDERS.start()).state is StepState.DONE


def test_an_update_by_the_person_at_the_host_ends_when_asked_and_lets_the_app_be_open(
    tmp_path: Path,
) -> None:
    let: list[int] = []

    def do(work: Work) -> None:
        let.append(rig.let_open)
        pausing(work)

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do, undo=do)) as rig:
        plain = rig.packages.the_profile
        rig.packages.the_profile = replace(plain, apply=Apply(ApplyKind.ATTENDED, open=("a",)))
        rig.runner.start(ORDERS.start())
        until(lambda: let == [1], what="the app may be open")
        rig.runner.cancel(CancelOrder(ORDERS.start().step_id, DO, FENCE))
        assert rig.end_of(ORDERS.start()).state is StepState.CANCELLED
        until(lambda: rig.let_open == 0, what="the app is kept closed again")


def test_an_undo_is_never_cancelled(tmp_path: Path) -> None:
    gate = Gate()
    step = Step(StepName.DRAIN, doing_nothing, undo=gate, cancellable=True)
    orders = Orders(StepName.DRAIN)
    with running(tmp_path, step) as rig:
        rig.take(orders.start())
        rig.runner.start(orders.start(UNDO))
        rig.runner.cancel(CancelOrder(orders.start().step_id, UNDO, FENCE))
        gate.go.set()
        assert rig.end_of(orders.start(UNDO)).state is StepState.DONE


def test_a_step_ends_when_its_time_is_up_counted_from_receipt(tmp_path: Path) -> None:
    entered = threading.Event()

    def do(work: Work) -> None:
        entered.set()
        pausing(work)

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do)) as rig:
        rig.runner.start(ORDERS.start(not_after=30))
        assert entered.wait(10)
        rig.platform.now += 29
        assert rig.known(ORDERS.start()).state is StepState.RUNNING
        rig.platform.now += 2
        report = rig.end_of(ORDERS.start())
    assert (report.state, report.refusal) == (StepState.CANCELLED, Refusal.OUT_OF_TIME)
    assert report.seconds == 31


def test_an_unsigned_profile_refuses_the_step_and_changes_nothing(tmp_path: Path) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate)) as rig:
        rig.packages.signed = False
        report = rig.take(ORDERS.start())
    assert (report.state, report.refusal) == (StepState.REFUSED, Refusal.NOT_SIGNED)
    assert gate.runs == 0


def test_an_undo_takes_a_profile_verified_before(tmp_path: Path) -> None:
    undone: list[str] = []
    step = Step(
        StepName.APPLY_RELEASE, doing_nothing, undo=lambda w: undone.append(w.profile.name)
    )
    with running(tmp_path, step) as rig:
        rig.take(ORDERS.start())
    with running(tmp_path, step) as rig:
        rig.packages.signed = False
        rig.kept = rig.packages.the_profile
        assert rig.take(ORDERS.start(UNDO)).state is StepState.DONE
    assert undone == ["bench-app"]


def test_the_app_is_found_once_a_rollout_although_a_swap_has_it_away(tmp_path: Path) -> None:
    app = tmp_path / "app"

    def do(work: Work) -> None:
        work.installation.folder.rename(app.with_name("app_old"))

    def undo(work: Work) -> None:
        app.with_name("app_old").rename(work.installation.folder)

    with running(tmp_path, Step(StepName.APPLY_RELEASE, do, undo)) as rig:
        assert rig.take(ORDERS.start()).state is StepState.DONE
        assert not app.exists()
        assert rig.take(ORDERS.start(UNDO)).state is StepState.DONE
    assert app.exists()


def test_memos_of_other_steps_of_the_rollout_can_be_read(tmp_path: Path) -> None:
    read: list[str | None] = []
    steps = (
        Step(StepName.BACK_UP, lambda work: work.memo.put("where", "here")),
        Step(
            StepName.APPLY_RELEASE,
            lambda work: read.append(work.memo_of(StepName.BACK_UP).get("where")),
        ),
    )
    with running(tmp_path, *steps) as rig:
        rig.take(Orders(StepName.BACK_UP).start())
        rig.take(ORDERS.start())
    assert read == ["here"]


def test_a_stopped_agent_ends_what_can_be_ended_and_takes_no_orders(tmp_path: Path) -> None:
    order = Orders(StepName.DRAIN).start()
    recovered: list[str] = []
    step = Step(
        StepName.DRAIN, pausing, recover=lambda w: recovered.append(w.step_id), cancellable=True
    )
    with running(tmp_path, step) as rig:
        rig.runner.start(order)
        assert rig.runner.close(patience=10)
        assert rig.known(order).state is StepState.INTERRUPTED
        assert rig.runner.start(Orders(StepName.DRAIN).start(attempt=2)).refusal is (
            Refusal.INTERNAL
        )
    with running(tmp_path, step) as rig:
        rig.runner.recover()
        assert recovered == [order.step_id]


def test_a_step_that_cannot_be_ended_is_left_to_recovery(tmp_path: Path) -> None:
    gate = Gate()
    with running(tmp_path, Step(StepName.APPLY_RELEASE, gate)) as rig:
        rig.runner.start(ORDERS.start())
        assert not rig.runner.close(patience=0.05)
        gate.go.set()


def test_a_recovery_that_cannot_be_is_told_and_tried_again(tmp_path: Path) -> None:
    endings = iter([Failed("the old folder is held"), None])

    def recover(work: Work) -> None:
        if error := next(endings):
            raise error

    def do(work: Work) -> None:
        work.memo.put("half", "done")
        raise SystemExit

    step = Step(StepName.APPLY_RELEASE, do, recover=recover)
    rig = Rig(tmp_path, {step.name: step}, cut_at=5)
    rig.runner.start(ORDERS.start())
    until(lambda: rig.file.is_cut)
    rig.off()
    with running(tmp_path, step) as rig:
        rig.runner.recover()
        assert "cannot recover: the old folder is held" in rig.known(ORDERS.start()).detail
    with running(tmp_path, step) as rig:
        rig.runner.recover()
        report = rig.known(ORDERS.start())
        assert (report.state, report.detail) == (
            StepState.INTERRUPTED,
            "the agent ended in the middle of it",
        )
        assert rig.journal.to_recover() == []


def test_what_a_failed_step_left_is_looked_at_again_at_the_next_start(tmp_path: Path) -> None:
    endings = iter([Failed("the old folder is held"), None])

    def fail(work: Work) -> None:
        raise Failed("the disk is broken")

    def recover(work: Work) -> None:
        if error := next(endings):
            raise error

    step = Step(StepName.APPLY_RELEASE, fail, recover=recover)
    with running(tmp_path, step) as rig:
        rig.take(ORDERS.start())
    for left in (1, 0, 0):
        with running(tmp_path, step) as rig:
            rig.runner.recover()
            report = rig.known(ORDERS.start())
            assert (report.state, report.detail) == (StepState.FAILED, "the disk is broken")
            assert len(rig.journal.to_recover()) == left


def test_a_journal_that_cannot_be_written_is_told_in_its_own_words(tmp_path: Path) -> None:
    def note(work: Work) -> None:
        raise JournalError("cannot use the journal: the disk is full")

    with running(tmp_path, Step(StepName.APPLY_RELEASE, note)) as rig:
        report = rig.take(ORDERS.start())
    assert (report.state, report.refusal) == (StepState.FAILED, None)
    assert report.detail == "cannot use the journal: the disk is full"


def test_it_is_heard_when_a_rollout_is_over_and_of_no_other_end(tmp_path: Path) -> None:
    steps = (StepName.STAGE, StepName.SURVEY)
    rows = [Step(name, doing_nothing, tidy=doing_nothing) for name in steps]
    with running(tmp_path, *rows) as rig:
        for name in steps:
            rig.take(Orders(name).start())
        rig.take(Orders(StepName.STAGE).start(TIDY))
        assert rig.over == []
        rig.take(Orders(StepName.SURVEY).start(TIDY))
        assert rig.over == ["over"]


def test_nothing_is_done_once_a_step_has_begun(tmp_path: Path) -> None:
    done: list[str] = []
    with running(tmp_path, Step(StepName.APPLY_RELEASE, doing_nothing)) as rig:
        number = rig.journal.next_run()
        assert rig.runner.unless_begun(number, lambda: done.append("first"))
        rig.take(ORDERS.start())
        assert not rig.runner.unless_begun(number, lambda: done.append("second"))
    assert done == ["first"]
