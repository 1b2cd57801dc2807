"""Which notices stand, for whom and until when.

A desktop program that starts later has them as well.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from agent.wire.notices import Notice, NoticeKind

AGAIN_SECONDS = 1.0
"""What says nothing new but the time that is left is not sent more often."""
_LASTS = {NoticeKind.AVAILABLE: 3600.0}
_LASTS_OTHERWISE = 7 * 86400.0
_EVERYWHERE = ""


@dataclass(frozen=True, slots=True)
class _Standing:
    notice: Notice
    at: float

    def left(self, now: float) -> Notice | None:
        """Return it as it reads now, None once it is over."""
        notice, gone = self.notice, now - self.at
        if gone > (notice.seconds_left or _LASTS.get(notice.kind, _LASTS_OTHERWISE)):
            return None
        outlook = replace(notice.outlook, back_in=max(0.0, notice.outlook.back_in - gone))
        return replace(notice, seconds_left=max(0.0, notice.seconds_left - gone), outlook=outlook)


class Notices:
    """The notices that stand, one of a kind for each session. `now` never goes back."""

    def __init__(self) -> None:
        self._standing: dict[str, dict[NoticeKind, _Standing]] = {}
        self._hushed: dict[str, float] = {}  # when, in sessions of which others were not

    def put(self, notice: Notice, sessions: Collection[str], now: float) -> bool:
        """Have it stand in these sessions, () = in all; False when it is no news."""
        is_news = False
        for session in sessions or (_EVERYWHERE,):
            of_session = self._standing.setdefault(session, {})
            old = of_session.get(notice.kind)
            if old is None or now - old.at >= AGAIN_SECONDS or _bare(old.notice) != _bare(notice):
                of_session[notice.kind] = _Standing(notice, now)
                is_news = True
        return is_news

    def of(self, session: str, now: float) -> list[Notice]:
        """Return what stands in a session, the latest of each kind."""
        latest: dict[NoticeKind, _Standing] = {}
        hushed = self._hushed.get(session, -math.inf)
        everywhere = self._standing.get(_EVERYWHERE, {}).items()
        theirs = self._standing.get(session, {}).items()
        for kind, standing in (*(pair for pair in everywhere if pair[1].at > hushed), *theirs):
            if kind not in latest or latest[kind].at <= standing.at:
                latest[kind] = standing
        return [left for standing in latest.values() if (left := standing.left(now))]

    def keep(self, sessions: Collection[str], now: float) -> None:
        """Forget what stood in sessions that have ended (these are the others), or is over."""
        living = {_EVERYWHERE, *sessions}
        self._hushed = {name: at for name, at in self._hushed.items() if name in living}
        self._standing = {
            name: {kind: standing for kind, standing in kinds.items() if standing.left(now)}
            for name, kinds in self._standing.items()
            if name in living
        }

    def take_away(self, sessions: Collection[str], now: float) -> None:
        """Have none stand in these sessions any more, () = in all."""
        if not sessions:
            self._standing, self._hushed = {}, {}
        for session in sessions:
            self._standing.pop(session, None)
            self._hushed[session] = now


def _bare(notice: Notice) -> Notice:
    return replace(notice, seconds_left=0.0, outlook=replace(notice.outlook, back_in=0.0))
