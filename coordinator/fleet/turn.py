"""Ends the turn of the person at a workstation: an operator takes an attended update over."""

from collections.abc import Callable
from typing import cast

from agent.wire.contract import CancelOrder, Direction, Fence, StepName, StepReport
from coordinator.fleet.stepper import Links

_CALL_SECONDS = 5.0


class Turn:
    """Asks an agent to end the step in which a person updates the app from inside it."""

    def __init__(self, links: Links, fence: Callable[[], Fence]) -> None:
        self._links = links
        self._fence = fence

    def end(self, rollout: str, host: str) -> StepReport:
        """Ask one host, and return where the step stands. Raises `LinkError`.

        The step ends at its next look, the app is closed there, and the walk hears of it as of
        any step that did not end well.
        """
        step_id = f"{rollout}/{host}/{StepName.APPLY_RELEASE}"
        order = CancelOrder(step_id, Direction.DO, self._fence())
        return cast("StepReport", self._links.call(host, "cancel", order, _CALL_SECONDS))
