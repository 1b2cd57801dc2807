import threading
from dataclasses import replace

import pytest

from agent.wire.contract import (
    Direction,
    Fence,
    Refusal,
    ReportAsk,
    StartOrder,
    StepParams,
    StepReport,
    StepState,
)
from agent.wire.errors import LinkLost, RemoteCode, RemoteError
from coordinator.fleet.stepper import Stepped, Stepper, Stopped
from coordinator.walk.ports import Verdict
from tests.fleet.fakes import FakeLinks, cut_between
from tests.plans import PROFILE, numbered

ORDER = StartOrder(
    f"{numbered(1)}/pc-01/back-up", Direction.DO, 1, Fence(1, "ab"), 60.0, StepParams(PROFILE)
)


def take(links: FakeLinks, silence: float = 30.0) -> Stepped:
    return stepper(links).take("pc-01", ORDER, silence, lambda _report: None)


def stepper(links: FakeLinks, fence: Fence = ORDER.fence) -> Stepper:
    return Stepper(links, threading.Event(), lambda: fence)


@pytest.mark.parametrize("first", range(1, 7))
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_step_runs_once_wherever_the_line_is_cut(first: int, length: int) -> None:
    links = FakeLinks(line=cut_between(first, first + length - 1))
    verdict, _ = take(links)
    assert (verdict, links.runs) == (Verdict.DONE, 1)


def test_silence_beyond_what_is_borne_is_unknown_and_not_a_failure() -> None:
    verdict, report = take(FakeLinks(line=cut_between(1, 10**9)), silence=0.3)
    assert verdict is Verdict.UNKNOWN
    assert "no answer for 0 s: the cable is out" in report.detail


def test_an_agent_that_answers_garbage_is_unknown_and_named_so() -> None:
    def garbage(_moment: int) -> None:
        raise RemoteError(RemoteCode.BAD_ANSWER, "StepReport.state: unknown word")

    verdict, report = take(FakeLinks(line=garbage), silence=0.3)
    assert verdict is Verdict.UNKNOWN
    assert "answers what cannot be used" in report.detail


def test_a_step_in_which_the_agent_died_is_started_again() -> None:
    states = [StepState.RUNNING, StepState.INTERRUPTED, StepState.RUNNING, StepState.DONE]
    links = FakeLinks(states=states)
    verdict, _ = take(links)
    assert verdict is Verdict.DONE
    assert [method for _, method, _ in links.calls] == ["start", "report", "start", "report"]


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (StepState.FAILED, Verdict.FAILED),
        (StepState.REFUSED, Verdict.REFUSED),
        (StepState.CANCELLED, Verdict.FAILED),
    ],
)
def test_how_a_step_ended_is_told_to_the_walk(state: StepState, verdict: Verdict) -> None:
    assert take(FakeLinks(states=[state]))[0] is verdict


class BusyOnce(FakeLinks):
    """Another step still has the lane when this one is ordered first."""

    def _step(self, request: object) -> StepReport:
        if len(self.calls) == 1:
            busy = StepState.REFUSED
            return StepReport(ORDER.step_id, Direction.DO, busy, refusal=Refusal.LANE_BUSY)
        return StepReport(ORDER.step_id, Direction.DO, StepState.DONE)


def test_a_busy_lane_is_waited_for() -> None:
    links = BusyOnce()
    assert take(links)[0] is Verdict.DONE
    assert len(links.calls) == 2


class Follows(FakeLinks):
    """An agent that has met a higher epoch, in a ping for another rollout of this daemon."""

    def _step(self, request: StartOrder | ReportAsk) -> StepReport:
        if isinstance(request, StartOrder) and request.fence.epoch < 2:
            refused = StepState.REFUSED
            return StepReport(
                request.step_id, request.direction, refused, refusal=Refusal.STALE_EPOCH
            )
        return super()._step(request)


def test_a_rollout_taken_up_meanwhile_does_not_make_an_order_look_refused() -> None:
    links = Follows()
    taken = stepper(links, Fence(2, "ab")).take("pc-01", ORDER, 30.0, lambda _report: None)
    assert (taken[0], links.runs) == (Verdict.DONE, 1)


def test_an_agent_that_follows_another_daemon_is_told_as_a_refusal() -> None:
    verdict, report = take(Follows())
    assert (verdict, report.refusal) == (Verdict.REFUSED, Refusal.STALE_EPOCH)


@pytest.mark.parametrize("state", [StepState.RUNNING, StepState.INTERRUPTED, StepState.UNHEARD])
def test_a_step_that_comes_to_no_end_is_unknown(state: StepState) -> None:
    order = replace(ORDER, not_after=0.1)
    links = FakeLinks(states=[state] * 10**6)
    verdict, report = stepper(links).take("pc-01", order, 0.3, lambda _report: None)
    assert verdict is Verdict.UNKNOWN
    assert "comes to no end" in report.detail


class Endless(FakeLinks):
    """An agent that says there is more to come, for ever."""

    def _step(self, request: StartOrder | ReportAsk) -> StepReport:
        return StepReport(request.step_id, Direction.DO, StepState.DONE, more=True)


def test_findings_that_never_end_are_not_waited_for() -> None:
    links = Endless()
    report = StepReport(ORDER.step_id, Direction.DO, StepState.DONE, more=True)
    assert stepper(links).findings("pc-01", report) == ()
    assert len(links.calls) < 50


def test_a_stopping_daemon_leaves_the_step_without_an_outcome() -> None:
    stopping = threading.Event()
    stopping.set()
    links = FakeLinks(line=cut_between(1, 10**9))
    ending = Stepper(links, stopping, lambda: ORDER.fence)
    with pytest.raises(Stopped):
        ending.take("pc-01", ORDER, 30.0, lambda _report: None)


def test_a_cut_line_is_told_as_such() -> None:
    with pytest.raises(LinkLost):
        FakeLinks(line=cut_between(1, 1)).call("pc-01", "start", ORDER, 1.0)
