"""What operators ask of one host's backups: done in a thread each, followed while it is under way.

An errand is not durable: when the daemon ends in the middle of one, the host ends the step it is
in by itself, and its leased cordon is lifted at the daemon's next start. Nothing is asked for
twice: whoever wants to know asks the host again.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agent.wire.contract import (
    NO_PROFILE,
    Direction,
    Finding,
    StepName,
    StepParams,
    StepReport,
    StepState,
    Target,
)
from coordinator.fleet.asker import Answer, Asked, Asker
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.restorer import Restore, Restorer
from coordinator.fleet.stepper import Stopped
from coordinator.walk.ports import Verdict

_log = logging.getLogger(__name__)
_LIST_SECONDS = 60.0
_SECONDS = 4 * 3600.0
_SILENCE = 60.0
_KEPT = 50  # errands that have ended


@dataclass(frozen=True, slots=True)
class Errand:
    """One errand as it stands; `verdict` is None while it is under way."""

    id: str
    host: str
    what: StepName
    began: float  # seconds since 1970
    step: str = ""  # under way now
    bytes_done: int = 0
    bytes_total: int = 0
    ended: float | None = None
    verdict: Verdict | None = None
    detail: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    stays_closed: bool = False


class HostBusy(Exception):  # noqa: N818 - reads better where it is caught
    """The host is on another errand."""


Followed = Callable[[StepName, StepReport], None]


class Errands:
    """All errands of this daemon; any thread may call it."""

    def __init__(self, asker: Asker, keeper: Keeper) -> None:
        self._asker = asker
        self._restorer = Restorer(asker, keeper)
        self._lock = threading.Lock()
        self._all: dict[str, Errand] = {}

    def find(self, errand: str) -> Errand | None:
        """Return an errand by its id."""
        with self._lock:
            return self._all.get(errand)

    def busy(self) -> frozenset[str]:
        """Return the hosts that are on an errand which changes them."""
        with self._lock:
            return frozenset(
                e.host
                for e in self._all.values()
                if e.verdict is None and e.what is StepName.RESTORE_BACKUP
            )

    def list_backups(self, host: str, profile: Target) -> Answer:
        """Return what backups a host has, one fact each."""
        params = StepParams(profile)
        return self._asker.ask(
            Asked(self._asker.new_id(), host, StepName.LIST_BACKUPS, params, _LIST_SECONDS)
        )

    def observe(self, host: str) -> Answer:
        """Return what runs on a host, in pieces (`agent.wire.observed`)."""
        params = StepParams(NO_PROFILE)
        return self._asker.ask(
            Asked(self._asker.new_id(), host, StepName.OBSERVE, params, _LIST_SECONDS)
        )

    def look(self, host: str, what: StepName, profile: Target, backup: str) -> Errand:
        """Begin to verify a backup, or to rehearse its restore. Raises `HostBusy`."""
        errand = self._begin(host, what)
        params = StepParams(profile, backup=backup)
        asked = Asked(errand.id, host, what, params, _SECONDS, _SILENCE)

        def run(followed: Followed) -> tuple[Answer, bool]:
            return self._asker.ask(asked, lambda report: followed(what, report)), False

        return self._in_a_thread(errand, run)

    def restore(self, wish: Restore) -> Errand:
        """Begin to restore a backup. Raises `HostBusy`."""
        errand = self._begin(wish.host, StepName.RESTORE_BACKUP)
        return self._in_a_thread(
            errand, lambda followed: self._restorer.restore(errand.id, wish, followed)
        )

    def _begin(self, host: str, what: StepName) -> Errand:
        errand = Errand(self._asker.new_id(), host, what, time.time())
        with self._lock:
            if any(e.host == host and e.verdict is None for e in self._all.values()):
                raise HostBusy
            ended = [e.id for e in self._all.values() if e.verdict is not None]
            for old in ended[:-_KEPT]:
                del self._all[old]
            self._all[errand.id] = errand
        return errand

    def _in_a_thread(
        self, errand: Errand, run: Callable[[Followed], tuple[Answer, bool]]
    ) -> Errand:
        threading.Thread(
            target=self._run, args=(errand, run), name=f"errand {errand.what}", daemon=True
        ).start()
        return errand

    def _run(self, errand: Errand, run: Callable[[Followed], tuple[Answer, bool]]) -> None:
        def followed(step: StepName, report: StepReport) -> None:
            self._put(
                replace(
                    self._all[errand.id],
                    step=step.value,
                    bytes_done=report.bytes_done,
                    bytes_total=report.bytes_total,
                )
            )

        answer, stays_closed = _cut_short(errand), True
        try:
            answer, stays_closed = run(followed)
        except Stopped:
            pass  # the daemon ends, and all of this with it
        finally:
            self._put(_ended(self._all[errand.id], answer, stays_closed=stays_closed))
        about = {"host": errand.host, "what": errand.what.value, "verdict": answer.verdict.value}
        _log.info("errand ended", extra=about)

    def _put(self, errand: Errand) -> None:
        with self._lock:
            self._all[errand.id] = errand


def _cut_short(errand: Errand) -> Answer:
    why = "the coordinator ended in the middle of it; see its log"
    report = StepReport(
        f"{errand.id}/{errand.host}/{errand.what}",
        Direction.DO,
        StepState.UNHEARD,
        detail=why,
    )
    return Answer(Verdict.UNKNOWN, report)


def _ended(errand: Errand, answer: Answer, *, stays_closed: bool) -> Errand:
    return replace(
        errand,
        step="",
        ended=time.time(),
        verdict=answer.verdict,
        detail=answer.problem,
        facts=dict(answer.report.facts),
        findings=answer.findings,
        bytes_done=answer.report.bytes_done,
        bytes_total=answer.report.bytes_total,
        stays_closed=stays_closed,
    )
