"""Restores one host's app from its backup: closed first, and opened again when that is safe.

The host is closed as a rollout closes it: a leased cordon, the drain, the service manager
stopped. It is opened again afterwards unless that would let people into a group of mixed
versions (invariant I4): a host that an earlier rollout has sealed stays sealed, and one that
leaves its group's version is sealed, under the rollout that made the backup.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from agent.wire.contract import (
    CordonMode,
    Direction,
    Refusal,
    StepName,
    StepParams,
    StepReport,
    StepState,
    Target,
)
from coordinator.fleet.asker import Answer, Asked, Asker
from coordinator.fleet.keeper import Keeper
from coordinator.walk.ports import Verdict

_SECONDS = 4 * 3600.0
_SILENCE = 120.0
_NOTICE = "This PC's application is restored from a backup: save your work and close it"


class Then(Enum):
    """What becomes of the host's cordon."""

    RE_OPEN = auto()
    SEAL = auto()  # under the rollout that made the backup
    AS_IT_IS = auto()  # it is sealed already


@dataclass(frozen=True, slots=True)
class Restore:
    """What is restored where, and what then."""

    host: str
    profile: Target
    backup: str  # the rollout that made it
    grace_seconds: float
    asked_by: str
    then: Then = Then.RE_OPEN


@dataclass(frozen=True, slots=True)
class Closing:
    """What a cordon of a restore says (`coordinator.fleet.keeper.Closing`)."""

    profile: Target
    notice: str = _NOTICE
    close_between_visits: bool = True


Followed = Callable[[StepName, StepReport], None]


class Restorer:
    """Does restores over an asker and a keeper."""

    def __init__(self, asker: Asker, keeper: Keeper) -> None:
        self._asker = asker
        self._keeper = keeper

    def restore(self, errand: str, wish: Restore, followed: Followed) -> tuple[Answer, bool]:
        """Return how it ended, and whether the host stays closed."""
        self._close(errand, wish)
        for step in (StepName.DRAIN, StepName.STOP_SERVICE_MANAGER):
            closed = self._take(errand, wish, step, followed)
            if not _is_closed(closed):
                return closed, self._re_open(errand, wish, closed)
        if wish.then is Then.SEAL:
            self._keeper.confirm([wish.host], wish.backup, CordonMode.SEALED)
        answer = self._take(errand, wish, StepName.RESTORE_BACKUP, followed)
        return answer, self._re_open(errand, wish, answer)

    def _close(self, errand: str, wish: Restore) -> None:
        if wish.then is Then.AS_IT_IS:
            return
        if wish.then is Then.RE_OPEN:
            self._keeper.close_for(errand, Closing(wish.profile))
        self._keeper.confirm([wish.host], self._closed_for(errand, wish), CordonMode.LEASED)

    def _closed_for(self, errand: str, wish: Restore) -> str:
        return wish.backup if wish.then is Then.SEAL else errand

    def _re_open(self, errand: str, wish: Restore, answer: Answer) -> bool:
        """Open the host again if that is safe; True when it stays closed.

        Of a host that is silent nobody knows what it did. One that was to be sealed and has
        refused is what it was before.
        """
        if answer.verdict is Verdict.UNKNOWN or wish.then is Then.AS_IT_IS:
            return True
        if wish.then is Then.SEAL and answer.verdict is not Verdict.REFUSED:
            return True
        back = self._take(
            errand, wish, StepName.STOP_SERVICE_MANAGER, lambda _s, _r: None, Direction.TIDY
        )
        self._keeper.uncordon_for(self._closed_for(errand, wish), [wish.host])
        self._take(errand, wish, StepName.DRAIN, lambda _s, _r: None, Direction.TIDY)
        return back.verdict is not Verdict.DONE and not _is_absent(back)

    def _take(
        self,
        errand: str,
        wish: Restore,
        step: StepName,
        followed: Followed,
        direction: Direction = Direction.DO,
    ) -> Answer:
        draining = step is StepName.DRAIN
        params = StepParams(
            wish.profile,
            grace_seconds=wish.grace_seconds,
            notice=_NOTICE,
            asked_by=wish.asked_by,
            backup=wish.backup,
        )
        seconds = _SECONDS + (wish.grace_seconds if draining else 0.0)
        followed(step, StepReport("", direction, StepState.UNHEARD))
        asked = Asked(errand, wish.host, step, params, seconds, _SILENCE, direction)
        return self._asker.ask(asked, lambda report: followed(step, report))


def _is_closed(answer: Answer) -> bool:
    return answer.verdict is Verdict.DONE or _is_absent(answer)


def _is_absent(answer: Answer) -> bool:
    """True when there is no app to close: that is what a restore may mend."""
    return answer.verdict is Verdict.REFUSED and answer.report.refusal is Refusal.APP_ABSENT
