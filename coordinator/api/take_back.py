"""A rollout that was left closed: whether it can be taken back, and what that begins from."""

from collections.abc import Iterable, Iterator, Sequence

from agent.wire.contract import Direction, StepName, StepState
from coordinator.api.call import Problem, Status
from coordinator.api.office import Office
from coordinator.store.busy import HostsBusy
from coordinator.store.rows import RolloutRow, StepRow, VisitRow
from coordinator.walk.back import LastAttempt, LeftHost, Return
from coordinator.walk.ports import Command, Verb
from coordinator.walk.states import HostState, RolloutState

_REMEMBERED_SECONDS = 25 * 86400.0
"""So long after its end; agents forget rollouts of more than thirty days ago."""


def is_way_back(row: RolloutRow, command: Command) -> bool:
    """True when an operator wants the whole group back after it was left closed."""
    return row.state is RolloutState.LEFT_CLOSED and command.verb is Verb.ABORT_ROLL_BACK


def take_back(office: Office, row: RolloutRow, command: Command) -> None:
    """Start the second walk. Raises `Problem` when the rollout cannot be taken back."""
    steps = office.rollouts.steps(row.id)
    for why_not in _against(office, row, steps):
        mend = f"roundsman plan {row.plan.app} VERSION, for a new rollout of the group"
        raise Problem(Status.CONFLICT, f"cannot take {row.label} back: {why_not}", mend)
    heard = office.rollouts.say(row.id, command)  # so that none of the first walk's is heard
    try:
        office.engine.take_back(_order(row, steps, office.rollouts.visits(row.id), heard))
    except HostsBusy as error:
        raise Problem(Status.CONFLICT, str(error), "roundsman rollout list") from None


def _against(office: Office, row: RolloutRow, steps: Sequence[StepRow]) -> Iterator[str]:
    if _of(steps, StepName.APPLY_RELEASE, Direction.TIDY):
        yield "its hosts were re-opened already, and nothing on them was left changed"
    if inside := [p.name for p in row.plan.hosts if _is_let_in(p.id, steps)]:
        yield f"people were let in again on {', '.join(inside)}, and would be closed unwarned"
    if row.ended is not None and office.clock() - row.ended > _REMEMBERED_SECONDS:
        yield "it ended too long ago, and hosts may have forgotten what they had set aside"
    if busy := [p.name for p in row.plan.hosts if p.id in office.errands.busy()]:
        yield f"a backup is being restored on {', '.join(busy)}"


def _order(
    row: RolloutRow, steps: Sequence[StepRow], visits: Sequence[VisitRow], heard: int
) -> Return:
    return Return(
        plan=row.plan,
        heard=heard,
        hosts=tuple(LeftHost(v.host, v.state, _is_changed(v, steps)) for v in visits),
        attempts=tuple(LastAttempt(s.host, s.step, s.direction, s.attempt) for s in steps),
        is_data_touched=row.plan.data is not None and _is_data_touched(steps),
    )


def _is_let_in(host: str, steps: Sequence[StepRow]) -> bool:
    """True unless the host was closed again since: with the server first, each is in its turn."""
    mine = [s for s in steps if s.host == host and s.step is StepName.STOP_SERVICE_MANAGER]
    closed = max((s.started for s in mine if s.direction is Direction.DO), default=0.0)
    return any(s.started > closed for s in mine if s.direction is not Direction.DO)


def _is_changed(visit: VisitRow, steps: Sequence[StepRow]) -> bool:
    """True unless it is known that the host is as it was before the rollout."""
    if visit.state is HostState.UNKNOWN and visit.began is not None:
        return True
    mine = [s for s in steps if s.host == visit.host]
    return _stands(mine, StepName.APPLY_RELEASE, StepName.APPLY_RELEASE)


def _is_data_touched(steps: Sequence[StepRow]) -> bool:
    return _stands(steps, StepName.APPLY_RELEASE, StepName.BACK_UP_DATA)


def _stands(steps: Sequence[StepRow], done: StepName, undone: StepName) -> bool:
    """True when a step was asked for, and what undoes it has not been done since."""
    begun = _of(steps, done, Direction.DO)
    ended = [s for s in _of(steps, undone, Direction.UNDO) if s.state == StepState.DONE]
    last = max((s.started for s in begun), default=0.0)
    return bool(begun) and not any(s.started > last for s in ended)


def _of(steps: Iterable[StepRow], step: StepName, direction: Direction) -> list[StepRow]:
    return [s for s in steps if s.step is step and s.direction is direction]
