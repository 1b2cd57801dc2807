"""Keeps the app, its service manager and its updater closed on this host.

A leased cordon ends by itself when no order renews it; a sealed one stays, through an agent's
restart and a reboot, until an uncordon of a current epoch, the one-time code or the PC's
administrator. What is to be closed is kept with the seal, so that it holds when no signed
profile can be read. The guard is one thread: it looks five times a second while a cordon is
on, asleep otherwise, and is the only one that looks, so "guarded" means what it says.
"""

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from agent.cordon_block import Block
from agent.cordon_code import CodeRefused
from agent.cordon_notice import Notices
from agent.cordon_open import Opener
from agent.cordon_record import (
    CordonTools,
    about_cordon,
    is_the_same,
    may_owe_a_drain,
    merged,
    mode_now,
    new_record,
    owing,
)
from agent.cordon_unit import GivingBack
from agent.fence import why_stale
from agent.journal import Journal, JournalError
from agent.look import Look, Watch
from agent.platforms.base import Process
from agent.records import CordonRecord, CordonState, sentence
from agent.steps.table import Refused
from agent.wire.contract import CordonMode, CordonOrder, Refusal, Sight, UncordonOrder

__all__ = ["CodeRefused", "Cordon"]

_log = logging.getLogger(__name__)
LOOK_SECONDS = 0.2
_ANSWER_SECONDS = 1.5
_STRAY_SECONDS = 5.0
_FIRST_LOOK_SECONDS = 20.0
_UNIT_SECONDS = 5.0


