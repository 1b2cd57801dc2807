"""How long people have until their app is closed, each session by itself.

"5 more minutes" is counted in the step's memo and its end is kept there, so that what a person
was promised holds when the agent starts anew. Nothing goes beyond the step's own end, less what
closing the app then takes.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from agent.steps.closing import CLOSING_SECONDS
from agent.steps.table import Answer, Work
from agent.wire.notices import Word

MORE_SECONDS = 300.0
_KEY = "postponed"
_LEAST_GAIN = 30.0


@dataclass(slots=True)
class _Promise:
    """What one session was promised."""

    user: str
    session: str
    count: int = 0
    until: float = 0.0  # on the platform's clock, good in one boot only
    boot: str = ""


class Grace:
    """The time that people have left."""

    def __init__(self, work: Work) -> None:
        now = work.platform.clock()
        self._work = work
        self._boot = work.platform.boot_id()
        grace, whole = work.params.grace_seconds, work.seconds_left()
        self._latest = now + whole - min(CLOSING_SECONDS, max(0.0, whole - grace))
        self._end = min(now + grace, self._latest)
        self._done: set[str] = set()
        kept = [_Promise(**entry) for entry in json.loads(work.memo.get(_KEY) or "[]")]
        self._promised = {promise.session: promise for promise in kept}

    def hear(self, answers: Iterable[Answer], sessions: Collection[str]) -> None:
        """Take what people have answered, in those sessions that have the app open."""
        for answer in answers:
            if answer.session not in sessions:
                continue
            if answer.word is Word.DONE:
                self._done.add(answer.session)
            elif answer.word is Word.LATER and self.postpones_left(answer.session):
                self._postpone(answer)

    def is_done(self, sessions: Iterable[str]) -> bool:
        """True when somebody there has said that the app may be closed now."""
        return not self._done.isdisjoint(sessions)

    def left(self, sessions: Iterable[str] = ()) -> float:
        """Return how many seconds are left, of the sessions' longest; none = of everybody's."""
        ends = [self._end, *(self._until(session) for session in sessions)]
        return max(0.0, max(ends) - self._work.platform.clock())

    def is_extended(self, sessions: Iterable[str]) -> bool:
        """True when somebody there was promised more time than the others have."""
        return any(self._until(session) > self._end for session in sessions)

    def promised(self) -> dict[str, tuple[int, float]]:
        """Return for how many seconds more, and how many are left, where more was asked for."""
        now = self._work.platform.clock()
        return {
            session: (round(promise.count * MORE_SECONDS), self._until(session) - now)
            for session, promise in self._promised.items()
            if self._until(session) > max(self._end, now)
        }

    def postpones_left(self, session: str) -> int:
        """Return how often "5 more minutes" may still be said there."""
        promise = self._promised.get(session)
        if self._latest - self._until(session) < _LEAST_GAIN:
            return 0
        return max(0, self._work.params.postpones - (promise.count if promise else 0))

    def _until(self, session: str) -> float:
        promise = self._promised.get(session)
        kept = promise.until if promise and promise.boot == self._boot else 0.0
        return max(self._end, min(kept, self._latest))

    def _postpone(self, answer: Answer) -> None:
        until = min(self._until(answer.session) + MORE_SECONDS, self._latest)
        promise = self._promised.setdefault(answer.session, _Promise(answer.user, answer.session))
        promise.count, promise.until, promise.boot = promise.count + 1, until, self._boot
        entries = [
            {
                "user": p.user,
                "session": p.session,
                "count": p.count,
                "until": p.until,
                "boot": p.boot,
            }
            for p in self._promised.values()
        ]
        self._work.memo.put(_KEY, json.dumps(entries))
