"""The people at this host while no program is in their desktops: told in the log, and silent."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from agent.platforms.base import Process
from agent.steps.table import Answer, Seat
from agent.wire.notices import Notice, Outlook

_log = logging.getLogger(__name__)


class LoggedPeople:
    """`People` without a desktop: a notice is written once, not at each renewal."""

    def __init__(self) -> None:
        self._shown: Notice | None = None

    def seats(self) -> Sequence[Seat]:
        """Return nobody."""
        return ()

    def show(self, notice: Notice, sessions: Collection[str] = ()) -> None:  # noqa: ARG002
        """Note that people were to be told."""
        same = replace(notice, seconds_left=0.0, outlook=Outlook())
        if same != self._shown:
            self._shown = same
            about = {"kind": notice.kind.value, "app": notice.title, "text": notice.message}
            _log.info("notice", extra=about | {"seconds_left": round(notice.seconds_left)})

    def hush(self, sessions: Collection[str] = ()) -> None:
        """Note that the notice was taken away, once it is from everybody."""
        if self._shown and not sessions:
            self._shown = None
            _log.info("notice taken away")

    def close_windows(self, processes: Iterable[Process]) -> None:
        """Close nothing: there is no window."""

    def answers(self) -> list[Answer]:
        """Return nothing."""
        return []

    def offer(self, session: str, user: str, opens: Callable[[], None]) -> None:
        """Nobody can say that they want it."""