class Cordon:
    """The cordon of one host, and its guard. `start` it once, `close` it once."""

    def __init__(self, journal: Journal, tools: CordonTools) -> None:
        self._journal = journal
        self._tools = tools
        self._notices = Notices(tools.people, tools.platform)
        self._watch = Watch(journal, tools.platform, self._notices)
        self._block = Block(journal, tools.platform)
        self.startable = self._block.startable
        self._giving_back = GivingBack(journal, self._watch.units)
        self._opener = Opener(journal, tools.platform, self._block, self._notices)
        self._changed = threading.Condition()
        self._wanted = 0  # looks asked for
        self._seen = 0  # looks that began after they were asked for
        self._looks = 0
        self._look = Look()
        self._stopping = False
        self._thread = threading.Thread(target=self._guard, name="guard", daemon=True)

    def start(self) -> None:
        """Put the guard on again where the journal says so; return once it has looked.

        A quit command that an earlier agent ran is not waited for any more, so not spared.
        """
        with suppress(JournalError):  # the guard tells
            if state := self._journal.cordon():
                self._journal.spare_only(state.record.service.names)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._looks or self._stopping, _FIRST_LOOK_SECONDS)

    def close(self) -> None:
        """End the guard's thread; the cordon stays as it is in the journal."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._watch.units.close(_UNIT_SECONDS)

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
            return self._sight(self._look_afresh())

    def _look_afresh(self) -> bool:
        """Have the guard look, and return whether it has. `_changed` is held."""
        self._wanted += 1
        wanted = self._wanted
        self._changed.notify_all()
        looked = self._thread.is_alive() and self._changed.wait_for(
            lambda: self._seen >= wanted or self._stopping, _ANSWER_SECONDS
        )
        return looked and self._seen >= wanted

    def _may_be_open(self) -> bool:
        with self._changed:
            return not self._look_afresh() or bool(self._look.open)

    def state(self) -> tuple[CordonMode, CordonState | None]:
        """Return how the app is kept closed at this moment, and the cordon last ordered."""
        state = self._journal.cordon()
        return (self._mode(state) if state else CordonMode.NONE), state

    def open_by_code(self, code: str, who: str = "") -> None:
        """End the cordon with the code a user types, "" = administrator. Raises `CodeRefused`."""
        self._opener.by_code(code, who)

    def open_by_administrator(self) -> bool:
        """End the cordon; who may write the journal is the administrator. False if none was on."""
        return self._opener.by_administrator()

    def spare(self, process: Process) -> None:
        """Leave this process alone as long as it is the program that the runner started."""
        state = self._journal.cordon()
        program = state.record.programs.name_of(process) if state else ""
        self._journal.spare(process, self._tools.platform.boot_id(), program)

    def let(self, users: Collection[str]) -> None:
        """Let these users have the app open while the step lasts, and nobody else."""
        self._watch.let = frozenset(users)

    def spare_none(self) -> None:
        """Spare nothing from now on."""
        self._journal.spare_none()

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Let the service manager come up inside; what is not spared by the end is closed.

        What was opened before is closed first: else a relaunch of a moment ago, which may be of
        the release that was just replaced, would pass for what the step starts.
        """
        self._close_strays()
        self._watch.expecting += 1
        try:
            with self._watch.units.barred():
                yield
        finally:
            self._watch.expecting -= 1

    def _close_strays(self) -> None:
        end = self._tools.platform.clock() + _STRAY_SECONDS
        while self._tools.platform.clock() < end:
            sight = self.look()
            if not (sight.guarded and sight.open):
                return

    @contextmanager
    def letting(self) -> Iterator[None]:
        """Have `let` hold inside only; what is open at the end is closed."""
        try:
            yield
        finally:
            self._watch.let = frozenset()

    def _put_on(self, order: CordonOrder) -> None:
        self._check_fence(order)
        if order.mode is CordonMode.NONE:
            raise Refused(Refusal.BAD_ORDER, "a cordon is leased or sealed: to end it, uncordon")
        for _ in range(3):  # the code or an administrator may come in between
            state = self._journal.cordon()
            record = new_record(self._tools, order, state)
            if state is not None and self._is_over(state, record):
                return
            if state is not None and self._owes_a_drain(state, record):
                record = owing(record)
            if state is None or state.opened or self._mode(state) is CordonMode.NONE:
                self._spare_afresh(state, record)
                self._journal.put_cordon(record)
                _log.info("cordon on", extra=about_cordon(record))
                return
            if self._journal.change_cordon(state.record, merged(state.record, record)):
                return
        raise Refused(Refusal.INTERNAL, "the cordon keeps changing at this host: ask again")

    def _owes_a_drain(self, state: CordonState, record: CordonRecord) -> bool:
        return may_owe_a_drain(state, record, self._mode(state)) and self._may_be_open()

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
        with self._block.aside():  # first the app can be started, then it may be
            self._journal.change_cordon(record, replace(record, mode=CordonMode.NONE))
        self._notices.hush()
        _log.info("cordon off", extra=about_cordon(record))

    def _mode(self, state: CordonState) -> CordonMode:
        return mode_now(state, self._tools.platform)

    def _sight(self, looked: bool) -> Sight:
        mode, state = self.state()
        if state is None:
            return Sight(CordonMode.NONE)
        on, opened = mode is not CordonMode.NONE, f"opened at this PC by {state.opened}"
        return Sight(
            mode=mode,
            guarded=looked and on and self._look.guarded,
            open=self._look.open,
            spared=self._look.spared,
            relaunches=state.relaunches,
            code_used=state.opened == "code",
            rollout=state.record.rollout,
            detail=opened if state.opened else self._block.trouble(),
        )

    def _refusal(self, no: Refused) -> Sight:
        return replace(self._sight(looked=False), refusal=no.refusal, detail=sentence(no))

    def _guard(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                wanted = self._wanted
            look = self._guard_once()
            with self._changed:
                self._look, self._seen, self._looks = look, wanted, self._looks + 1
                self._changed.notify_all()
                self._changed.wait_for(
                    lambda: self._stopping or self._wanted > self._seen,
                    LOOK_SECONDS if look.on else None,
                )

    def _guard_once(self) -> Look:
        try:
            mode, state = self.state()
            if state is None:
                self._block.keep(None)
                return Look()
            self._giving_back.see(state)
            return self._guard_by(state.record, on=mode is not CordonMode.NONE)
        except JournalError as error:
            _log.critical("the guard cannot read the journal", extra={"why": str(error)})
            return self._look.blind()

    def _guard_by(self, record: CordonRecord, *, on: bool) -> Look:
        if not on:
            self._notices.hush()
            self._block.keep(None)
            look = self._watch.look(record, guarded=False)
            return replace(look, on=bool(self._block.trouble()))
        look = self._watch.look(record, guarded=True)
        visited = look.spared  # what a step has started here may have to start its own
        self._block.keep(record.programs if record.block and not visited else None)
        return look
