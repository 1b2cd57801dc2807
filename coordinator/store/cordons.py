"""What cordon each host is to have: written before it is ordered, so that no restart forgets it.

The daemon orders what is written here at every ping, also from a host that was off when the
cordon was put on or lifted.
"""

import shlex
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select, update

from agent.wire.codes import hash_code, new_code, new_salt
from agent.wire.contract import CordonMode
from coordinator.store.database import reader, upsert
from coordinator.store.outbox import Post, post_nowhere
from coordinator.store.plans import read_plan
from coordinator.store.rows import CordonRow
from coordinator.store.tables import cordon, news, rollout
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState

OPENED = "opened"
"""Where a host stands in its rollout's history once its cordon was ended on the spot."""


class Cordons:
    """The cordons that are wanted, by host."""

    def __init__(self, engine: Engine, opened: Post = post_nowhere) -> None:
        """Keep them in this database; `opened` hears of what was opened on the spot."""
        self._engine = engine
        self._opened = opened
        self._reads = reader(engine)

    def all(self) -> dict[str, CordonRow]:
        """Return every host that is to be cordoned, or still to be uncordoned."""
        with self._reads.connect() as c:
            return {row["host"]: _row(row) for row in c.execute(select(cordon)).mappings()}

    def of(self, hosts: Sequence[str]) -> dict[str, CordonRow]:
        """Return those of these hosts that are to be cordoned, or still to be uncordoned."""
        query = select(cordon).where(cordon.c.host.in_(hosts))
        with self._reads.connect() as c:
            return {row["host"]: _row(row) for row in c.execute(query).mappings()}

    def want(self, hosts: Sequence[str], rollout: str, mode: CordonMode) -> None:
        """Write that these hosts are to be cordoned for this rollout.

        A host opened on the spot stays so written, with its code used up, until `renew`. One
        whose cordon was lifted gets a new code: agents close nothing again for a lifted one.
        A seal never becomes a lease, whichever rollout asks: on the host it does not either.
        """
        known = self.all()
        fresh = {h: _fresh_code() for h in hosts if not _is_on(known.get(h), rollout)}
        with self._engine.begin() as c:
            for host in hosts:
                kept = CordonMode.SEALED if _is_sealed(known.get(host)) else mode
                values = {"rollout": rollout, "mode": kept.value}
                if host in fresh:
                    upsert(c, cordon, {"host": host}, values | fresh[host])
                else:
                    c.execute(update(cordon).where(cordon.c.host == host).values(values))

    def renew(self, host: str) -> None:
        """Give a host that was opened on the spot a new code, and so a new seal."""
        values = _fresh_code()
        with self._engine.begin() as c:
            where = (cordon.c.host == host) & (cordon.c.opened == 1)
            c.execute(update(cordon).where(where).values(values))

    def note_opened(self, host: str, why: str, at: float) -> None:
        """Write that a host's cordon was ended on the spot, and tell its rollout and by mail."""
        with self._engine.begin() as c:
            c.execute(update(cordon).where(cordon.c.host == host).values(opened=1))
            of = select(cordon.c.rollout).where(cordon.c.host == host).scalar_subquery()
            found = c.execute(select(rollout).where(rollout.c.id == of)).mappings().first()
            if found is not None:
                name = _name(found, host)
                mend = closes_again(f"r{found['number']}", name) if not found["ended"] else ""
                told = News(RolloutState(found["state"]), f"{name}: {why}", mend, host)
                c.execute(insert(news).values(_opened_news(found["id"], told, why) | {"at": at}))
                self._opened(c, found["id"], told)

    def lift(self, hosts: Sequence[str]) -> None:
        """Write that these hosts are to be uncordoned."""
        with self._engine.begin() as c:
            where = cordon.c.host.in_(hosts)
            c.execute(update(cordon).where(where).values(mode=CordonMode.NONE.value))

    def forget(self, host: str) -> None:
        """Forget a host that has confirmed that it is open."""
        with self._engine.begin() as c:
            where = (cordon.c.host == host) & (cordon.c.mode == CordonMode.NONE.value)
            c.execute(delete(cordon).where(where))


def opened_on(c: Connection, rollout_id: str) -> dict[str, str]:
    """Return how each host was opened on the spot that a rollout wants closed."""
    of = (news.c.rollout == rollout_id) & (news.c.host_state == OPENED)
    still = (cordon.c.rollout == rollout_id) & (cordon.c.opened == 1)
    query = select(news.c.host, news.c.detail).join(cordon, cordon.c.host == news.c.host)
    found = c.execute(query.where(of, still).order_by(news.c.number))
    return {host: detail for host, detail in found}


def _is_on(row: CordonRow | None, rollout: str) -> bool:
    return row is not None and row.rollout == rollout and row.mode is not CordonMode.NONE


def _is_sealed(row: CordonRow | None) -> bool:
    return row is not None and row.mode is CordonMode.SEALED and not row.opened


def closes_again(label: str, name: str) -> str:
    """Return what closes a host again that was opened while its rollout is under way."""
    return f"roundsman rollout retry {label} --host {shlex.quote(name)}, which closes it again"


def _name(found: RowMapping, host: str) -> str:
    plan = read_plan(found["plan"])
    return next((planned.name for planned in plan.hosts if planned.id == host), host)


def _opened_news(rollout_id: str, told: News, why: str) -> dict[str, Any]:
    return {
        "rollout": rollout_id, "state": told.rollout.value, "host": told.host,
        "host_state": OPENED, "detail": why, "mend": told.mend,
    }  # fmt: skip


def _fresh_code() -> dict[str, Any]:
    code, salt = new_code(), new_salt()
    return {"code": code, "salt": salt, "code_hash": hash_code(code, salt), "opened": 0}


def _row(row: RowMapping) -> CordonRow:
    return CordonRow(
        row["host"], row["rollout"], CordonMode(row["mode"]), row["code"], row["salt"],
        row["code_hash"], bool(row["opened"]),
    )  # fmt: skip
