"""The agent behind a link: the seven methods of the contract over runner, cordon and journal."""

import json
import socket
import time
from importlib.metadata import version

from agent.cordon import Cordon
from agent.journal import Journal
from agent.platforms.base import Platform
from agent.records import sentence
from agent.runner import Runner
from agent.wire.contract import (
    PROTOCOL,
    CancelOrder,
    CordonOrder,
    Hello,
    HelloAsk,
    LogAsk,
    LogPage,
    Refusal,
    ReportAsk,
    Sight,
    StartOrder,
    StepReport,
    UncordonOrder,
)

_MOST_LOG_BYTES = 100_000  # of a page: well within one message


class Agent:
    """Implements `agent.wire.api.AgentApi`; no method takes longer than two seconds."""

    def __init__(
        self, runner: Runner, cordon: Cordon, journal: Journal, platform: Platform
    ) -> None:
        self._runner = runner
        self._cordon = cordon
        self._journal = journal
        self._platform = platform

    def hello(self, ask: HelloAsk) -> Hello:
        """Say who this agent is and where it stands; refuse another protocol."""
        return Hello(
            protocol=PROTOCOL,
            version=version("roundsman"),
            boot_id=self._platform.boot_id(),
            host_name=sentence(socket.gethostname(), 100),
            system=self._platform.name,
            clock=time.time(),
            fence=self._journal.fence(),
            lanes=self._runner.lanes(),
            refusal=None if ask.protocol == PROTOCOL else Refusal.PROTOCOL_MISMATCH,
        )

    def start(self, order: StartOrder) -> StepReport:
        """Start a step, join it, or return its stored result."""
        return self._runner.start(order)

    def report(self, ask: ReportAsk) -> StepReport:
        """Return what is known of a step."""
        return self._runner.report(ask)

    def cancel(self, order: CancelOrder) -> StepReport:
        """Have a cancellable step end at its next safe moment."""
        return self._runner.cancel(order)

    def cordon(self, order: CordonOrder) -> Sight:
        """Keep the app closed, look, and return what is seen."""
        return self._cordon.apply(order)

    def uncordon(self, order: UncordonOrder) -> Sight:
        """Let the app be opened again."""
        return self._cordon.lift(order)

    def log(self, ask: LogAsk) -> LogPage:
        """Return log lines, oldest first, no more of them than a message holds."""
        lines, length, following = [], 0, ask.since
        for kept in self._journal.log(ask.since, ask.most):
            line = sentence(kept.line, 1000)
            length += len(json.dumps(line))
            if length > _MOST_LOG_BYTES:
                break
            lines.append(line)
            following = kept.number
        return LogPage(tuple(lines), following)
