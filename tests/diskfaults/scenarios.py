"""What is done to a host before the fault, what is ordered when it strikes, and what after."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.diskfaults.office import (
    ERRAND,
    NEWER_SHARE,
    OLDER,
    ROLLOUT,
    Place,
    Variant,
    write_share,
)


@dataclass(frozen=True, slots=True)
class Order:
    """One step in one direction."""

    step: str
    direction: str = "do"
    rollout: str = ROLLOUT


STAGE, BACK_UP, APPLY = Order("stage"), Order("back-up"), Order("apply-release")
UNSTAGE, UNAPPLY = Order("stage", "undo"), Order("apply-release", "undo")
TIDY_APPLY, TIDY_BACK_UP = Order("apply-release", "tidy"), Order("back-up", "tidy")
PROVE, RESTORE = Order("back-up", "undo"), Order("restore-backup", rollout=ERRAND)
DATA, UNDATA = Order("back-up-data"), Order("back-up-data", "undo")
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
    variant: Variant = Variant.FOLDER
    arrange: Callable[[Place], None] = lambda _place: None

    @property
    def is_recovery(self) -> bool:
        """True when the start of the agent is struck, after a cut."""
        return self.cut is not None

    @property
    def has_backup(self) -> bool:
        """True when a whole backup must be there throughout."""
        return BACK_UP in self.before

    @property
    def has_way_back(self) -> bool:
        """True when the old release must be kept as long as the new one is in place."""
        return TIDY_APPLY not in (*self.before, self.order)

    @property
    def roles(self) -> tuple[str, ...]:
        """Whose calls are struck: the receipt of an order is the same for every variant."""
        return ("main", "lane") if self.variant is Variant.FOLDER else ("lane",)


def _add_older_backups(place: Place) -> None:
    """Two backups of earlier rollouts, a day apart."""
    for number, rollout in enumerate(OLDER):
        older = place.backup.parent / rollout
        shutil.copytree(place.backup, older, symlinks=True)
        moment = 1_700_000_000 + number * 86400
        os.utime(older / "backup.json", (moment, moment))


def _write_newer_data(place: Place) -> None:
    """What the new release does to the data that the group shares."""
    write_share(place, NEWER_SHARE)
    (place.office / "data-is-newer").touch()


_READY = (STAGE, BACK_UP)
_APPLIED = (*_READY, APPLY)
_TIDIED = (*_APPLIED, TIDY_APPLY)
_STAY, _INSTALLER = Variant.STAY, Variant.INSTALLER
_SEALED, _SHARED = Variant.SEALED, Variant.SHARED
_NEW_IN_PLACE = Cut(APPLY, "fsync", "<{app.parent}>", after='"{incoming}", "{app}"')
_INSTALLED = Cut(APPLY, "openat", '"{app}/version.txt"', after='"{incoming}/payload')


def _recovery(
    name: str,
    before: tuple[Order, ...],
    cut: Cut,
    live: frozenset[str],
    variant: Variant = Variant.FOLDER,
) -> Scenario:
    arrange = _write_newer_data if DATA in before else lambda _place: None
    return Scenario(
        f"recovery ({name})",
        before,
        cut.order,
        live=live,
        cut=cut,
        variant=variant,
        arrange=arrange,
    )


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("stage", (), STAGE, (BACK_UP, APPLY)),
    Scenario("back-up", (STAGE,), BACK_UP, (APPLY,)),
    Scenario("back-up, encrypted", (STAGE,), BACK_UP, (APPLY, RESTORE), variant=_SEALED),
    Scenario("apply-release", _READY, APPLY, (UNAPPLY,), _ANY),
    Scenario("apply-release undo", _APPLIED, UNAPPLY, (APPLY,), _ANY),
    Scenario("apply-release anew", (*_APPLIED, UNAPPLY), APPLY, (UNAPPLY,), _ANY, attempt=2),
    Scenario("back-up undo", (*_APPLIED, UNAPPLY), PROVE),
    Scenario("stage undo", _READY, UNSTAGE, (STAGE, APPLY)),
    Scenario("apply-release tidy", _APPLIED, TIDY_APPLY, (), _NEW),
    Scenario("back-up tidy", _APPLIED, TIDY_BACK_UP, (), _NEW, arrange=_add_older_backups),
    Scenario("apply-release, some stays", _READY, APPLY, (UNAPPLY,), _ANY, variant=_STAY),
    Scenario("apply-release undo, some stays", _APPLIED, UNAPPLY, (), _ANY, variant=_STAY),
    Scenario("apply-release, installer", _READY, APPLY, (UNAPPLY,), _ANY, variant=_INSTALLER),
    Scenario("apply-release undo, installer", _APPLIED, UNAPPLY, (), _ANY, variant=_INSTALLER),
    Scenario("restore-backup", _TIDIED, RESTORE, (), _ANY, variant=_SEALED),
    Scenario("back-up-data", (), DATA, (UNDATA,), variant=_SHARED),
    Scenario("back-up-data undo", (DATA,), UNDATA, (), variant=_SHARED, arrange=_write_newer_data),
    _recovery("apply, no app", _READY, Cut(APPLY, "rename", '"{incoming}", "{app}"'), _ANY),
    _recovery("apply, new in place", _READY, _NEW_IN_PLACE, _NEW),
    _recovery("apply, carrying over", _READY, Cut(APPLY, "chmod", "{incoming}", 4), _OLD),
    _recovery("undo, no app", _APPLIED, Cut(UNAPPLY, "rename", '"{outgoing}", "{app}"'), _ANY),
    _recovery("tidy, half deleted", _APPLIED, Cut(TIDY_APPLY, "unlink", "{outgoing}", 5), _NEW),
    _recovery("back-up, half copied", (STAGE,), Cut(BACK_UP, "fsync", "<{backup}", 6), _OLD),
    _recovery("stage, half unpacked", (), Cut(STAGE, "chmod", "{incoming}", 6), _OLD),
    _recovery("stay, half out", _READY, Cut(APPLY, "rename", '"{outgoing}.part/', 3), _OLD, _STAY),
    _recovery("stay, half in", _READY, Cut(APPLY, "rename", ', "{app}/', 3), _OLD, _STAY),
    _recovery("stay, half back", _APPLIED, Cut(UNAPPLY, "rename", ', "{app}/', 3), _OLD, _STAY),
    _recovery("installer, has run", _READY, _INSTALLED, _OLD, _INSTALLER),
    _recovery(
        "installer undo, no app", _APPLIED, Cut(UNAPPLY, "rename", ', "{app}"'), _OLD, _INSTALLER
    ),
    _recovery("restore, no app", _TIDIED, Cut(RESTORE, "rename", ', "{app}"'), _ANY, _SEALED),
    _recovery("data undo, no data", (DATA,), Cut(UNDATA, "rename", ', "{share}"'), _OLD, _SHARED),
)
