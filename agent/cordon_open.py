"""Ends the cordon on the spot: with the one-time code, or by the PC's administrator."""

import logging

from agent.cordon_block import Block
from agent.cordon_code import NOTHING_CLOSED, CodeRefused, check_code
from agent.cordon_notice import Notices
from agent.cordon_record import about_cordon, is_the_same, mode_now
from agent.journal import Journal
from agent.platforms.base import Platform
from agent.records import CordonRecord, CordonState
from agent.wire.contract import CordonMode

_log = logging.getLogger(__name__)


class Opener:
    """Opens one host; from the agent, or from the command line beside it."""

    def __init__(
        self, journal: Journal, platform: Platform, block: Block, notices: Notices
    ) -> None:
        self._journal = journal
        self._platform = platform
        self._block = block
        self._notices = notices

    def by_code(self, code: str, who: str) -> None:
        """End the cordon with the code that a user types, "" = the administrator.

        Raises `CodeRefused`.
        """
        state = self._closed()
        if state is None:
            raise CodeRefused(NOTHING_CLOSED)
        check_code(self._journal, state.record, code, who)
        while not self._open(state.record, "code"):  # renewed meanwhile: still the same cordon?
            known = self._closed()
            if known is None:
                return
            if not is_the_same(known.record, state.record):
                check_code(self._journal, known.record, code, who)
            state = known

    def by_administrator(self) -> bool:
        """End the cordon; who may write the journal is the administrator. False if none was on."""
        opened = False
        while not opened and (state := self._closed()) is not None:
            opened = self._open(state.record, "administrator")
        return opened

    def _closed(self) -> CordonState | None:
        """Return the cordon that is on."""
        state = self._journal.cordon()
        if state is None or mode_now(state, self._platform) is CordonMode.NONE:
            return None
        return state

    def _open(self, record: CordonRecord, by: str) -> bool:
        with self._block.aside():
            opened = self._journal.open_cordon(record, by)
        if opened:
            self._notices.hush()
            _log.warning("cordon opened at this host", extra=about_cordon(record) | {"by": by})
        return opened
