"""Deletes what was fetched and is needed no more: at the agent's start and after each rollout.

What that is is judged by `agent.needs` from the journal. Files are unlinked and folders renamed
aside while no step can begin; what is aside is deleted after that, and by the next look when
this one is cut short. What stands beside the app is only touched where it is the agent's own.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from agent.config import Config
from agent.folders import BESIDE, is_own
from agent.journal import Journal, JournalError
from agent.needs import Needs, Release, needs
from agent.packages import KeptTargets
from agent.platforms.base import FileControl, Spot
from agent.records import StepRecord
from agent.work import APP_FOLDER

_log = logging.getLogger(__name__)
_ASIDE = "~going."  # no name of an app or of a rollout begins so
_NEW_SECONDS = 86400.0  # a target that was verified for an order yet to come
Steady = Callable[[int, Callable[[], None]], bool]
"""Does something while no step can begin; False when the run of that number has begun."""


class Housekeeper:
    """Keeps one agent's folders."""

    def __init__(self, config: Config, journal: Journal, files: FileControl) -> None:
        self._state = config.state
        self._apps = {place.folder for place in config.apps.values() if place.folder}
        self._journal = journal
        self._files = files
        self._targets = KeptTargets.of(config.state)

    def look(self, steady: Steady, now: float, forgotten: str) -> None:
        """Delete what is not needed at `now`, seconds since 1970; a fault is told in the log.

        Of rollouts older than `forgotten` the journal knows nothing any more.
        """
        try:
            number = self._journal.next_run()
            found = self._needs(now)
            if not steady(number, lambda: self._set_aside(found, now, forgotten)):
                _log.info("not tidied", extra={"why": "a step has begun meanwhile"})
            for staging in self._stagings():
                self._empty(Spot(staging))
                self._empty(Spot(staging / "ready"))
        except (OSError, JournalError) as error:
            _log.warning("not tidied", extra={"why": str(error)})

    # -- what is needed --------------------------------------------------------------------

    def _needs(self, now: float) -> Needs:
        steps, cordon = self._journal.steps(), self._journal.cordon()
        return needs(steps, cordon.record if cordon else None, self._releases(steps), now)

    def _releases(self, steps: Sequence[StepRecord]) -> dict[str, Release]:
        packages = {step.params.package for step in steps if step.params.package}
        found = {}
        for target in packages:
            with suppress(ValueError, KeyError, TypeError):
                kept = json.loads(self._targets.read(target) or b"{}")
                release = Release(kept["app"], kept["version"], kept["content_sha256"])
                found[target.sha256] = release
        return found

    def _app_folders(self) -> set[Path]:
        return self._apps | set(map(Path, self._journal.kept_under(APP_FOLDER)))

    def _stagings(self) -> Iterator[Path]:
        """Yield where releases are unpacked: on the agent's disk, and beside apps elsewhere."""
        yield self._state / "staging"
        owner = self._state.stat().st_uid
        for beside in sorted({app.parent / BESIDE for app in self._app_folders()}):
            if is_own(beside, self._files, owner):
                yield beside / "staging"

    # -- what goes -------------------------------------------------------------------------

    def _set_aside(self, found: Needs, now: float, forgotten: str) -> None:
        downloads = Spot(self._state / "downloads")
        for name in self._files.names(downloads):
            if not found.has_download(name):
                self._files.remove(downloads.below(name))
                _told("download", name)
        for staging in self._stagings():
            self._put_aside(Spot(staging / "ready"), found.has_ready)
            self._put_aside(
                Spot(staging),
                lambda name: found.has_staging(name, forgotten) or self._is_way_back(name),
            )
        for name in self._targets.names(now - _NEW_SECONDS):  # last: the rest is judged by them
            if not found.has_target(name):
                self._targets.drop(name)
                _told("signed target", name)

    def _put_aside(self, folder: Spot, is_needed: Callable[[str], bool]) -> None:
        for name in self._files.names(folder):
            if not name.startswith(_ASIDE) and not is_needed(name):
                self._files.rename(folder.below(name), folder.below(f"{_ASIDE}{name}"))
                _told("release", name)

    def _is_way_back(self, rollout: str) -> bool:
        """True while an app's old release, or a part of it, lies beside it for this rollout."""
        kept = f"_old.{rollout}"
        return any(
            name.removesuffix(".part").endswith(kept)
            for app in self._app_folders()
            for name in self._files.names(Spot(app.parent))
        )

    def _empty(self, folder: Spot) -> None:
        for name in self._files.names(folder):
            if name.startswith(_ASIDE):
                self._files.remove(folder.below(name))


def _told(what: str, name: str) -> None:
    _log.info("deleted, needed no more", extra={"what": what, "name_of_it": name})
