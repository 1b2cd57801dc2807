"""Which parts of an app's folder are not the release's own: what stays, what is carried over.

What stays is left where it is when a release is put in place: it belongs to another component,
is shared by the group, or is too large to be moved (rows O7, O8). What is kept is copied into
the new release. Data of this host that a new release wrote before it was taken back is kept
aside, in the app's folder, under a name made from the rollout.
"""

import glob
import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath, PureWindowsPath

from agent.platforms.base import Item
from agent.steps.tree import matching
from agent.wire.profile import DataScope, Profile

_LETTER = "[0-9A-HJKMNP-TV-Z]"
_ASIDE = re.compile(rf"(.+)\.{_LETTER}{{26}}(-\d+)?")


def stays(profile: Profile) -> tuple[str, ...]:
    """Return the names right in the app's folder that no update moves, copies or backs up."""
    shared = profile.data.scope is DataScope.SHARED
    data = tuple(filter(_is_a_name, profile.data.folders)) if shared else ()
    return tuple(dict.fromkeys(profile.apply.stay + data))


def keeps(profile: Profile) -> tuple[str, ...]:
    """Return the patterns of what is carried over into a new release."""
    aside = tuple(f"{glob.escape(name)}.{_LETTER * 26}*" for name in host_data(profile))
    return tuple(dict.fromkeys(profile.apply.keep + host_data(profile) + aside))


def host_data(profile: Profile) -> tuple[str, ...]:
    """Return the names right in the app's folder that are data of this host alone."""
    return profile.data.folders if profile.data.scope is DataScope.HOST else ()


def moving(profile: Profile, items: Iterable[Item]) -> list[Item]:
    """Return those of an app folder's items that an update moves: all but what stays."""
    staying = set(stays(profile))
    return [item for item in items if item.path.partition("/")[0] not in staying]


def backed_up(profile: Profile, items: Iterable[Item]) -> list[Item]:
    """Return what is backed up: of what stays only that which `backup.include` names."""
    found, staying, include = list(items), set(stays(profile)), profile.backup.include
    named = [pattern for pattern in include if pattern.partition("/")[0] in staying]
    chosen = matching(moving(profile, found), include) if include else moving(profile, found)
    if not named:
        return chosen
    wanted = {item.path for item in chosen + matching(found, named)}
    return [item for item in found if item.path in wanted]


def is_kept_aside(profile: Profile, path: str) -> bool:
    """True for data, or what lies in it, that a roll-back kept beside the older of that name."""
    aside = _ASIDE.fullmatch(path.partition("/")[0])
    return aside is not None and aside[1] in host_data(profile)


def _is_a_name(folder: str) -> bool:
    return not (PurePosixPath(folder).is_absolute() or PureWindowsPath(folder).is_absolute())


def of_before(profile: Profile) -> Callable[[list[Item]], list[Item]]:
    """Return what picks, of all there is after a way back, what the backup is to hold."""

    def choose(items: list[Item]) -> list[Item]:
        return [i for i in backed_up(profile, items) if not is_kept_aside(profile, i.path)]

    return choose
