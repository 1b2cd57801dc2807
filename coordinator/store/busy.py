"""Whether the hosts of a plan are free: in no other rollout, kept closed for no other app."""

from sqlalchemy import Connection, select

from agent.wire.contract import Direction, StepName
from coordinator.model import Plan
from coordinator.store.tables import cordon, rollout, step_run, visit


class HostsBusy(Exception):  # noqa: N818 - reads better where it is caught
    """Some of the hosts are taken by another rollout; nothing was written."""


def refuse_busy(c: Connection, made: Plan) -> None:
    """Raise `HostsBusy` when a host of the plan is in a rollout that has not ended."""
    query = (
        select(visit.c.host, rollout.c.number)
        .join(rollout, rollout.c.id == visit.c.rollout)
        .where(rollout.c.ended.is_(None), visit.c.host.in_([p.id for p in made.hosts]))
    )
    busy = c.execute(query).all()
    if busy:
        names = {p.id: p.name for p in made.hosts}
        listed = ", ".join(f"{names[h]} in r{n}" for h, n in busy[:5])
        raise HostsBusy(f"cannot start: already under way on {listed}")


def refuse_sealed(c: Connection, made: Plan) -> None:
    """Raise `HostsBusy` where another app is closed: its codes would be lost."""
    query = (
        select(cordon.c.host, rollout.c.app, rollout.c.number)
        .join(rollout, rollout.c.id == cordon.c.rollout)
        .where(rollout.c.app != made.app, cordon.c.opened == 0)
        .where(cordon.c.host.in_([p.id for p in made.hosts]))
    )
    names = {p.id: p.name for p in made.hosts}
    if found := [f"{app} on {names[h]} by r{n}" for h, app, n in c.execute(query)]:
        raise HostsBusy(
            f"cannot start: still kept closed is {', '.join(found[:5])}. Update that, or "
            "open it by its codes, and have each of these workstations on"
        )


def refuse_changed_since(c: Connection, made: Plan) -> None:
    """Raise `HostsBusy` where a later rollout of this app has changed a host of the plan."""
    number = c.scalar(select(rollout.c.number).where(rollout.c.id == made.id)) or 0
    query = (
        select(step_run.c.host, rollout.c.number)
        .join(rollout, rollout.c.id == step_run.c.rollout)
        .where(rollout.c.app == made.app, rollout.c.number > number)
        .where(step_run.c.step == StepName.APPLY_RELEASE.value)
        .where(step_run.c.direction == Direction.DO.value)
        .where(step_run.c.host.in_([p.id for p in made.hosts]))
    )
    names = {p.id: p.name for p in made.hosts}
    if found := [f"{names[h]} by r{n}" for h, n in c.execute(query)]:
        raise HostsBusy(f"cannot take r{number} back: changed since are {', '.join(found[:5])}")
