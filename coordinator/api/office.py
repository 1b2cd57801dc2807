"""Everything that commands and queries work with, and what they need of the moving parts."""

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.wire.contract import Target
from coordinator.fleet.enrolment import Enrolment
from coordinator.fleet.enrolment_book import EnrolRequest
from coordinator.fleet.errands import Errands
from coordinator.fleet.standing import Standing
from coordinator.fleet.turn import Turn
from coordinator.model import Keep, Plan, SurveyOf
from coordinator.notify.postman import Postman
from coordinator.releases.downloads import Downloads
from coordinator.releases.licences import Licences
from coordinator.releases.packages import PackageStore
from coordinator.releases.repository import Repository
from coordinator.store.fleet import Catalogue, Fleet, People
from coordinator.store.rollouts import Rollouts
from coordinator.store.stagings import Stagings
from coordinator.walk.back import Return
from coordinator.walk.ports import Command


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class RolloutEngine(Protocol):
    """What runs the walks."""

    def submit(self, plan: Plan, by: str) -> int:
        """Start a rollout and return its number. Raises `HostsBusy`."""

    def say(self, rollout: str, command: Command) -> object:
        """Hand an operator's word to a walk."""

    def take_back(self, order: Return) -> None:
        """Start the roll-back of a rollout that was left closed. Raises `HostsBusy`."""


class Links(Protocol):
    """The agents that are linked."""

    def standings(self) -> Mapping[str, Standing]:
        """Return what is known of every host that was heard of, by id."""

    def standing(self, host_id: str) -> Standing:
        """Return what is known of one host."""

    def drop(self, host_id: str, why: str = ...) -> None:
        """End a host's link at once."""


class Surveyor(Protocol):
    """Asks hosts how they are, changing nothing."""

    def survey(self, host_ids: Collection[str], profile: Target) -> Mapping[str, SurveyOf]:
        """Return what each host said, by id, for the app of one profile."""


@dataclass(frozen=True, slots=True)
class Office:
    """The collaborators of every command and query."""

    fleet: Fleet
    rollouts: Rollouts
    people: People
    catalogue: Catalogue
    engine: RolloutEngine
    hub: Links
    surveyor: Surveyor
    errands: Errands
    stagings: Stagings
    turn: Turn
    repository: Repository
    packages: PackageStore
    licences: Licences
    enrolment: Enrolment
    codes: Callable[[str, str], str]  # rollout id, host id -> the one-time code, "" = none
    uploads: Path  # where what is being sent is kept until it is whole
    waiting: Callable[[], Sequence[EnrolRequest]] = tuple  # hosts that wait for approval
    sealed: Callable[[], Collection[str]] = tuple  # hosts kept closed, by whichever rollout
    orphans: Callable[[], Collection[str]] = tuple  # hosts closed for a rollout not known here
    led_elsewhere: Callable[[], Collection[str]] = tuple  # hosts that follow another coordinator
    postman: Postman | None = None  # None = nobody is written to
    feeds: Mapping[str, str] = field(default_factory=dict)  # by app, where its vendor tells
    downloads: Downloads = field(default_factory=Downloads)
    keep: Keep = field(default_factory=Keep)
    free_bytes: Callable[[Path], int] = _free_bytes  # of the disk that a folder is on
    site: str = "main"
    version: str = ""
    clock: Callable[[], float] = time.time
    started: float = field(default_factory=time.time)

    def left_closed(self) -> Collection[str]:
        """Return the hosts that a rollout keeps closed, whether or not it is known here (I4)."""
        return {*self.sealed(), *self.orphans()}
