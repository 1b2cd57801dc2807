"""What is written of a simulated walk that left its group closed, as a second walk needs it."""

from agent.wire.contract import Direction, StepName
from coordinator.walk.back import LastAttempt, LeftHost, Return
from coordinator.walk.states import HostState
from tests.walk.fleet import SimulatedFleet

APPLY, DATA = StepName.APPLY_RELEASE, StepName.BACK_UP_DATA
DO, UNDO = Direction.DO, Direction.UNDO


def left(fleet: SimulatedFleet) -> Return:
    """Return what a roll-back of this walk begins from."""
    states = fleet.states()
    return Return(
        plan=fleet.plan,
        heard=len(fleet.said),
        hosts=tuple(
            LeftHost(h, states[h], _is_changed(fleet, h) or states[h] is HostState.UNKNOWN)
            for h in fleet.pcs
        ),
        attempts=tuple(LastAttempt(*key, number) for key, number in fleet.tried.items()),
        is_data_touched=fleet.share is not None and _is_touched(fleet),
    )


def _is_changed(fleet: SimulatedFleet, host: str) -> bool:
    journal = fleet.pcs[host].journal
    if (host, APPLY) not in fleet.asked:
        return False
    done, undone = journal.get((APPLY, DO)), journal.get((APPLY, UNDO))
    if done is None or undone is None:
        return True
    return undone.began < done.began or undone.outcome.verdict != "done"


def _is_touched(fleet: SimulatedFleet) -> bool:
    asked = any((h, APPLY) in fleet.asked for h in fleet.pcs)
    holder = fleet.pcs[fleet.plan.data.holder] if fleet.plan.data else None
    restored = holder.journal.get((DATA, UNDO)) if holder else None
    return asked and (restored is None or restored.outcome.verdict != "done")
