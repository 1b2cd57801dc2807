"""Taking over at a workstation where a person is to do the update (row I8)."""

from agent.wire.contract import StepState
from agent.wire.errors import LinkError
from agent.wire.profile import ApplyKind
from coordinator.api.asks import NoAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.releases import read_target
from coordinator.api.rollouts import known, whole
from coordinator.api.schemas import RolloutView
from coordinator.model import Plan
from coordinator.store.rows import RolloutRow
from coordinator.walk.states import HostState


def take_over(office: Office, call: Call[NoAsk]) -> RolloutView:
    """End the turn of the person at the workstation that is being updated."""
    row = known(office, call.names["rollout"])
    host = _updating(office, row)
    name = next(planned.name for planned in row.plan.hosts if planned.id == host)
    watch = f"roundsman rollout watch {row.label}"
    if not _is_attended(office, row.plan):
        raise Problem(
            Status.CONFLICT,
            f"cannot take over on {name}: {row.plan.app} is not updated by the person there",
            watch,
        )
    try:
        report = office.turn.end(row.id, host)
    except LinkError as error:
        raise Problem(
            Status.CONFLICT, f"cannot take over on {name}: no answer from it: {error}", watch
        ) from None
    if report.state is not StepState.RUNNING:
        raise Problem(
            Status.CONFLICT, f"cannot take over on {name}: nobody is updating it just now", watch
        )
    return whole(office, row)


def _updating(office: Office, row: RolloutRow) -> str:
    visits = office.rollouts.visits(row.id)
    host = next((v.host for v in visits if v.state is HostState.UPDATING), None)
    if host is None or row.state.is_final:
        raise Problem(
            Status.CONFLICT,
            f"cannot take over in {row.label}: no workstation is being updated",
            f"roundsman rollout status {row.label}",
        )
    return host


def _is_attended(office: Office, plan: Plan) -> bool:
    try:
        return read_target(office, plan.profile).apply.kind is ApplyKind.ATTENDED
    except (OSError, ValueError):
        return True  # the agent alone judges, by the signed profile that it has
