"""Makes the walk durable: the only file that knows DBOS.

Every call of the walk's port becomes one DBOS step: its value is written before the walk goes
on, and given again when the walk is resumed after a crash. A step that was under way is run
again; the agents make it happen once. The walk itself never learns of any of this.

House rules, each a measured trap: WAL and one daemon a file; an application version that we pin;
JSON, never pickle, in the database; no workflow time limit and no `cancel_workflow` (it would
stop the undo steps too); no step retries by the engine; no exception as the outcome of a step.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, WorkflowStatus
from sqlalchemy import Connection

from agent.wire.codec import decode, encode
from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import Plan
from coordinator.store.rollouts import Rollouts
from coordinator.store.rows import RolloutRow
from coordinator.walk.back import Return, walk_back
from coordinator.walk.ports import Command, News, Outcome, Port, SightOf
from coordinator.walk.rollout import walk
from coordinator.walk.sights import pack, unpack
from coordinator.walk.states import RolloutState

APPLICATION_VERSION = "walk-6"
"""Bumped only when the order of the walk's port calls changes, or the form of their answers."""
_NAME = "roundsman"
_QUEUE = "groups"
_POLL_SECONDS = 0.5  # the longest a rollout waits before it begins; asking costs processor time
_DEFECT = (
    "the walk stopped on a defect of the coordinator, see its log; every host stays as it is, "
    "closed if it was closed"
)

_OUTDATED = (
    "the coordinator was upgraded while this was under way, and walks otherwise now; every host "
    "stays as it is, closed if it was closed"
)

TakeUp = Callable[[Plan], Port]
"""Called each time this daemon takes a rollout, new or resumed: raises its epoch, returns its
port on the real world."""


