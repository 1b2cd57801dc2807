"""An agent that answers what it is told to, and remembers what it was asked."""

import threading
from collections.abc import Callable
from typing import Any

from agent.wire.contract import (
    PROTOCOL,
    CancelOrder,
    CordonMode,
    CordonOrder,
    Direction,
    Fence,
    Hello,
    HelloAsk,
    LogAsk,
    LogPage,
    ReportAsk,
    Sight,
    StartOrder,
    StepParams,
    StepReport,
    StepState,
    Target,
    UncordonOrder,
)

ROLLOUT = "01J8ZQ4T7V9X2B5N8K3M6P0R1S"
STEP_ID = f"{ROLLOUT}/pc-03-1f2e3d/back-up"
FENCE = Fence(3, "ab12")
TARGET = Target("profiles/demo.toml", "0" * 64)
HELLO = Hello(PROTOCOL, "0.1.0", "boot-1", "PC-03", "linux", 1.7e9, FENCE)
START = StartOrder(STEP_ID, Direction.DO, 1, FENCE, 60.0, StepParams(TARGET))
CORDON = CordonOrder(ROLLOUT, TARGET, CordonMode.LEASED, FENCE)
REPORT = ReportAsk(STEP_ID, Direction.DO)

Handler = Callable[[Any], Any]


class FakeAgent:
    """Implements `AgentApi`; `on` replaces one answer by a function of the request."""

    def __init__(self, hello: Hello = HELLO) -> None:
        self.asked: list[tuple[str, object]] = []
        self.heard = threading.Event()
        self.on: dict[str, Handler] = {"hello": lambda _ask: hello}

    def _answer(self, method: str, request: object, otherwise: Any) -> Any:
        self.asked.append((method, request))
        self.heard.set()
        handler = self.on.get(method)
        return handler(request) if handler else otherwise

    def hello(self, ask: HelloAsk) -> Hello:
        return self._answer("hello", ask, HELLO)  # type: ignore[no-any-return]

    def start(self, order: StartOrder) -> StepReport:
        report = StepReport(order.step_id, order.direction, StepState.RUNNING, order.attempt)
        return self._answer("start", order, report)  # type: ignore[no-any-return]

    def report(self, ask: ReportAsk) -> StepReport:
        report = StepReport(ask.step_id, ask.direction, StepState.DONE, 1)
        return self._answer("report", ask, report)  # type: ignore[no-any-return]

    def cancel(self, order: CancelOrder) -> StepReport:
        report = StepReport(order.step_id, order.direction, StepState.CANCELLED)
        return self._answer("cancel", order, report)  # type: ignore[no-any-return]

    def cordon(self, order: CordonOrder) -> Sight:
        return self._answer("cordon", order, Sight(order.mode, guarded=True))  # type: ignore[no-any-return]

    def uncordon(self, order: UncordonOrder) -> Sight:
        return self._answer("uncordon", order, Sight(CordonMode.NONE))  # type: ignore[no-any-return]

    def log(self, ask: LogAsk) -> LogPage:
        return self._answer("log", ask, LogPage(("started",), 1))  # type: ignore[no-any-return]
