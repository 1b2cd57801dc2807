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

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import Connection

from agent.wire.codec import decode, encode
from agent.wire.contract import CordonMode, Direction, StepName
from coordinator.model import Plan
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import Command, News, Outcome, Port, SightOf
from coordinator.walk.rollout import walk
from coordinator.walk.states import RolloutState

APPLICATION_VERSION = "walk-2"
"""Bumped only when the order of the walk's port calls changes; see CONTRIBUTING."""
_NAME = "roundsman"
_QUEUE = "groups"
_POLL_SECONDS = 0.5  # the longest a rollout waits before it begins; asking costs processor time
_DEFECT = (
    "the walk stopped on a defect of the coordinator, see its log; every host stays as it is, "
    "closed if it was closed"
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
        value = _step(
            f"confirm {mode}", lambda: [encode(s) for s in self._port.confirm(hosts, mode)]
        )
        return [decode(SightOf, s) for s in value]

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

    def tell(self, news: News) -> None:
        """As the port says."""
        _step("tell", lambda: self._port.tell(news))


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

    def submit(self, plan: Plan, by: str) -> int:
        """Start a rollout and return its number.

        The rollout and its place in the group's queue are written in one transaction. Raises
        `HostsBusy` when a host of it is in a rollout that has not ended.
        """

        def enqueue(connection: Connection) -> None:
            self._ready().enqueue_in_transaction(
                connection,
                {
                    "workflow_name": _WORKFLOW,
                    "queue_name": _QUEUE,
                    "workflow_id": plan.id,
                    "queue_partition_key": f"{plan.site}/{plan.group}",
                    "app_version": APPLICATION_VERSION,
                },
                encode(plan),
            )

        return self._rollouts.begin(plan, by, enqueue)

    def say(self, rollout: str, command: Command) -> None:
        """Hand an operator's word to a walk; it is heard at its next safe point."""
        self._rollouts.say(rollout, command)

    def broken(self) -> list[str]:
        """Return the rollouts whose walk ended on a defect: nothing moves them any more."""
        found = self._ready().list_workflows(
            status=["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"], load_input=False, load_output=False
        )
        return [w.workflow_id for w in found]

    def end_broken(self) -> None:
        """End those rollouts, every host left as it is, so that another may take their hosts."""
        for rollout_id in self.broken():
            row = self._rollouts.find(rollout_id)
            if row is not None and row.ended is None:
                again = f"roundsman plan {row.plan.app} {row.plan.version}"
                codes = "or roundsman rollout codes {rollout}"
                news = News(RolloutState.LEFT_CLOSED, _DEFECT, f"{again}, {codes}")
                self._rollouts.tell(rollout_id, news)

    def forget(self, rollouts: Sequence[str]) -> None:
        """Delete what the engine keeps of rollouts that have ended: it would only grow."""
        known = (
            {
                w.workflow_id
                for w in self._ready().list_workflows(
                    workflow_ids=list(rollouts), load_input=False, load_output=False
                )
            }
            if rollouts
            else set()
        )
        if known:
            self._ready().delete_workflows(sorted(known))

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


_WORKFLOW = "rollout"
_engines: dict[str, TakeUp] = {}  # workflows are found by name, so they cannot be methods


@DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)
def _rollout(wire: dict[str, Any]) -> str:
    plan = decode(Plan, wire)
    state: RolloutState = walk(plan, DurablePort(_engines[_NAME](plan)))
    return state.value