class DurablePort:
    """Puts one durable step around every call of another port."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def take(self, host: str, step: StepName, direction: Direction, attempt: int) -> Outcome:
        """As the port says."""
        name = f"{direction} {step} {host} {attempt}"
        value = _step(name, lambda: encode(self._port.take(host, step, direction, attempt)))
        return decode(Outcome, value)

    def take_all(
        self, attempts: Mapping[str, int], step: StepName, direction: Direction
    ) -> list[Outcome]:
        """As the port says."""
        value = _step(
            f"{direction} {step}",
            lambda: [encode(o) for o in self._port.take_all(attempts, step, direction)],
        )
        return [decode(Outcome, o) for o in value]

    def confirm(self, hosts: Sequence[str], mode: CordonMode) -> list[SightOf]:
        """As the port says."""
        value = _step(f"confirm {mode}", lambda: pack(hosts, self._port.confirm(hosts, mode)))
        return unpack(hosts, value)

    def uncordon(self, hosts: Sequence[str]) -> list[SightOf]:
        """As the port says."""
        value = _step("uncordon", lambda: [encode(s) for s in self._port.uncordon(hosts)])
        return [decode(SightOf, s) for s in value]

    def now(self) -> float:
        """As the port says."""
        return cast("float", _step("now", self._port.now))

    def wait(self, seconds: float) -> None:
        """As the port says."""
        _step("wait", lambda: self._port.wait(seconds))

    def safe_point(self, after: int, patience: float) -> Command | None:
        """As the port says."""

        def look() -> dict[str, Any] | None:
            command = self._port.safe_point(after, patience)
            return None if command is None else encode(command)

        value = _step("safe point", look)
        return None if value is None else decode(Command, value)

    def tell(self, *news: News) -> None:
        """As the port says."""
        _step("tell", lambda: self._port.tell(*news))


def _step(name: str, act: Callable[[], Any]) -> Any:
    return DBOS.run_step({"name": name}, act)


class Engine:
    """Runs the walks of one daemon; those a crash left behind are taken up at `launch`."""

    def __init__(self, url: str, executor: str, rollouts: Rollouts, take_up: TakeUp) -> None:
        self._url = url
        self._executor = executor
        self._rollouts = rollouts
        _engines[_NAME] = take_up
        self._client: DBOSClient | None = None

    def launch(self) -> None:
        """Start working; rollouts under way go on."""
        for name in [n for n in os.environ if n.startswith("DBOS_")]:
            del os.environ[name]  # some of these make it talk to its vendor
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(
            config=DBOSConfig(
                name=_NAME,
                system_database_url=self._url,
                executor_id=self._executor,
                application_version=APPLICATION_VERSION,
                log_level="ERROR",
                serializer=DBOSPortableJSONSerializer(),
                notification_listener_polling_interval_sec=_POLL_SECONDS,
            )
        )
        DBOS.launch()
        DBOS.register_queue(_QUEUE, partition_concurrency=1, polling_interval_sec=_POLL_SECONDS)
        self._client = DBOSClient(
            system_database_url=self._url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=_NAME,
        )
        self._end_outdated()

    def submit(self, plan: Plan, by: str) -> int:
        """Start a rollout and return its number.

        The rollout and its place in the group's queue are written in one transaction. Raises
        `HostsBusy` when a host of it is in a rollout that has not ended.
        """
        enqueue = self._enqueuing(_WORKFLOW, plan.id, plan, encode(plan))
        return self._rollouts.begin(plan, by, enqueue)

    def take_back(self, order: Return) -> None:
        """Start the roll-back of a rollout that was left closed. Raises `HostsBusy`."""
        walk_id = f"{order.plan.id}-{order.heard}"
        enqueue = self._enqueuing(_WAY_BACK, walk_id, order.plan, encode(order))
        self._rollouts.begin_again(order.plan, enqueue)

    def _enqueuing(
        self, name: str, walk_id: str, plan: Plan, order: dict[str, Any]
    ) -> Callable[[Connection], None]:
        def enqueue(connection: Connection) -> None:
            self._ready().enqueue_in_transaction(
                connection,
                {
                    "workflow_name": name,
                    "queue_name": _QUEUE,
                    "workflow_id": walk_id,
                    "queue_partition_key": f"{plan.site}/{plan.group}",
                    "app_version": APPLICATION_VERSION,
                },
                order,
            )

        return enqueue

    def say(self, rollout: str, command: Command) -> None:
        """Hand an operator's word to a walk; it is heard at its next safe point."""
        self._rollouts.say(rollout, command)

    def broken(self) -> list[str]:
        """Return the rollouts whose last walk ended on a defect: nothing moves them any more."""
        found = {_rollout_of(w.workflow_id) for w in self._walks(status=_BROKEN)}
        return sorted(rollout_id for rollout_id in found if self._is_last_broken(rollout_id))

    def end_broken(self) -> None:
        """End those rollouts, every host left as it is, so that another may take their hosts."""
        for broken in self._walks(status=_BROKEN):
            rollout_id = _rollout_of(broken.workflow_id)
            row = self._rollouts.find(rollout_id)
            if row is not None and row.ended is None and self._is_last_broken(rollout_id):
                self._leave_closed(row, _DEFECT)

    def _is_last_broken(self, rollout_id: str) -> bool:
        walks = self._walks(workflow_id_prefix=rollout_id, sort_desc=True, limit=1)
        return any(one.status in _BROKEN for one in walks)

    def _end_outdated(self) -> None:
        """End what another version of the walk was under way with: it cannot be gone on with.

        Cancelled last: a start that is cut short before finds it again.
        """
        for left in self._walks(status=["PENDING", "ENQUEUED"]):
            if left.app_version != APPLICATION_VERSION:
                row = self._rollouts.find(_rollout_of(left.workflow_id))
                if row is not None and row.ended is None:
                    self._leave_closed(row, _OUTDATED)
                self._ready().cancel_workflow(left.workflow_id)

    def _leave_closed(self, row: RolloutRow, why: str) -> None:
        again = f"roundsman plan {row.plan.app} {row.plan.version}"
        others = "roundsman rollout roll-back {rollout}, or roundsman rollout codes {rollout}"
        news = News(RolloutState.LEFT_CLOSED, why, f"{again}, or {others}")
        self._rollouts.tell(row.id, news)

    def forget(self, rollouts: Sequence[str]) -> None:
        """Delete what the engine keeps of rollouts that have ended: it would only grow."""
        known = self._walks(workflow_id_prefix=list(rollouts)) if rollouts else []
        if known:
            self._ready().delete_workflows(sorted(one.workflow_id for one in known))

    def _walks(self, **which: Any) -> list[WorkflowStatus]:
        return self._ready().list_workflows(**which, load_input=False, load_output=False)

    def close(self) -> None:
        """Stop working; walks under way stay as they are and go on at the next launch."""
        if self._client is not None:
            self._client.destroy()
            self._client = None
        DBOS.destroy()

    def _ready(self) -> DBOSClient:
        if self._client is None:
            raise RuntimeError("the engine was not launched")
        return self._client


def _rollout_of(walk_id: str) -> str:
    """Return whose walk it is: a way back has a number after the rollout's id."""
    return walk_id.partition("-")[0]


_WORKFLOW = "rollout"
_WAY_BACK = "roll-back"
_BROKEN = ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_engines: dict[str, TakeUp] = {}  # workflows are found by name, so they cannot be methods


@DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)
def _rollout(wire: dict[str, Any]) -> str:
    plan = decode(Plan, wire)
    state: RolloutState = walk(plan, DurablePort(_engines[_NAME](plan)))
    return state.value


@DBOS.workflow(name=_WAY_BACK, max_recovery_attempts=None)
def _roll_back(wire: dict[str, Any]) -> str:
    order = decode(Return, wire)
    state: RolloutState = walk_back(order, DurablePort(_engines[_NAME](order.plan)))
    return state.value
