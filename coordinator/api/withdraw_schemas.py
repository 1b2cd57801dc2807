"""What operators' programs see of a release that was taken off offer."""

from coordinator.api.schemas import Added, Answer
from coordinator.walk.states import RolloutState


class HeldUpView(Answer):
    """A rollout that uses a release which was withdrawn, and what it does now."""

    label: str
    state: RolloutState
    outcome: str
    mend: str = ""


class WithdrawnView(Added):
    """A release that was taken off offer, or put back, and what that stops."""

    app: str
    version: str
    targets: list[str]
    undone: bool = False
    to_sign: bool = False  # until the list is signed anew agents do as before
    stagings: tuple[str, ...] = ()  # those that were stopped
    rollouts: tuple[HeldUpView, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """True when a rollout under way has to be decided about."""
        return bool(self.rollouts)
