"""Sends releases to hosts ahead of time, as many at once as was said, within the hours said.

One thread looks once a second at what is under way; each host that fetches has a thread of its
own, which follows it. All that matters is in the store: after a crash a host that was fetching is
asked again by the same attempt, so it is joined, or tells how it ended. A rollout comes first: a
host that is in one is told to stop, and fetches what it lacks in the rollout itself.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agent.wire.contract import (
    CancelOrder,
    Direction,
    Fence,
    Refusal,
    StepName,
    StepParams,
    StepReport,
    StepState,
    Target,
)
from agent.wire.errors import LinkError
from coordinator.fleet.asker import Answer, Asked, Asker
from coordinator.fleet.stepper import Stopped
from coordinator.model import StagedState, StagingState
from coordinator.planning.staging import (
    Staged,
    Staging,
    next_hosts,
    open_until,
    state_by,
    wait_after,
)
from coordinator.store.database import StoreTrouble
from coordinator.store.stagings import Stagings
from coordinator.walk.ports import Verdict

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_WRITE_SECONDS = 2.0
_CALL_SECONDS = 5.0
_CLOSE_SECONDS = 5.0
_LONGEST_TRY = 12 * 3600.0
_SILENCE = 60.0
_IN_VAIN = {
    Refusal.APP_ABSENT,
    Refusal.BAD_ORDER,
    Refusal.NOT_SIGNED,
    Refusal.PACKAGE_MISMATCH,
    Refusal.UNKNOWN_STEP,
}
"""Refusals that trying again by itself would not change."""
GONE = "it has left the fleet"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one host is to have, and what lets it fetch it."""

    profile: Target
    package: Target
    version: str
    ticket: str


Supply = Callable[[Staging, str], Wanted | str]
"""Returns what a host (by id) gets of a staging, or why it gets nothing."""


class Links(Protocol):
    """The links to the agents, as far as they are needed here."""

    def linked(self) -> frozenset[str]:
        """Return the ids of the hosts that can be called now."""

    def call(self, host_id: str, method: str, request: Any, deadline: float) -> Any:
        """Ask one agent and return its answer. Raises `LinkError`."""


