"""What is done to a host before the fault, what is ordered when it strikes, and what after."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.diskfaults.office import OLDER, Place


@dataclass(frozen=True, slots=True)
class Order:
    """One step in one direction."""

    step: str
    direction: str = "do"


STAGE, BACK_UP, APPLY = Order("stage"), Order("back-up"), Order("apply-release")
UNSTAGE, UNAPPLY = Order("stage", "undo"), Order("apply-release", "undo")
TIDY_APPLY, TIDY_BACK_UP = Order("apply-release", "tidy"), Order("back-up", "tidy")
_ANY = frozenset({"old", "new"})
_OLD, _NEW = frozenset({"old"}), frozenset({"new"})


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the agent is killed before its recovery is tested: in which order, at which call."""

    order: Order
    name: str  # of the call
    holds: str  # what the call's arguments hold, `{app}` and so on filled in
    nth: int = 1  # of the calls that do
    after: str = ""  # only those after the first call that holds this


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the matrix. `order` None: the recovery at start is what is struck."""

    name: str
    before: tuple[Order, ...]
    order: Order
    then: tuple[Order, ...] = ()
    live: frozenset[str] = _OLD
    cut: Cut | None = None
    attempt: int = 1
    arrange: Callable[[Place], None] = lambda _place: None

    @property
    def is_recovery(self) -> bool:
        """True when the start of the agent is struck, after a cut."""
        return self.cut is not None

    @property
    def has_backup(self) -> bool:
        """True when a whole backup must be there throughout."""
        return BACK_UP in self.before


def _add_older_backups(place: Place) -> None:
    """Two backups of earlier rollouts, a day apart."""
    for number, rollout in enumerate(OLDER):
        older = place.backup.parent / rollout
        shutil.copytree(place.backup, older, symlinks=True)
        moment = 1_700_000_000 + number * 86400
        os.utime(older / "backup.json", (moment, moment))


_READY = (STAGE, BACK_UP)
_APPLIED = (*_READY, APPLY)


_NEW_IN_PLACE = Cut(APPLY, "fsync", "<{app.parent}>", after='"{incoming}", "{app}"')


def _recovery(name: str, before: tuple[Order, ...], cut: Cut, live: frozenset[str]) -> Scenario:
    return Scenario(f"recovery ({name})", before, cut.order, live=live, cut=cut)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("stage", (), STAGE, (BACK_UP, APPLY)),
    Scenario("back-up", (STAGE,), BACK_UP, (APPLY,)),
    Scenario("apply-release", _READY, APPLY, (UNAPPLY,), _ANY),
    Scenario("apply-release undo", _APPLIED, UNAPPLY, (APPLY,), _ANY),
    Scenario("apply-release anew", (*_APPLIED, UNAPPLY), APPLY, (UNAPPLY,), _ANY, attempt=2),
    Scenario("stage undo", _READY, UNSTAGE, (STAGE, APPLY)),
    Scenario("apply-release tidy", _APPLIED, TIDY_APPLY, (), _NEW),
    Scenario("back-up tidy", _APPLIED, TIDY_BACK_UP, (), _NEW, arrange=_add_older_backups),
    _recovery("apply, no app", _READY, Cut(APPLY, "rename", '"{incoming}", "{app}"'), _ANY),
    _recovery("apply, new in place", _READY, _NEW_IN_PLACE, _NEW),
    _recovery("apply, carrying over", _READY, Cut(APPLY, "chmod", "{incoming}", 4), _OLD),
    _recovery("undo, no app", _APPLIED, Cut(UNAPPLY, "rename", '"{outgoing}", "{app}"'), _ANY),
    _recovery("tidy, half deleted", _APPLIED, Cut(TIDY_APPLY, "unlink", "{outgoing}", 5), _NEW),
    _recovery("back-up, half copied", (STAGE,), Cut(BACK_UP, "fsync", "<{backup}", 6), _OLD),
    _recovery("stage, half unpacked", (), Cut(STAGE, "chmod", "{incoming}", 6), _OLD),
)
