"""Which releases keep their content on the coordinator, so that its disk does not fill up. Pure.

What is on offer stays, since agents may ask for it at any moment; so does whatever a rollout or
a staging may still need, also to go back. The rest stays for some time, and the last ones of
each app longer.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from coordinator.model import Keep

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """One version of an app, for whichever hosts."""

    app: str
    version: str


@dataclass(frozen=True, slots=True)
class Known:
    """A release that the coordinator has, or has had."""

    release: Release
    added: float  # seconds since 1970
    last_used: float  # when it was added, or was taken off offer


@dataclass(frozen=True, slots=True)
class Use:
    """What releases are needed for."""

    offered: frozenset[Release] = frozenset()  # or waiting for a signature
    staged: frozenset[Release] = frozenset()  # on their way to hosts
    walked: frozenset[Release] = frozenset()  # of rollouts not over, what they go back to too


def before(keep: Keep, now: float) -> float:
    """Return from when on everything stays."""
    return now - keep.days * DAY_SECONDS


def staying(known: Collection[Known], use: Use, keep: Keep, now: float) -> frozenset[Release]:
    """Return the releases whose content stays."""
    return use.offered | _needed(known, use, keep, now)


def superseded(known: Collection[Known], use: Use, keep: Keep, now: float) -> list[Release]:
    """Return the releases that stay for no other reason than that they are on offer."""
    have = {one.release for one in known}
    return sorted((use.offered & have) - _needed(known, use, keep, now))


def _needed(known: Collection[Known], use: Use, keep: Keep, now: float) -> frozenset[Release]:
    since = before(keep, now)
    young = {one.release for one in known if one.last_used >= since}
    return use.staged | use.walked | young | _last(known, keep.releases)


def _last(known: Iterable[Known], count: int) -> set[Release]:
    """Return the releases of each app that were added last."""
    apps: dict[str, list[Known]] = {}
    for one in sorted(known, key=lambda k: k.added):
        apps.setdefault(one.release.app, []).append(one)
    return {one.release for of_app in apps.values() for one in of_app[-count:]}
