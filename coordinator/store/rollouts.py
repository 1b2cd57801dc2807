"""Plans, rollouts, visits, steps, commands and news: what the walk writes and people read."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from agent.wire.codec import decode, encode
from agent.wire.contract import Direction, Finding, StepName, StepReport
from coordinator.model import Plan
from coordinator.store.busy import refuse_busy, refuse_changed_since, refuse_sealed
from coordinator.store.cordons import opened_on
from coordinator.store.database import reader, upsert
from coordinator.store.outbox import Post, post_nowhere
from coordinator.store.plans import read_plan
from coordinator.store.rows import NewsRow, RolloutRow, StepRow, VisitRow
from coordinator.store.tables import command, news, plan, rollout, setting, step_run, visit
from coordinator.walk.ports import Command, News, Verb
from coordinator.walk.states import HostState, RolloutState

_BEGAN = {HostState.UPDATING}
_ENDED = {HostState.UPDATED, HostState.ROLLED_BACK, HostState.SKIPPED}


class Rollouts:
    """Everything about plans and rollouts, one transaction a call; `post` hears of their news."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.time,
        post: Post = post_nowhere,
    ) -> None:
        self._post = post
        self._engine = engine
        self._reads = reader(engine)
        self._clock = clock

    def add_plan(self, made: Plan) -> int:
        """Keep a plan and return its number."""
        with self._engine.begin() as c:
            number = (c.scalar(select(func.max(plan.c.number))) or 0) + 1
            data = json.dumps(encode(made))
            c.execute(insert(plan).values(id=made.id, number=number, at=self._clock(), data=data))
        return number

    def plan(self, key: str) -> Plan | None:
        """Return a plan by its id or its number ("p3", "3")."""
        where = plan.c.id == key
        if key.removeprefix("p").isdigit():
            where = plan.c.number == int(key.removeprefix("p"))
        with self._reads.connect() as c:
            data = c.scalar(select(plan.c.data).where(where))
        return None if data is None else read_plan(data)

    # -- rollouts ------------------------------------------------------------------------

    def begin(self, made: Plan, by: str, enqueue: Callable[[Connection], None]) -> int:
        """Write a new rollout and enqueue its walk, in one transaction; return its number.

        Raises `HostsBusy` when a host of it is in a rollout that has not ended, or still kept
        closed for another app.
        """
        now = self._clock()
        with self._engine.begin() as c:
            refuse_busy(c, made)
            refuse_sealed(c, made)
            number = (c.scalar(select(func.max(rollout.c.number))) or 0) + 1
            c.execute(
                insert(rollout).values(
                    id=made.id, number=number, app=made.app, version=made.version,
                    site=made.site, grp=made.group, plan=json.dumps(encode(made)),
                    state=RolloutState.WAITING.value, since=now, started_by=by, started=now,
                )
            )  # fmt: skip
            for place, planned in enumerate(made.hosts):
                c.execute(
                    insert(visit).values(
                        rollout=made.id, host=planned.id, place=place,
                        state=HostState.PENDING.value, since=now,
                    )
                )  # fmt: skip
            enqueue(c)
        return number

    def begin_again(self, made: Plan, enqueue: Callable[[Connection], None]) -> None:
        """Let a rollout that has ended go on, and enqueue its walk, in one transaction.

        Raises `HostsBusy` as `begin` does, when it has not ended, and when a later rollout has
        changed a host of it.
        """
        with self._engine.begin() as c:
            refuse_busy(c, made)
            refuse_sealed(c, made)
            refuse_changed_since(c, made)
            values: dict[str, Any] = {"state": RolloutState.ROLLING_BACK.value, "ended": None}
            values |= {"detail": "", "mend": "", "since": self._clock()}
            c.execute(update(rollout).where(rollout.c.id == made.id).values(values))
            enqueue(c)

    def find(self, key: str) -> RolloutRow | None:
        """Return a rollout by id, number ("r12", "12") or "" for the latest."""
        query = select(rollout)
        if key.removeprefix("r").isdigit():
            query = query.where(rollout.c.number == int(key.removeprefix("r")))
        elif key:
            query = query.where(rollout.c.id == key)
        with self._reads.connect() as c:
            row = c.execute(query.order_by(rollout.c.number.desc()).limit(1)).mappings().first()
        return None if row is None else _rollout(row)

    def all(self, *, active: bool = False) -> list[RolloutRow]:
        """Return the rollouts, newest first; only those not ended when `active`."""
        query = select(rollout).order_by(rollout.c.number.desc())
        if active:
            query = query.where(rollout.c.ended.is_(None))
        with self._reads.connect() as c:
            return [_rollout(row) for row in c.execute(query).mappings()]

    def visits(self, rollout_id: str) -> list[VisitRow]:
        """Return the visits of a rollout in the order of its plan."""
        query = select(visit).where(visit.c.rollout == rollout_id).order_by(visit.c.place)
        with self._reads.connect() as c:
            return [_visit(row) for row in c.execute(query).mappings()]

    def opened(self, rollout_id: str) -> dict[str, str]:
        """Return how each host was opened on the spot that a rollout wants closed."""
        with self._reads.connect() as c:
            return opened_on(c, rollout_id)

    def raise_epoch(self, rollout_id: str = "", least: int = 0) -> int:
        """Raise the database's epoch above `least`, give it to the rollout, and return it."""
        with self._engine.begin() as c:
            found = c.scalar(select(setting.c.value).where(setting.c.key == "epoch"))
            epoch = max(int(found or 0), least) + 1
            upsert(c, setting, {"key": "epoch"}, {"value": str(epoch)})
            if rollout_id:
                c.execute(update(rollout).where(rollout.c.id == rollout_id).values(epoch=epoch))
        return epoch

    # -- what the walk tells -------------------------------------------------------------

    def tell(self, rollout_id: str, *items: News) -> None:
        """Write news, and with each where the rollout or one of its hosts stands."""
        now = self._clock()
        with self._engine.begin() as c:
            number = c.scalar(select(rollout.c.number).where(rollout.c.id == rollout_id))
            for item in items:
                mend = item.mend.replace("{rollout}", f"r{number}")
                self._write(c, rollout_id, replace(item, mend=mend), now)

    def _write(self, c: Connection, rollout_id: str, item: News, now: float) -> None:
        state = item.state.value if item.state else ""
        c.execute(
            insert(news).values(
                rollout=rollout_id, at=now, state=item.rollout.value, host=item.host,
                host_state=state, detail=item.detail, mend=item.mend,
            )
        )  # fmt: skip
        if item.host and item.state:
            self._move_host(c, rollout_id, item, now)
        else:
            self._move_rollout(c, rollout_id, item, now)
            self._post(c, rollout_id, item)

    def _move_host(self, c: Connection, rollout_id: str, item: News, now: float) -> None:
        values: dict[str, Any] = {"state": item.state, "detail": item.detail, "since": now}
        if item.state in _BEGAN:
            values |= {"began": func.coalesce(visit.c.began, now), "ended": None}
        if item.state in _ENDED:
            values["ended"] = now
        where = (visit.c.rollout == rollout_id) & (visit.c.host == item.host)
        c.execute(update(visit).where(where).values(values))

    def _move_rollout(self, c: Connection, rollout_id: str, item: News, now: float) -> None:
        values: dict[str, Any] = {"state": item.rollout, "detail": item.detail, "mend": item.mend}
        values |= {"since": now} | ({"ended": now} if item.rollout.is_final else {})
        c.execute(update(rollout).where(rollout.c.id == rollout_id).values(values))

    def history(self, rollout_id: str, after: int = 0) -> list[NewsRow]:
        """Return the news of a rollout with a number above `after`, oldest first."""
        query = select(news).where(news.c.rollout == rollout_id, news.c.number > after)
        with self._reads.connect() as c:
            rows = c.execute(query.order_by(news.c.number)).mappings()
            return [NewsRow(**{k: v for k, v in r.items() if k != "rollout"}) for r in rows]

    # -- commands ------------------------------------------------------------------------

    def say(self, rollout_id: str, said: Command) -> int:
        """Keep an operator's command for the walk and return its number."""
        with self._engine.begin() as c:
            result = c.execute(
                insert(command).values(
                    rollout=rollout_id, verb=said.verb, host=said.host, said_by=said.by,
                    until=said.until, at=self._clock(),
                )
            )  # fmt: skip
            return int(result.inserted_primary_key[0]) if result.inserted_primary_key else 0

    def next_command(self, rollout_id: str, after: int) -> Command | None:
        """Return the first command with a number above `after`."""
        query = (
            select(command)
            .where(command.c.rollout == rollout_id, command.c.number > after)
            .order_by(command.c.number)
            .limit(1)
        )
        with self._reads.connect() as c:
            row = c.execute(query).mappings().first()
        if row is None:
            return None
        return Command(row["number"], Verb(row["verb"]), row["host"], row["said_by"], row["until"])

    # -- steps ---------------------------------------------------------------------------

    def begin_step(self, step_id: str, direction: Direction, attempt: int) -> None:
        """Write that a step is about to be asked for."""
        rollout_id, host, step = step_id.split("/")
        key = {"step_id": step_id, "direction": direction.value}
        values = {
            "rollout": rollout_id, "host": host, "step": step, "attempt": attempt,
            "state": "running", "started": self._clock(), "ended": None, "detail": "",
        }  # fmt: skip
        with self._engine.begin() as c:
            found = c.scalar(
                select(step_run.c.attempt).where(
                    step_run.c.step_id == step_id, step_run.c.direction == direction.value
                )
            )
            if found == attempt:  # joined again after a restart: its beginning stands
                values.pop("started")
            if found is None:
                c.execute(insert(step_run).values(key | values))
            else:
                where = (step_run.c.step_id == step_id) & (step_run.c.direction == direction)
                c.execute(update(step_run).where(where).values(values))

    def note_progress(self, step_id: str, direction: Direction, done: int, total: int) -> None:
        """Write how far a running step has come, in bytes."""
        where = (step_run.c.step_id == step_id) & (step_run.c.direction == direction)
        with self._engine.begin() as c:
            c.execute(update(step_run).where(where).values(bytes_done=done, bytes_total=total))

    def note_facts(self, step_id: str, direction: Direction, facts: Mapping[str, str]) -> None:
        """Write what a running step has found so far."""
        where = (step_run.c.step_id == step_id) & (step_run.c.direction == direction)
        with self._engine.begin() as c:
            c.execute(update(step_run).where(where).values(facts=json.dumps(dict(facts))))

    def end_step(self, report: StepReport, state: str, findings: Iterable[Finding] = ()) -> None:
        """Write how a step ended; an older attempt never overwrites a newer one."""
        where = (
            (step_run.c.step_id == report.step_id)
            & (step_run.c.direction == report.direction.value)
            & (step_run.c.attempt <= max(report.attempt, 1))
        )
        values: dict[str, Any] = {
            "state": state, "ended": self._clock(), "detail": report.detail,
            "bytes_done": report.bytes_done, "bytes_total": report.bytes_total,
        }  # fmt: skip
        if report.facts:
            values["facts"] = json.dumps(report.facts)
        if found := [encode(f) for f in findings]:
            values["findings"] = json.dumps(found)
        with self._engine.begin() as c:
            c.execute(update(step_run).where(where).values(values))

    def steps(self, rollout_id: str) -> list[StepRow]:
        """Return the steps of a rollout in the order they began."""
        query = select(step_run).where(step_run.c.rollout == rollout_id)
        with self._reads.connect() as c:
            return [_step(r) for r in c.execute(query.order_by(step_run.c.started)).mappings()]


def _rollout(row: RowMapping) -> RolloutRow:
    return RolloutRow(
        id=row["id"], number=row["number"], plan=read_plan(row["plan"]),
        state=RolloutState(row["state"]), detail=row["detail"], mend=row["mend"],
        since=row["since"], epoch=row["epoch"], started_by=row["started_by"],
        started=row["started"], ended=row["ended"],
    )  # fmt: skip


def _visit(row: RowMapping) -> VisitRow:
    return VisitRow(
        row["host"], row["place"], HostState(row["state"]), row["detail"], row["since"],
        row["began"], row["ended"],
    )  # fmt: skip


def _step(row: RowMapping) -> StepRow:
    return StepRow(
        row["step_id"], row["host"], StepName(row["step"]), Direction(row["direction"]),
        row["attempt"], row["state"], row["started"], row["ended"], row["bytes_done"],
        row["bytes_total"], row["detail"], json.loads(row["facts"]),
        tuple(decode(Finding, f) for f in json.loads(row["findings"])),
    )  # fmt: skip
