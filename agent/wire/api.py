"""What an agent can be asked: one method for each row of `contract.METHODS`."""

from typing import Protocol

from agent.wire.contract import (
    CancelOrder,
    CordonOrder,
    Hello,
    HelloAsk,
    LogAsk,
    LogPage,
    ReportAsk,
    Sight,
    StartOrder,
    StepReport,
    UncordonOrder,
)


class AgentApi(Protocol):
    """The agent behind a link.

    Called from one thread per linked coordinator, so it bears concurrent calls. No method takes
    longer than two seconds: the link is silent, and counts as lost, meanwhile.
    """

    def hello(self, ask: HelloAsk) -> Hello:
        """Say who this agent is and where it stands; another protocol is refused here."""
        ...

    def start(self, order: StartOrder) -> StepReport:
        """Start a step, join it while it runs, or return its stored result."""
        ...

    def report(self, ask: ReportAsk) -> StepReport:
        """Return what is known of a step, at once when it changed since `ask.since`."""
        ...

    def cancel(self, order: CancelOrder) -> StepReport:
        """Ask a step to end at its next safe moment."""
        ...

    def cordon(self, order: CordonOrder) -> Sight:
        """Keep the app closed, look, and return what is seen."""
        ...

    def uncordon(self, order: UncordonOrder) -> Sight:
        """Let the app be opened again."""
        ...

    def log(self, ask: LogAsk) -> LogPage:
        """Return log lines, oldest first, no more of them than a message holds."""
        ...
