"""Keeps the app, its service manager and its updater closed on this host.

A leased cordon ends by itself when no order renews it; a sealed one stays, through an agent's
restart and a reboot, until an uncordon of a current epoch, the one-time code or the PC's
administrator. What is to be closed is kept with the seal, so that it holds when no signed
profile can be read. The guard is one thread: it looks five times a second while a cordon is
on, asleep otherwise, and is the only one that looks, so "guarded" means what it says.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from agent.cordon_record import CordonTools, is_the_same, merged, new_record
from agent.fence import why_stale
from agent.journal import CODE_TRIES, Journal, JournalError
from agent.look import Look, Watch
from agent.platforms.base import Process
from agent.records import CordonRecord, CordonState, sentence
from agent.steps.table import Refused
from agent.wire.codes import code_fits
from agent.wire.contract import CordonMode, CordonOrder, Refusal, Sight, UncordonOrder

_log = logging.getLogger(__name__)
LOOK_SECONDS = 0.2
_ANSWER_SECONDS = 1.5


class CodeRefused(Exception):  # noqa: N818 - reads better where it is raised
    """The host stays closed, and why."""


class Cordon:
    """The cordon of one host, and its guard. `start` it once, `close` it once."""

    def __init__(self, journal: Journal, tools: CordonTools) -> None:
        self._journal = journal
        self._tools = tools
        self._watch = Watch(journal, tools.platform, tools.people)
        self._changed = threading.Condition()
        self._wanted = 0  # looks asked for
        self._seen = 0  # looks that began after they were asked for
        self._look = Look()
        self._stopping = False
        self._thread = threading.Thread(target=self._guard, name="guard", daemon=True)

    def start(self) -> None:
        """Put the guard on again where the journal says so, and keep it."""
        self._thread.start()

    def close(self) -> None:
        """End the guard's thread; the cordon stays as it is in the journal."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def apply(self, order: CordonOrder) -> Sight:
        """Put on or renew the cordon, and return what a look since then saw."""
        try:
            self._put_on(order)
        except Refused as no:
            return self._refusal(no)
        except JournalError as error:
            return self._refusal(Refused(Refusal.INTERNAL, str(error)))
        return self.look()

    def lift(self, order: UncordonOrder) -> Sight:
        """Let the app be opened again."""
        try:
            self._check_fence(order)
            state = self._journal.cordon()
            if state is not None and self._mode(state) is not CordonMode.NONE:
                self._take_off(state, order.rollout)
        except Refused as no:
            return self._refusal(no)
        except JournalError as error:
            return self._refusal(Refused(Refusal.INTERNAL, str(error)))
        return self.look()

    def look(self) -> Sight:
        """Return what a fresh look sees; `guarded` only when the guard itself has looked."""
        with self._changed:
            self._wanted += 1
            wanted = self._wanted
            self._changed.notify_all()
            looked = self._thread.is_alive() and self._changed.wait_for(
                lambda: self._seen >= wanted or self._stopping, _ANSWER_SECONDS
            )
            return self._sight(looked and self._seen >= wanted)

    def state(self) -> tuple[CordonMode, CordonState | None]:
        """Return how the app is kept closed at this moment, and the cordon last ordered."""
        state = self._journal.cordon()
        return (self._mode(state) if state else CordonMode.NONE), state

    def open_by_code(self, code: str) -> None:
        """End the cordon with the one-time code. Raises `CodeRefused`."""
        mode, state = self.state()
        if state is None or mode is CordonMode.NONE:
            raise CodeRefused("nothing is kept closed on this PC")
        if not self._journal.may_try_code(time.time()):
            raise CodeRefused(f"{CODE_TRIES} codes were tried within a minute: wait, try again")
        record = state.record
        if not code_fits(code, record.code_salt, record.code_hash):
            raise CodeRefused(f"this is not the code of rollout {record.rollout} for this PC")
        self._open("code")

    def open_by_administrator(self) -> bool:
        """End the cordon; who may write the journal is the administrator. False if none was on."""
        if self.state()[0] is CordonMode.NONE:
            return False
        self._open("administrator")
        return True

    def spare(self, process: Process) -> None:
        """Leave this process alone: the runner itself started it."""
        self._journal.spare(process)

    def spare_none(self) -> None:
        """Spare nothing from now on."""
        self._journal.spare_none()

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Let the service manager come up inside; what is not spared by the end is closed."""
        self._watch.expecting += 1
        try:
            yield
        finally:
            self._watch.expecting -= 1

    @contextmanager
    def letting(self) -> Iterator[None]:
        """Let the app itself be open inside; what is open at the end is closed."""
        self._watch.letting += 1
        try:
            yield
        finally:
            self._watch.letting -= 1

    def _put_on(self, order: CordonOrder) -> None:
        self._check_fence(order)
        if order.mode is CordonMode.NONE:
            raise Refused(Refusal.BAD_ORDER, "a cordon is leased or sealed: to end it, uncordon")
        for _ in range(3):  # the code or an administrator may come in between
            state = self._journal.cordon()
            record = new_record(self._tools, order, state)
            if state is not None and self._is_over(state, record):
                return
            if state is None or state.opened or self._mode(state) is CordonMode.NONE:
                self._spare_afresh(state, record)
                self._journal.put_cordon(record)
                _log.info("cordon on", extra=_about(record))
                return
            if self._journal.change_cordon(state.record, merged(state.record, record)):
                return
        raise Refused(Refusal.INTERNAL, "the cordon keeps changing at this host: ask again")

    def _is_over(self, state: CordonState, record: CordonRecord) -> bool:
        """True when this cordon was opened here, or lifted: the order only comes late."""
        was_ended = bool(state.opened) or state.record.mode is CordonMode.NONE
        return was_ended and is_the_same(state.record, record)

    def _spare_afresh(self, state: CordonState | None, record: CordonRecord) -> None:
        """Spare nothing of an earlier cordon; done now, not when that one ended.

        A look of the guard may still be under way then, and would close what is given back.
        """
        if state is not None and not is_the_same(state.record, record):
            self._journal.spare_none()

    def _check_fence(self, order: CordonOrder | UncordonOrder) -> None:
        if why := why_stale(self._journal, order.fence):
            raise Refused(Refusal.STALE_EPOCH, why)

    def _take_off(self, state: CordonState, rollout: str) -> None:
        record = state.record
        if record.rollout != rollout:
            raise Refused(
                Refusal.BAD_ORDER, f"{record.app} is kept closed here by rollout {record.rollout}"
            )
        self._journal.change_cordon(record, replace(record, mode=CordonMode.NONE))
        self._tools.people.hush()
        _log.info("cordon off", extra=_about(record))

    def _open(self, by: str) -> None:
        self._journal.open_cordon(by)
        _log.warning("cordon opened at this host", extra={"by": by})

    def _mode(self, state: CordonState) -> CordonMode:
        record, platform = state.record, self._tools.platform
        if state.opened:
            return CordonMode.NONE
        if record.mode is not CordonMode.LEASED:
            return record.mode
        live = record.boot_id == platform.boot_id() and platform.clock() < record.until
        return CordonMode.LEASED if live else CordonMode.NONE

    def _sight(self, looked: bool) -> Sight:
        mode, state = self.state()
        if state is None:
            return Sight(CordonMode.NONE)
        on = mode is not CordonMode.NONE
        return Sight(
            mode=mode,
            guarded=looked and on and self._look.guarded,
            open=self._look.open,
            spared=self._look.spared,
            relaunches=state.relaunches,
            code_used=state.opened == "code",
            rollout=state.record.rollout,
            detail=f"opened at this PC by {state.opened}" if state.opened else "",
        )

    def _refusal(self, no: Refused) -> Sight:
        sight = self._sight(looked=False)
        return replace(sight, refusal=no.refusal, detail=sentence(no))

    def _guard(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                wanted = self._wanted
            look = self._guard_once()
            with self._changed:
                self._look, self._seen = look, wanted
                self._changed.notify_all()
                self._changed.wait_for(
                    lambda: self._stopping or self._wanted > self._seen,
                    LOOK_SECONDS if look.on else None,
                )

    def _guard_once(self) -> Look:
        try:
            mode, state = self.state()
            if state is None:
                return Look()
            return self._watch.look(state.record, guarded=mode is not CordonMode.NONE)
        except JournalError as error:
            _log.critical("the guard cannot read the journal", extra={"why": str(error)})
            return self._look.blind()


def _about(record: CordonRecord) -> dict[str, object]:
    return {"rollout": record.rollout, "app": record.app, "mode": record.mode.value}
