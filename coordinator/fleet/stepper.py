"""Takes one host through one step, whatever happens to the network meanwhile.

A lost answer is not a failure: the step is asked about by its id, and started again only when
the agent never heard of it or died in it. Silence beyond what is borne is *unknown*.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Event
from typing import Any, Protocol, cast

from agent.wire.contract import (
    REPORT_WAIT_SECONDS,
    Fence,
    Finding,
    Refusal,
    ReportAsk,
    StartOrder,
    StepReport,
    StepState,
)
from agent.wire.errors import LinkError, RemoteError
from coordinator.fleet.trust import Trust
from coordinator.walk.ports import Verdict

_CALL_SECONDS = 8.0
_REDIAL_SECONDS = 0.2
_LANE_SECONDS = 0.5
_MOST_PAGES = 40

VERDICTS = {
    StepState.DONE: Verdict.DONE,
    StepState.FAILED: Verdict.FAILED,
    StepState.CANCELLED: Verdict.FAILED,
    StepState.REFUSED: Verdict.REFUSED,
}
"""What a final state means to the walk."""

Progress = Callable[[StepReport], None]
Stepped = tuple[Verdict, StepReport]


class Links(Protocol):
    """The links to all agents, as far as orders go over them."""

    def call(self, host_id: str, method: str, request: Any, deadline: float) -> Any:
        """Ask one agent and return its answer. Raises `LinkError`."""

    def call_all(
        self, requests: Mapping[str, Any], method: str, deadline: float
    ) -> dict[str, Any]:
        """Ask many at once; each answer is what it said or the `LinkError` it came to."""


class Stopped(BaseException):
    """The daemon is ending. No `Exception`: nothing may take it for the outcome of a step."""


class Stepper:
    """Asks for steps over the links, until the daemon stops."""

    def __init__(
        self,
        links: Links,
        stopping: Event,
        fence: Callable[[], Fence],
        trust: Trust | None = None,
    ) -> None:
        self._links = links
        self._stopping = stopping
        self._fence = fence
        self._trust = trust or Trust(time.time)

    def take(self, host: str, order: StartOrder, silence: float, progress: Progress) -> Stepped:
        """Have the step taken and return how it ended.

        `silence` is how many seconds without any answer are borne before it is unknown, and how
        many more than the order gave are borne of an agent that comes to no end.
        """
        self._trust.begin(host, order.step_id)
        verdict, report = self._until_known(host, order, silence, progress)
        if verdict is not Verdict.UNKNOWN:
            self._trust.end(host, order.step_id)
        return verdict, report

    def _until_known(
        self, host: str, order: StartOrder, silence: float, progress: Progress
    ) -> Stepped:
        blank = StepReport(order.step_id, order.direction, StepState.UNHEARD, order.attempt)
        report, begun = blank, time.monotonic()
        heard = begun
        while True:
            try:
                report = self._ask(host, order, report)
            except LinkError as error:
                if time.monotonic() - heard > silence:
                    return Verdict.UNKNOWN, replace(blank, detail=_silent(error, silence))
                self.pause(_REDIAL_SECONDS)
                report = blank
                continue
            heard = time.monotonic()
            if report.refusal is Refusal.STALE_EPOCH and order.fence != (now := self._fence()):
                order = replace(order, fence=now)  # another rollout was taken up meanwhile
            elif report.refusal is Refusal.LANE_BUSY and heard - begun < order.not_after:
                self.pause(_LANE_SECONDS)  # another step still has the lane
            elif report.state in VERDICTS:
                return VERDICTS[report.state], report
            elif heard - begun > order.not_after + silence:
                return Verdict.UNKNOWN, replace(report, detail=_endless(report, heard - begun))
            else:
                self._go_on(report, progress)

    def _go_on(self, report: StepReport, progress: Progress) -> None:
        if report.state is StepState.RUNNING:
            progress(report)
        else:
            self.pause(_REDIAL_SECONDS)  # the agent died in it, or lost its journal

    def _ask(self, host: str, order: StartOrder, last: StepReport) -> StepReport:
        if last.state is not StepState.RUNNING:
            method, request = "start", cast("StartOrder | ReportAsk", order)
        else:
            method = "report"
            request = ReportAsk(order.step_id, order.direction, last.revision, REPORT_WAIT_SECONDS)
        return cast("StepReport", self._links.call(host, method, request, _CALL_SECONDS))

    def findings(self, host: str, report: StepReport) -> tuple[Finding, ...]:
        """Return all findings of a report, its further pages fetched."""
        found = list(report.findings)
        page = report
        for number in range(1, _MOST_PAGES):
            if not page.more:
                break
            ask = ReportAsk(report.step_id, report.direction, 0, 0, number)
            try:
                page = self._links.call(host, "report", ask, _CALL_SECONDS)
            except LinkError:
                break
            found += page.findings
        return tuple(found)

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises `Stopped` when the daemon is ending."""
        if self._stopping.wait(seconds):
            raise Stopped


def _endless(report: StepReport, seconds: float) -> str:
    return f"comes to no end: {report.state} after {seconds:.0f} s; see the log of its agent"


def _silent(error: LinkError, silence: float) -> str:
    if isinstance(error, RemoteError):
        return f"its agent answers what cannot be used ({error}); see its log"
    return f"no answer for {silence:.0f} s: {error}"[:500]
