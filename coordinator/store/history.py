"""What is known of rollouts that have long ended, and forgetting it.

Who had which app open is in their steps, their news and what is said of their hosts: that is kept
for some weeks, not for ever. A rollout that was left closed is not forgotten, since it may still
be gone on with: of that one only the people are.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Engine, delete, select, update

from agent.wire.contract import StepName
from coordinator.store.tables import command, mail, news, rollout, step_run, visit
from coordinator.walk.states import RolloutState


class History:
    """The rollouts of one database that have ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ended_before(self, moment: float) -> list[str]:
        """Return the rollouts that ended, for good, before `moment`."""
        return self._ended(moment, rollout.c.state != RolloutState.LEFT_CLOSED)

    def left_closed_before(self, moment: float) -> list[str]:
        """Return the rollouts that were left closed before `moment`, and still are."""
        return self._ended(moment, rollout.c.state == RolloutState.LEFT_CLOSED)

    def _ended(self, moment: float, which: ColumnElement[bool]) -> list[str]:
        with self._engine.connect() as c:
            found = select(rollout.c.id).where((rollout.c.ended < moment) & which)
            return list(c.scalars(found))

    def forget(self, rollouts: Collection[str]) -> int:
        """Delete their steps, news, words and mail; who was visited when stays. Returns rows."""
        self.forget_people(rollouts)
        with self._engine.begin() as c:
            return sum(
                c.execute(delete(table).where(table.c.rollout == one)).rowcount
                for table in (news, step_run, command, mail)
                for one in rollouts
            )

    def forget_people(self, rollouts: Collection[str]) -> None:
        """Delete who had the app open, and every sentence that may name them."""
        silent = {"detail": ""}
        with self._engine.begin() as c:
            for one in rollouts:
                c.execute(update(visit).where(visit.c.rollout == one).values(silent))
                c.execute(update(news).where(news.c.rollout == one).values(silent))
                c.execute(update(rollout).where(rollout.c.id == one).values(silent))
                drained = (step_run.c.rollout == one) & (step_run.c.step == StepName.DRAIN)
                nothing = silent | {"facts": "{}", "findings": "[]"}
                c.execute(update(step_run).where(drained).values(nothing))
                c.execute(update(step_run).where(step_run.c.rollout == one).values(silent))
                c.execute(delete(mail).where(mail.c.rollout == one))
