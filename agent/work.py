"""What a handler works with while one step runs, and what the runner sees of it meanwhile."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.config import Config, find_installation, find_place
from agent.folders import folders_for
from agent.journal import Journal
from agent.no_profile import NOBODYS
from agent.platforms.base import Platform
from agent.records import MOST_FINDINGS, sentence
from agent.steps.table import Cancelled, Folders, Guard, Installation, Memo, Packages, People
from agent.wire.contract import Finding, StepName, StepParams, Target
from agent.wire.profile import Profile

_TELL_SECONDS = 0.25
_MOST_FACTS = 64
APP_FOLDER = "app-folder"
"""Under this a rollout's memo holds where the app is."""
_OF_BACKUPS = {
    StepName.LIST_BACKUPS,
    StepName.VERIFY_BACKUP,
    StepName.REHEARSE_RESTORE,
    StepName.RESTORE_BACKUP,
}
"""Steps that work on a host where the app is no more."""


def _unheard() -> None:
    return


def nothing_found() -> AbstractContextManager[tuple[Finding, ...]]:
    """Return a context in which nothing is otherwise, and of which nothing is to be told."""
    return nullcontext(())


@dataclass(frozen=True, slots=True)
class Tools:
    """What every step is given: the host, and the signed targets.

    Inside `expecting` the service manager may come up, inside `letting` the app itself be open,
    and inside `startable` no file is blocked: it yields what was in the way of blocking before.
    """

    platform: Platform
    config: Config
    packages: Packages
    guard: Guard
    people: People
    kept_profile: Callable[[Target], Profile | None] = lambda _target: None
    expecting: Callable[[], AbstractContextManager[None]] = nullcontext
    letting: Callable[[], AbstractContextManager[None]] = nullcontext  # whom a step lets
    startable: Callable[[], AbstractContextManager[tuple[Finding, ...]]] = nothing_found
    tidied: Callable[[], None] = _unheard  # called when a rollout is over on this host

    def profile(self, target: Target, *, afresh: bool) -> Profile:
        """Return the verified profile. Raises `Refused` NOT_SIGNED.

        A profile that was verified here before is enough to take a step back, to recover or to
        keep an app closed: neither may depend on a coordinator or on a date.
        """
        kept = None if afresh else self.kept_profile(target)
        return kept if kept is not None else self.packages.profile(target)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One step to be worked on."""

    step_id: str
    params: StepParams
    ticket: str
    profile: Profile


@dataclass(slots=True)
class Progress:
    """What a running step has told so far; `changed` is called after each change."""

    changed: Callable[[], None]
    deadline: float
    cancellable: bool
    asked_to_end: threading.Event = field(default_factory=threading.Event)
    out_of_time: bool = False
    bytes_done: int = 0
    bytes_total: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


_OWED = "~owed"
"""Sorts after every rollout, so that forgetting the older ones never takes it."""


class StepWork:
    """The runner's implementation of `agent.steps.table.Work`."""

    def __init__(self, assignment: Assignment, tools: Tools, journal: Journal) -> None:
        """Find what the step needs. Raises `Refused` (app absent, folder rights)."""
        self.step_id = assignment.step_id
        self.params = assignment.params
        self.ticket = assignment.ticket
        self.profile: Profile = assignment.profile
        self.platform = tools.platform
        self.packages = tools.packages
        self.guard = tools.guard
        self.people = tools.people
        self.memo: Memo = journal.memo(self.step_id)
        self.owed: Memo = journal.memo(f"{_OWED}/{assignment.profile.name}")
        self._journal = journal
        self.installation = self._installation(tools.config)
        self.folders: Folders = folders_for(
            tools.config.state,
            self.step_id.partition("/")[0],
            self.installation.folder,
            tools.platform,
        )
        self._progress = Progress(lambda: None, float("inf"), cancellable=False)
        self._told = 0.0

    def _installation(self, config: Config) -> Installation:
        """Return where the app is: found once a rollout, since a swap may have it away."""
        if self.profile is NOBODYS:
            return Installation(config.state, {})
        memo = self._journal.memo(self.step_id.rpartition("/")[0])
        known = memo.get(APP_FOLDER)
        if known is not None:
            place = config.apps.get(self.profile.name)
            return Installation(Path(known), *((place.values, place.data) if place else ({}, ())))
        bears_absence = self.step_id.rpartition("/")[2] in _OF_BACKUPS
        find = find_place if bears_absence else find_installation
        found = find(config, self.profile)
        memo.put(APP_FOLDER, str(found.folder))
        return found

    def report_to(self, progress: Progress) -> None:
        """Tell `progress` from now on what the step tells, and obey it."""
        self._progress = progress

    def progress(self, done: int, total: int) -> None:
        """Tell how many bytes of how many are done; raises `Cancelled` when asked to end."""
        told = self._progress
        told.bytes_done, told.bytes_total = done, total
        now = self.platform.clock()
        if done >= total or now - self._told >= _TELL_SECONDS:
            self._told = now
            told.changed()
        if told.cancellable:
            self._end_when_asked()
            self._end_when_late()

    def pause(self, seconds: float) -> None:
        """Let time pass; raises `Cancelled` when asked to end or when time is up."""
        end = self.platform.clock() + seconds
        while True:
            if self._progress.cancellable:
                self._end_when_asked()
            self._end_when_late()
            left = min(end, self._progress.deadline) - self.platform.clock()
            if left <= 0 and self.platform.clock() >= end:
                return
            self._progress.asked_to_end.wait(max(0.0, min(left, 1.0)))

    def seconds_left(self) -> float:
        """Return how long the step may still take; without end where nobody set one."""
        return max(0.0, self._progress.deadline - self.platform.clock())

    def _end_when_asked(self) -> None:
        if self._progress.asked_to_end.is_set():
            raise Cancelled("ended because it was asked to")

    def _end_when_late(self) -> None:
        if self.platform.clock() >= self._progress.deadline:
            self._progress.out_of_time = True
            raise Cancelled("its time was up")

    def fact(self, key: str, value: str) -> None:
        """Add a fact to the report; what is too long for the contract is cut."""
        if len(self._progress.facts) < _MOST_FACTS:
            self._progress.facts[sentence(key, 40)] = sentence(value, 400)
            self._progress.changed()

    def find(self, finding: Finding) -> None:
        """Add a finding to the report, on one line: a user may have named what was found."""
        if len(self._progress.findings) < MOST_FINDINGS:
            message, fix = sentence(finding.message), sentence(finding.fix)
            self._progress.findings.append(replace(finding, message=message, fix=fix))
            self._progress.changed()

    def memo_of(self, step: StepName) -> Memo:
        """Return the memo of another step of the same rollout on this host."""
        return self._journal.memo(f"{self.step_id.rpartition('/')[0]}/{step}")
