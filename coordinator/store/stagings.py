"""What is sent to hosts ahead of time, and how far each has come; it outlives the daemon.

A host belongs to one staging of an app that is under way at most: a later one takes the hosts
that it names, and ends an earlier one that has none left.
"""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from coordinator.model import HostStanding, StagedState, StagingState
from coordinator.planning.staging import Staged, Staging
from coordinator.store.database import reader
from coordinator.store.tables import host, rollout, staged, staging, visit

_UNDER_WAY = staging.c.state == StagingState.UNDER_WAY.value
_IN_WORK = staged.c.state.in_([state.value for state in StagedState if not state.is_final])
_TAKEN = staged.c.state == StagedState.REPLACED.value


class Stagings:
    """The stagings of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def add(self, made: Staging, rows: Sequence[Staged]) -> Staging:
        """Write a new staging and return it with its number; its hosts leave earlier ones."""
        values = asdict(made) | {"state": made.state.value}
        with self._engine.begin() as c:
            number = (c.scalar(select(func.max(staging.c.number))) or 0) + 1
            older_ones = select(staging.c.id).where(_UNDER_WAY, staging.c.app == made.app)
            for older in c.scalars(older_ones).all():
                _leave(c, older, made, [row.host for row in rows])
            c.execute(insert(staging).values(values | {"number": number}))
            for row in rows:
                c.execute(insert(staged).values(_values(row)))
        found = self.find(made.id)
        if found is None:
            raise AssertionError("what was just written is there")
        return found

    def find(self, key: str) -> Staging | None:
        """Return a staging by id or label."""
        number = int(key[1:]) if key[:1] == "s" and key[1:].isdecimal() and len(key) < 12 else 0
        which = (staging.c.id == key) | (staging.c.number == number)
        with self._reads.connect() as c:
            row = c.execute(select(staging).where(which)).mappings().first()
        return None if row is None else _staging(row)

    def under_way(self) -> list[Staging]:
        """Return those under way, oldest first."""
        with self._reads.connect() as c:
            query = select(staging).where(_UNDER_WAY).order_by(staging.c.number)
            return [_staging(row) for row in c.execute(query).mappings()]

    def latest(self, most: int = 20) -> list[Staging]:
        """Return the last ones, newest first."""
        with self._reads.connect() as c:
            query = select(staging).order_by(staging.c.number.desc()).limit(most)
            return [_staging(row) for row in c.execute(query).mappings()]

    def hosts(self, staging_id: str) -> list[Staged]:
        """Return the hosts of a staging."""
        with self._reads.connect() as c:
            query = select(staged).where(staged.c.staging == staging_id).order_by(staged.c.host)
            return [_staged(row) for row in c.execute(query).mappings()]

    def taken(self) -> frozenset[tuple[str, str]]:
        """Return which hosts stagings under way have lost to later ones, staging and host each."""
        query = select(staged.c.staging, staged.c.host).join(
            staging, staging.c.id == staged.c.staging
        )
        with self._reads.connect() as c:
            rows = c.execute(query.where(_UNDER_WAY & _TAKEN)).all()
        return frozenset((row.staging, row.host) for row in rows)

    def gone(self) -> list[Staged]:
        """Return which hosts of stagings under way were revoked before they had it."""
        query = (
            select(staged)
            .join(staging, staging.c.id == staged.c.staging)
            .join(host, host.c.id == staged.c.host)
            .where(_UNDER_WAY & _IN_WORK & (host.c.standing == HostStanding.REVOKED.value))
        )
        with self._reads.connect() as c:
            return [_staged(row) for row in c.execute(query).mappings()]

    def in_rollouts(self) -> frozenset[str]:
        """Return the hosts of rollouts that have not ended: they fetch for themselves."""
        query = select(visit.c.host).join(rollout, rollout.c.id == visit.c.rollout)
        with self._reads.connect() as c:
            return frozenset(c.scalars(query.where(rollout.c.ended.is_(None))))

    def put(self, row: Staged) -> None:
        """Write how far a host has come; one that a later staging has taken stays with it."""
        with self._engine.begin() as c:
            _put(c, row)

    def end(self, staging_id: str, state: StagingState, at: float) -> None:
        """Write that a staging is over; one that is over already stays as it is."""
        which = _UNDER_WAY & (staging.c.id == staging_id)
        with self._engine.begin() as c:
            c.execute(update(staging).where(which).values(state=state.value, ended=at))


def _leave(c: Connection, older: str, later: Staging, hosts: Sequence[str]) -> None:
    """Write that hosts are with a later staging; the older ends when it has none left."""
    mine = (staged.c.staging == older) & _IN_WORK
    lost = update(staged).where(mine & staged.c.host.in_(hosts))
    c.execute(lost.values(state=StagedState.REPLACED.value, since=later.made))
    if c.scalar(select(func.count()).select_from(staged).where(mine)) == 0:
        ended = {"state": StagingState.REPLACED.value, "ended": later.made}
        c.execute(update(staging).where(staging.c.id == older).values(ended))


def _put(c: Connection, row: Staged) -> None:
    which = (staged.c.staging == row.staging) & (staged.c.host == row.host) & ~_TAKEN
    c.execute(update(staged).where(which).values(_values(row)))


def _values(row: Staged) -> dict[str, object]:
    return asdict(row) | {"state": row.state.value, "detail": row.detail[:500]}


def _staging(row: RowMapping) -> Staging:
    return Staging(**{**row, "state": StagingState(row["state"])})


def _staged(row: RowMapping) -> Staged:
    return Staged(**{**row, "state": StagedState(row["state"])})
