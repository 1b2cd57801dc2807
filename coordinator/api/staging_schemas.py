"""The JSON that operators' programs see of releases sent ahead of time."""

from coordinator.api.schemas import Answer
from coordinator.model import StagedState, StagingState


class StagedView(Answer):
    """One host of a staging; bytes are those of the package, wherever they come from."""

    host: str
    id: str
    state: StagedState
    linked: bool
    tries: int
    bytes_done: int
    bytes_total: int
    since: float
    next_try: float | None  # None unless it waits
    detail: str = ""


class StagingView(Answer):
    """One release on its way to hosts."""

    id: str
    label: str
    app: str
    version: str
    by: str
    made: float
    state: StagingState
    opens: float | None  # when it goes on next, None = it may now, or never more
    hours: str
    rate: int  # bytes a second for all together, 0 = as fast as it comes
    slots: int
    ended: float | None
    bytes_done: int
    bytes_total: int
    hosts: list[StagedView]

    @property
    def needs_a_person(self) -> bool:
        """True when a host cannot have it, or was never on."""
        refused = any(host.state is StagedState.REFUSED for host in self.hosts)
        return refused or self.state is StagingState.TIMED_OUT
