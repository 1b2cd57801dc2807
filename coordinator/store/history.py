"""What is known of rollouts that have long ended, and forgetting it.

Who had which app open is in their news and steps: that is kept for some weeks, not for ever. A
rollout that was left closed is not forgotten, since it may still be gone on with.
"""

from collections.abc import Collection

from sqlalchemy import Engine, delete, select

from coordinator.store.tables import command, mail, news, rollout, step_run
from coordinator.walk.states import RolloutState


class History:
    """The rollouts of one database that have ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ended_before(self, moment: float) -> list[str]:
        """Return the rollouts that ended, for good, before `moment`."""
        ended = (rollout.c.ended < moment) & (rollout.c.state != RolloutState.LEFT_CLOSED)
        with self._engine.connect() as c:
            return list(c.scalars(select(rollout.c.id).where(ended)))

    def forget(self, rollouts: Collection[str]) -> int:
        """Delete their steps, news, words and mail; who was visited when stays. Returns rows."""
        with self._engine.begin() as c:
            return sum(
                c.execute(delete(table).where(table.c.rollout == one)).rowcount
                for table in (news, step_run, command, mail)
                for one in rollouts
            )
