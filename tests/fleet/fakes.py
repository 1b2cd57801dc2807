"""Links to agents that keep their promises, and to a line that can be cut."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent.wire.contract import (
    CordonMode,
    CordonOrder,
    Direction,
    ReportAsk,
    Sight,
    StartOrder,
    StepReport,
    StepState,
    UncordonOrder,
)
from agent.wire.errors import LinkError, LinkLost

Answer = Callable[[], StepReport]


@dataclass
class FakeLinks:
    """One agent for every host; `line` may raise before and after each call."""

    states: list[StepState] = field(default_factory=lambda: [StepState.RUNNING, StepState.DONE])
    line: Callable[[int], None] = lambda _call: None
    sights: dict[str, Sight | LinkError] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    runs: int = 0
    known: StepReport | None = None
    count: int = 0

    def call(self, host_id: str, method: str, request: Any, deadline: float) -> Any:
        self._cut()
        self.calls.append((host_id, method, request))
        answer = self._sight(host_id, request) if "cordon" in method else self._step(request)
        self._cut()
        return answer

    def call_all(
        self, requests: Mapping[str, Any], method: str, deadline: float
    ) -> dict[str, Any]:
        def one(host: str) -> Any:
            try:
                return self.call(host, method, requests[host], deadline)
            except LinkError as error:
                return error

        return {host: one(host) for host in requests}

    def _cut(self) -> None:
        self.count += 1
        self.line(self.count)

    def _step(self, request: StartOrder | ReportAsk) -> StepReport:
        if isinstance(request, StartOrder) and self._is_to_run():
            self.runs += self.known is None
            first = self.states.pop(0)
            self.known = StepReport(request.step_id, request.direction, first, request.attempt)
        elif isinstance(request, ReportAsk) and self.known and self.states:
            self.known = replace(self.known, state=self.states.pop(0))
        return self.known or StepReport(request.step_id, Direction.DO, StepState.UNHEARD)

    def _is_to_run(self) -> bool:
        return bool(self.states) and (
            self.known is None or self.known.state in {StepState.INTERRUPTED, StepState.REFUSED}
        )

    def _sight(self, host: str, request: CordonOrder | UncordonOrder) -> Sight:
        sight = self.sights.get(host)
        if isinstance(sight, LinkError):
            raise sight
        if sight is not None:
            return sight
        if isinstance(request, UncordonOrder):
            return Sight(CordonMode.NONE)
        return Sight(request.mode, guarded=True)


def cut_between(first: int, last: int) -> Callable[[int], None]:
    """Return a line that is dead from its `first` moment to its `last`."""

    def line(moment: int) -> None:
        if first <= moment <= last:
            raise LinkLost("the cable is out")

    return line