class Stager:
    """Works off the stagings of one store."""

    def __init__(
        self,
        asker: Asker,
        links: Links,
        stagings: Stagings,
        supply: Supply,
        fence: Callable[[], Fence],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._asker = asker
        self._links = links
        self._stagings = stagings
        self._supply = supply
        self._fence = fence
        self._clock = clock
        self._lock = threading.Lock()
        self._followed: dict[str, Staged] = {}  # by host: what its thread is on
        self._called_off: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stager", daemon=True)

    def start(self) -> None:
        """Begin, and go on with what was under way."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; what hosts are fetching they fetch on."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self.look()
            except StoreTrouble as error:  # what is not written is looked at again
                _log.warning("cannot read or write stagings", extra={"why": str(error)})

    def look(self) -> None:
        """Begin what may begin, call off what may not go on, end what has come to its end."""
        under_way = self._stagings.under_way()
        if not under_way and not self._busy():
            return  # the store is asked once a second; on most days that is all
        for row in self._stagings.gone():
            self._stagings.put(_refused(row, GONE, self._clock()))
        able = self._links.linked() - self._stagings.in_rollouts()
        going = {s.id for s in under_way if open_until(s, self._clock(), None) is not None}
        taken = self._stagings.taken()
        for row in self._followed_now():
            is_taken = (row.staging, row.host) in taken
            if row.staging not in going or row.host not in able or is_taken:
                self._call_off(row)
        for staging in under_way:
            self._work_off(staging, able)

    def _work_off(self, staging: Staging, able: frozenset[str]) -> None:
        rows, now = self._stagings.hosts(staging.id), self._clock()
        state = state_by(staging, rows, now)
        if state is not StagingState.UNDER_WAY:
            self._stagings.end(staging.id, state, now)
            about = {"staging": staging.label, "state": state.value}
            _log.info("staging ended", extra=about)
            return
        until = open_until(staging, now, None)
        if until is None:
            return
        for row in self._left_alone(rows, able):
            self._follow(staging, row, until)
        for row in next_hosts(staging, rows, now, able - self._busy()):
            begun = replace(row, state=StagedState.FETCHING, tries=row.tries + 1, since=now)
            self._stagings.put(begun)
            self._follow(staging, begun, until)

    def _left_alone(self, rows: Sequence[Staged], able: frozenset[str]) -> list[Staged]:
        """Return the hosts that were fetching when the daemon before this one ended."""
        return [
            row
            for row in rows
            if row.state is StagedState.FETCHING and row.host in able - self._busy()
        ]

    def _busy(self) -> frozenset[str]:
        return frozenset(row.host for row in self._followed_now())

    def _followed_now(self) -> list[Staged]:
        with self._lock:
            return list(self._followed.values())

    def _follow(self, staging: Staging, row: Staged, until: float) -> None:
        with self._lock:
            self._followed[row.host] = row
        name = f"stage {row.host}"
        threading.Thread(
            target=self._fetch, args=(staging, row, until), name=name, daemon=True
        ).start()

    def _fetch(self, staging: Staging, row: Staged, until: float) -> None:
        try:
            self._stagings.put(self._fetched(staging, row, until))
        except Stopped:
            pass  # the daemon ends: the next one asks by the same attempt
        except StoreTrouble as error:  # still fetching, by the store: asked again
            _log.warning("cannot write how staging went", extra={"why": str(error)})
        finally:
            with self._lock:
                del self._followed[row.host]
                self._called_off.discard(row.host)

    def _fetched(self, staging: Staging, row: Staged, until: float) -> Staged:
        try:
            wanted = self._supply(staging, row.host)
        except (OSError, ValueError) as error:  # what is served is damaged, or not to be read now
            return self._later(row, f"the coordinator cannot give it: {error}")
        if isinstance(wanted, str):
            return _refused(row, wanted, self._clock())
        asked = Asked(
            id=staging.id,
            host=row.host,
            step=StepName.FETCH,
            params=_params(staging, wanted),
            not_after=min(until - self._clock(), _LONGEST_TRY),
            silence=_SILENCE,
            attempt=row.tries,
            ticket=wanted.ticket,
        )
        answer = self._asker.ask(asked, self._progress_writer(row))
        return self._outcome(row, answer)

    def _progress_writer(self, row: Staged) -> Callable[[StepReport], None]:
        written = time.monotonic()

        def write(report: StepReport) -> None:
            nonlocal written
            if time.monotonic() - written >= _WRITE_SECONDS:
                written = time.monotonic()
                self._stagings.put(
                    replace(row, bytes_done=report.bytes_done, bytes_total=report.bytes_total)
                )

        return write

    def _outcome(self, row: Staged, answer: Answer) -> Staged:
        report, now = answer.report, self._clock()
        told = replace(
            row, since=now, bytes_done=report.bytes_done, bytes_total=report.bytes_total, detail=""
        )
        about = {"host": row.host, "verdict": answer.verdict.value, "why": answer.problem}
        _log.info("host staged", extra=about)
        if answer.verdict is Verdict.DONE:
            return replace(told, state=StagedState.READY, bytes_done=report.bytes_total)
        if report.refusal in _IN_VAIN:
            return _refused(told, answer.problem, now)
        if report.state is StepState.CANCELLED and row.host in self._called_off:
            return replace(told, state=StagedState.WAITING, next_try=now)
        return self._later(told, answer.problem)

    def _later(self, row: Staged, why: str) -> Staged:
        now = self._clock()
        return replace(
            row,
            state=StagedState.WAITING,
            since=now,
            next_try=now + wait_after(row.tries),
            detail=why[:500],
        )

    def _call_off(self, row: Staged) -> None:
        with self._lock:
            self._called_off.add(row.host)
        step_id = f"{row.staging}/{row.host}/{StepName.FETCH}"
        order = CancelOrder(step_id, Direction.DO, self._fence())
        with suppress(LinkError):  # asked again at the next look, as long as it is followed
            self._links.call(row.host, "cancel", order, _CALL_SECONDS)


def _refused(row: Staged, why: str, now: float) -> Staged:
    return replace(row, state=StagedState.REFUSED, detail=why[:500], since=now)


def _params(staging: Staging, wanted: Wanted) -> StepParams:
    return StepParams(
        wanted.profile, wanted.package, version=wanted.version, rate=staging.host_rate
    )
