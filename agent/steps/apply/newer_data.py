"""Keeps what a release that is taken back has written in the data of this host.

The old release goes on with the data as it left them: it may not be able to read the newer. They
are put beside, as `<name>.<rollout>`, and named in the report.
"""

from pathlib import Path

from agent.platforms.base import Item, Spot
from agent.steps.apply.parts import host_data
from agent.steps.apply.swap import Swap, free_name
from agent.steps.table import Work

_CHUNK = 2**20
_SEEN = ".same"


def keep_newer_data(work: Work, swap: Swap) -> None:
    """Have data that differ from the live ones beside these; twice is harmless."""
    rollout, files = work.step_id.partition("/")[0], work.platform
    for name in host_data(work.profile):
        newer = swap.discarded.below(name)
        if files.look_at(newer) is None:
            continue
        if is_same_tree(work, newer, swap.live.below(name)):
            seen = free_name(files.names(swap.discarded), name + _SEEN)
            files.rename(newer, swap.discarded.below(seen))
        else:
            aside = free_name(files.names(swap.live), f"{name}.{rollout}")
            files.rename(newer, swap.live.below(aside))
    kept = [n for n in files.names(swap.live) if _is_of(n, rollout, host_data(work.profile))]
    if kept:
        work.fact("kept_newer_data", ", ".join(kept))


def is_same_tree(work: Work, one: Spot, other: Spot) -> bool:
    """True when the same files, links and folders are at both, with the same content."""
    found, wanted = _contents(work, one), _contents(work, other)
    if found.keys() != wanted.keys():
        return False
    return all(_is_same(work, (one, found[path]), (other, wanted[path]), path) for path in found)


def _is_of(name: str, rollout: str, data: tuple[str, ...]) -> bool:
    return any(name == f"{d}.{rollout}" or name.startswith(f"{d}.{rollout}-") for d in data)


def _contents(work: Work, spot: Spot) -> dict[str, Item]:
    top = work.platform.look_at(spot)
    if top is None:
        return {}
    below = work.platform.items(Path(str(spot))) if top.is_folder else []
    return {"": top} | {item.path: item for item in below}


def _is_same(work: Work, one: tuple[Spot, Item], other: tuple[Spot, Item], path: str) -> bool:
    (left, item), (right, twin) = one, other
    if (item.is_file, item.is_link, item.is_folder) != (
        twin.is_file,
        twin.is_link,
        twin.is_folder,
    ):
        return False
    if item.is_folder:
        return True
    left, right = (spot.below(path) if path else spot for spot in (left, right))
    if item.is_link:
        return work.platform.read_link(left) == work.platform.read_link(right)
    return item.size == twin.size and _same_content(work, left, right)


def _same_content(work: Work, one: Spot, other: Spot) -> bool:
    with work.platform.open_file(one) as left, work.platform.open_file(other) as right:
        while chunk := left.read(_CHUNK):
            if chunk != right.read(_CHUNK):
                return False
        return not right.read(1)
