"""Has one host take one step outside of any rollout, under an id of its own.

So no old answer is ever given, and what the host journals of it belongs to no rollout.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.wire.contract import (
    Direction,
    Fence,
    Finding,
    StartOrder,
    StepName,
    StepParams,
    StepReport,
)
from coordinator.fleet.stepper import Progress, Stepper
from coordinator.walk import led
from coordinator.walk.ports import Verdict


def _unheeded(_report: StepReport) -> None:
    return


@dataclass(frozen=True, slots=True)
class Asked:
    """One step asked of one host; `not_after` is how many seconds it may take."""

    id: str
    host: str
    step: StepName
    params: StepParams
    not_after: float
    silence: float = 5.0  # seconds without any answer before it is unknown
    direction: Direction = Direction.DO
    attempt: int = 1  # a higher one is another run, of the steps that may be run again
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """How it ended."""

    verdict: Verdict
    report: StepReport
    findings: tuple[Finding, ...] = ()

    @property
    def why(self) -> str:
        """What is wrong, in the host's words; "" when it was done."""
        if self.verdict is Verdict.DONE:
            return ""
        said = self.report.detail or str(self.report.refusal or self.verdict)
        return led.why(self.report.refusal, said)

    @property
    def problem(self) -> str:
        """The same, and what mends it where that is no matter of the host itself."""
        mend = f": {led.TAKE_OVER}" if led.is_led(self.report.refusal) else ""
        return f"{self.why}{mend}"


class Asker:
    """Asks over the links of a stepper."""

    def __init__(
        self, stepper: Stepper, fence: Callable[[], Fence], new_id: Callable[[], str]
    ) -> None:
        self._stepper = stepper
        self._fence = fence
        self.new_id = new_id

    def ask(self, asked: Asked, progress: Progress = _unheeded) -> Answer:
        """Have the step taken and return how it ended; `progress` hears of it meanwhile."""
        order = StartOrder(
            step_id=f"{asked.id}/{asked.host}/{asked.step}",
            direction=asked.direction,
            attempt=asked.attempt,
            fence=self._fence(),
            not_after=asked.not_after,
            params=asked.params,
            ticket=asked.ticket,
        )
        verdict, report = self._stepper.take(asked.host, order, asked.silence, progress)
        return Answer(verdict, report, self._stepper.findings(asked.host, report))
