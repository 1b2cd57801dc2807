"""What is known of rollouts that have long ended, and forgetting it.

Who had which app open is in their plans, steps and news, and in what is said of their hosts: that
is kept for some weeks, not for ever. A rollout that was left closed is not forgotten, since it
may still be gone on with: of that one only the people are.
"""

import json
from collections.abc import Collection

from sqlalchemy import Column, ColumnElement, Connection, Engine, delete, func, select, update

from coordinator.store.rows import IMPERSONAL_FACTS
from coordinator.store.tables import (
    command,
    mail,
    news,
    plan,
    rollout,
    staged,
    staging,
    step_run,
    visit,
)
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

    def forget_before(self, moment: float) -> list[str]:
        """Forget all of before `moment`; return the rollouts of which only the people are."""
        self.forget(self.ended_before(moment))
        left = self.left_closed_before(moment)
        self.forget_people(left)
        self.forget_in_plans(moment)
        self.forget_unused(moment)
        return left

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
                c.execute(delete(mail).where(mail.c.rollout == one))
                _forget_in_steps(c, one)
                _forget_in_plans(c, rollout.c.plan, rollout.c.id == one)

    def forget_unused(self, moment: float) -> None:
        """Delete plans that nobody started, and what was sent ahead, of before `moment`.

        The newest of each stays, since the next one is numbered after it.
        """
        started = select(rollout.c.id)
        last_plan = select(func.max(plan.c.number)).scalar_subquery()
        last_staging = select(func.max(staging.c.number)).scalar_subquery()
        old = (staging.c.ended < moment) & (staging.c.number < last_staging)
        with self._engine.begin() as c:
            unused = plan.c.id.not_in(started) & (plan.c.number < last_plan)
            c.execute(delete(plan).where((plan.c.at < moment) & unused))
            c.execute(delete(staged).where(staged.c.staging.in_(select(staging.c.id).where(old))))
            c.execute(delete(staging).where(old))

    def forget_in_plans(self, moment: float) -> None:
        """Delete what was found on the hosts of plans made before `moment`."""
        with self._engine.begin() as c:
            _forget_in_plans(c, plan.c.data, plan.c.at < moment)


def _forget_in_steps(c: Connection, rollout_id: str) -> None:
    mine = step_run.c.rollout == rollout_id
    c.execute(update(step_run).where(mine).values(detail="", findings="[]"))
    key = (step_run.c.step_id, step_run.c.direction)
    for step_id, direction, said in c.execute(select(*key, step_run.c.facts).where(mine)).all():
        facts = {k: v for k, v in json.loads(said).items() if k in IMPERSONAL_FACTS}
        this = (step_run.c.step_id == step_id) & (step_run.c.direction == direction)
        c.execute(update(step_run).where(this).values(facts=json.dumps(facts)))


def _forget_in_plans(c: Connection, kept: Column[str], where: ColumnElement[bool]) -> None:
    """Leave of each finding what kind it is: a plan that could not start still cannot."""
    table = kept.table
    for key, text in c.execute(select(table.c.id, kept).where(where)).all():
        made = json.loads(text)
        found = made.get("findings", [])
        made["findings"] = [f | {"message": f["code"], "fix": ""} for f in found]
        if made["findings"] != found:
            values = {kept.name: json.dumps(made)}
            c.execute(update(table).where(table.c.id == key).values(values))
