"""What on this host somebody still needs of what was fetched and set aside. Pure.

Needed is what a step under way works with, what a rollout that is not over may still put in
place or take back, what the cordon is kept by, and the release that was fetched last of an app,
for some days, unless one that is not older was committed since. All else may go.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.records import CordonRecord, StepRecord
from agent.wire.contract import Direction, StepName, StepState
from agent.wire.versions import is_older

KEPT_DAYS = 14
"""How long a release that was fetched ahead waits for its rollout."""

_S = StepName
_CHANGES = frozenset((_S.BACK_UP_DATA, _S.APPLY_RELEASE))
_OF_A_ROLLOUT = _CHANGES | {
    _S.STAGE,
    _S.DRAIN,
    _S.STOP_SERVICE_MANAGER,
    _S.BACK_UP,
    _S.START_SERVICE_MANAGER,
    _S.CHECK_HEALTH,
}
"""Steps after which something is to be tidied; the others stand alone."""
_LAST = _S.SURVEY  # tidied when all else is
_ROLLOUT = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True)
class Release:
    """What a signed package holds."""

    app: str
    version: str
    content: str  # sha256 of it whole, as one file


@dataclass(frozen=True, slots=True)
class Needs:
    """What is needed: hashes of signed targets and of contents, ids of rollouts."""

    targets: frozenset[str]
    packages: frozenset[str]  # those of the targets whose unpacked release is
    contents: frozenset[str]
    knows_contents: bool  # False: a package is needed whose content is not known
    rollouts: frozenset[str]
    over: frozenset[str]  # rollouts of which nothing is

    def has_target(self, name: str) -> bool:
        """True when the signed target kept under this name is needed."""
        return name in self.targets

    def has_download(self, name: str) -> bool:
        """True when what is or was being fetched under this name is needed, or is not ours."""
        stem, _, ending = name.partition(".")
        if ending == "blob.part":
            return bool(self.contents) or not self.knows_contents
        return ending not in {"zip", "part"} or stem in self.contents or not self.knows_contents

    def has_ready(self, name: str) -> bool:
        """True when the release that lies ready under this name, or a part of it, is needed."""
        return name.removesuffix(".part").rpartition(".")[2] in self.packages

    def has_staging(self, name: str, before: str) -> bool:
        """True when a rollout's folder is needed, or is none; older than `before` none is."""
        if not _ROLLOUT.fullmatch(name) or name in self.rollouts:
            return True
        return name not in self.over and name >= before


def needs(
    steps: Sequence[StepRecord],
    cordon: CordonRecord | None,
    releases: Mapping[str, Release],
    now: float,
) -> Needs:
    """Return what is needed by now, seconds since 1970, of all that was ordered here.

    `releases` says what is in each package, by the hash of its target, as far as it is known.
    """
    over = _over(steps, releases)
    opened = {_owner(step) for step in steps if _name(step) in _OF_A_ROLLOUT} - over
    kept = [step for step in steps if _owner(step) in opened or _is_live(step)]
    fetched = list(_fetched(steps, releases, now))
    rollouts = {_owner(step) for step in kept} | ({cordon.rollout} if cordon else set())
    unfetched = [step for step in fetched if step.state is not StepState.DONE]
    wanted = _packages([*kept, *unfetched])
    packages = _packages([*kept, *fetched])
    profiles = {step.params.profile.sha256 for step in [*kept, *fetched]}
    return Needs(
        targets=frozenset(packages | profiles | ({cordon.profile.sha256} if cordon else set())),
        packages=frozenset(packages),
        contents=frozenset(releases[package].content for package in wanted & set(releases)),
        knows_contents=wanted <= set(releases),
        rollouts=frozenset(rollouts),
        over=frozenset(over - rollouts),
    )


def _over(steps: Sequence[StepRecord], releases: Mapping[str, Release]) -> set[str]:
    """Return the rollouts that were tidied here, or that changed nothing before another was."""
    tidied = {_owner(step) for step in steps if _is_end(step)}
    changed = {_owner(step) for step in steps if _name(step) in _CHANGES}
    apps = {_owner(s): releases[p].app for s in steps for p in _packages([s]) & set(releases)}
    last = {apps[rollout]: rollout for rollout in sorted(tidied & set(apps))}
    unchanged = set(apps) - changed
    return tidied | {rollout for rollout in unchanged if rollout < last.get(apps[rollout], "")}


def _fetched(
    steps: Sequence[StepRecord], releases: Mapping[str, Release], now: float
) -> Iterator[StepRecord]:
    """Yield the order by which each app's release was fetched last, while it is wanted."""
    last: dict[str, StepRecord] = {}
    for step in sorted(steps, key=lambda step: step.began):
        if _name(step) is _S.FETCH:
            sha256 = "".join(_packages([step]))
            release = releases.get(sha256)
            last[release.app if release else sha256] = step
    committed = list(_committed(steps, releases))
    for step in last.values():
        mine = next((releases[p] for p in _packages([step]) if p in releases), None)
        is_old = now - max(step.started, step.ended) > KEPT_DAYS * 86400
        since = [release for release, began in committed if began > step.began]
        if not is_old and not (mine and any(_outdoes(release, mine) for release in since)):
            yield step


def _committed(
    steps: Sequence[StepRecord], releases: Mapping[str, Release]
) -> Iterator[tuple[Release, int]]:
    """Yield each release that is in place for good, with the number of the run that said so."""
    applied: dict[str, tuple[int, bool]] = {}
    for step in steps:
        if _name(step) is _S.APPLY_RELEASE and step.report.direction is not Direction.TIDY:
            done = step.report.direction is Direction.DO and step.state is StepState.DONE
            applied[_owner(step)] = max(applied.get(_owner(step), (0, False)), (step.began, done))
    for step in steps:
        if _is_end(step) and applied.get(_owner(step), (0, False))[1]:
            for package in _packages([step]) & set(releases):
                yield releases[package], step.began


def _outdoes(release: Release, other: Release) -> bool:
    return release.app == other.app and not is_older(release.version, other.version)


def _is_end(step: StepRecord) -> bool:
    this = _name(step), step.report.direction, step.state
    return this == (_LAST, Direction.TIDY, StepState.DONE)


def _is_live(step: StepRecord) -> bool:
    """True when the step runs, or has left something that is to be mended first."""
    cut = step.state is StepState.INTERRUPTED and _name(step) is not _S.FETCH
    return step.unmended or cut or step.state is StepState.RUNNING


def _packages(steps: Iterable[StepRecord]) -> set[str]:
    return {step.params.package.sha256 for step in steps if step.params.package}


def _owner(step: StepRecord) -> str:
    return step.report.step_id.partition("/")[0]


def _name(step: StepRecord) -> StepName | None:
    name = step.report.step_id.rpartition("/")[2]
    return StepName(name) if name in set(StepName) else None
