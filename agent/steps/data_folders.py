"""Where the data that a group shares lies on the host that holds it, and whether it can be kept.

The folders are found once a rollout and remembered, since a restore has them away for a moment.
What is written for a restore lies in a folder of the agent's own on the same volume, so that it
comes into its place by a rename; so does the newer data, out of the app's folder.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.folders import check_above, make_private
from agent.platforms.base import Spot
from agent.real_path import ForeignLink, real_path
from agent.steps.room import rooms
from agent.steps.table import Refused, Work
from agent.steps.tree import total_bytes
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import DataScope

PLACE = "data"
"""Where in a rollout's backup folder the shared data is, each of its folders by number."""
_FOLDERS = "folders"
_BESIDE = ".roundsman"
_SPARE = 1.1


@dataclass(frozen=True, slots=True)
class DataFolder:
    """One folder of shared data, and where its backup, its rebuilt and its newer content go."""

    live: Path
    store: Path
    scratch: Path  # of the agent's own, on the volume of `live`
    aside: Path  # what the new release has written, once the older is back

    @property
    def making(self) -> Spot:
        """Where it is rebuilt."""
        return Spot(self.scratch / f"making-{self.store.name}")

    @property
    def ready(self) -> Spot:
        """Where it waits, rebuilt and whole, to be put in place."""
        return Spot(self.scratch / f"ready-{self.store.name}")


def is_shared(work: Work) -> bool:
    """True when the profile says that the group shares its data."""
    return work.profile.data.scope is DataScope.SHARED


def find_folders(work: Work) -> list[DataFolder]:
    """Return the folders of shared data that are on this host. Raises `Refused` FOLDER_RIGHTS."""
    app = work.installation.folder
    named = work.installation.data or [app / folder for folder in work.profile.data.folders]
    found = [live for live in map(_real, named) if live.is_dir()]
    return _placed(work, found)


def _real(folder: Path) -> Path:
    try:
        return real_path(folder)
    except ForeignLink as error:
        raise Refused(
            Refusal.FOLDER_RIGHTS,
            f'cannot use the data in "{folder}": {error.strerror}, who could have it lead '
            "anywhere; remove it, or name the real folder in agent.toml",
        ) from error


def remember_folders(work: Work, folders: Sequence[DataFolder]) -> None:
    """Keep which folders are backed up, until the rollout is over."""
    work.memo.put(_FOLDERS, json.dumps([str(folder.live) for folder in folders]))


def known_folders(work: Work) -> list[DataFolder]:
    """Return the folders that were backed up in this rollout, [] when none was."""
    known = work.memo_of(StepName.BACK_UP_DATA).get(_FOLDERS)
    return _placed(work, [Path(live) for live in json.loads(known or "[]")])


def _placed(work: Work, found: Sequence[Path]) -> list[DataFolder]:
    return [
        DataFolder(
            live=live,
            store=work.folders.backup / PLACE / str(number),
            scratch=_scratch(work, live),
            aside=_aside(work, live),
        )
        for number, live in enumerate(found, start=1)
    ]


def _scratch(work: Work, live: Path) -> Path:
    for own in (work.folders.incoming.parent, work.folders.backup):
        if work.platform.same_volume(own, live.parent):
            return own / "restored"
    return live.parent / _BESIDE / work.folders.backup.name


def _aside(work: Work, live: Path) -> Path:
    """Return where newer data goes: beside it, but not into an app folder, which is swapped."""
    app, rollout = work.installation.folder, work.step_id.partition("/")[0]
    if live.is_relative_to(app):
        return app.with_name(f"{app.name}.{live.name}.{rollout}")
    return live.with_name(f"{live.name}.{rollout}")


def make_scratch(work: Work, folder: DataFolder) -> None:
    """Have the folder for a restore, for the agent alone. Raises `Refused` FOLDER_RIGHTS."""
    if _is_beside(folder):
        check_above(folder.live.parent, work.platform, _owner(work))
    for own in (folder.scratch.parent, folder.scratch):
        make_private(own, work.platform, _owner(work))


def _is_beside(folder: DataFolder) -> bool:
    return folder.scratch.parent == folder.live.parent / _BESIDE


def _owner(work: Work) -> int:
    return work.folders.backup.parent.stat().st_uid


def bytes_in(work: Work, folders: Sequence[DataFolder]) -> int:
    """Return how large the data is."""
    return sum(total_bytes(work.platform.items(folder.live)) for folder in folders)


def check(work: Work, folders: Sequence[DataFolder], *, with_update: bool = False) -> None:
    """Raise `Refused` when the data could not be backed up here, or not be brought back."""
    for folder in folders:
        _check_may_move(work, folder)
        if _is_beside(folder):
            check_above(folder.live.parent, work.platform, _owner(work))
    _check_room(work, folders, with_update=with_update)


def _check_may_move(work: Work, folder: DataFolder) -> None:
    apart = not work.platform.same_volume(folder.live, folder.aside.parent)
    if mounted := work.platform.mounts(folder.live) or ([str(folder.live)] if apart else []):
        raise Refused(
            Refusal.FOLDER_RIGHTS,
            f'cannot bring back the data in "{folder.live}": "{mounted[0]}" is a disk of its own, '
            "so it cannot be renamed; have the data in a plain folder on that disk",
        )


def _check_room(work: Work, folders: Sequence[DataFolder], *, with_update: bool) -> None:
    backups, needs = work.folders.backup.parent, list[tuple[Path, int]]()
    for folder in folders:
        size = int(bytes_in(work, [folder]) * _SPARE)
        there = _there(work, folder.store)
        needs += [(backups, max(0, size - there)), (folder.live.parent, size)]
    if with_update:
        live = work.platform.items(work.installation.folder)
        package = work.params.package
        manifest = work.packages.manifest(package) if package else None
        needs += [(room.folder, room.needed) for room in rooms(work, live, manifest)]
    for disk, _ in needs:
        _check_disk(work, disk, sum(n for d, n in needs if work.platform.same_volume(d, disk)))


def _there(work: Work, store: Path) -> int:
    return total_bytes(work.platform.items(store)) if store.is_dir() else 0


def _check_disk(work: Work, disk: Path, needed: int) -> None:
    free = work.platform.free_bytes(disk)
    if free < needed:
        raise Refused(
            Refusal.DISK_FULL,
            f'cannot keep the data the group shares on the disk of "{disk}": its backup and its '
            f"way back need {needed / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free",
        )
