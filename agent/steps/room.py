"""How much room an update takes on this host's disks, and whether they have it."""

from dataclasses import dataclass
from pathlib import Path

from agent.platforms.base import Item, Spot
from agent.steps.apply.parts import backed_up, keeps, moving
from agent.steps.modules import kept_modules
from agent.steps.table import Work
from agent.steps.tree import matching, total_bytes
from agent.wire.manifest import Manifest
from agent.wire.profile import ApplyKind

_SPARE = 1.1  # ten per cent more than is known to be needed


@dataclass(frozen=True, slots=True)
class Room:
    """What one volume must take and what it has left, in bytes."""

    folder: Path
    needed: int
    free: int

    @property
    def is_enough(self) -> bool:
        """True when the volume can take it."""
        return self.free >= self.needed

    def shortage(self) -> str:
        """Return a sentence with the figures."""
        return (
            f'cannot hold the update on the disk of "{self.folder}": it needs '
            f"{_megabytes(self.needed)}, {_megabytes(self.free)} are free"
        )


def rooms(work: Work, live: list[Item], manifest: Manifest | None) -> list[Room]:
    """Return one `Room` a volume: new release and kept files, backup and download.

    What an earlier attempt has already written counts as there, and what stays in the app's
    folder as nothing; shared data is counted by `data_folders`. `live` is the app's folder;
    without a manifest the new release is taken to be as large as the old one.
    """
    app_need = _missing(work, _new_release(work), _release_bytes(work, live, manifest))
    agent_need = _missing(work, {work.folders.backup}, total_bytes(to_back_up(work, live)))
    agent_need += manifest.content_size if manifest else 0
    app_disk, agent_disk = work.folders.incoming.parent, work.folders.backup.parent
    if work.platform.same_volume(app_disk, agent_disk):
        return [_room(work, app_disk, app_need + agent_need)]
    return [_room(work, app_disk, app_need), _room(work, agent_disk, agent_need)]


def ready_of(work: Work) -> Path:
    """Return where the ordered package is unpacked when it is fetched ahead of any rollout.

    Named by its manifest, so what is there is the release ordered, or an unfinished part of it.
    """
    package = work.params.package
    return work.folders.ready / f"{work.profile.name}.{package.sha256 if package else 'none'}"


def to_back_up(work: Work, live: list[Item]) -> list[Item]:
    """Return what the profile has backed up."""
    return backed_up(work.profile, live)


def _release_bytes(work: Work, live: list[Item], manifest: Manifest | None) -> int:
    ours = moving(work.profile, live)
    new = manifest.unpacked_size if manifest else total_bytes(ours)
    if work.profile.apply.kind is ApplyKind.REPLACE_FOLDER:
        kept = kept_modules(work, manifest) if manifest else ()
        return new + total_bytes(matching(ours, keeps(work.profile) + kept))
    return new + total_bytes(ours)  # the old release, written anew from its backup to go back


def _bytes_in(work: Work, folder: Path) -> int:
    found = work.platform.look_at(Spot(folder))
    return total_bytes(work.platform.items(folder)) if found and found.is_folder else 0


def _new_release(work: Work) -> set[Path]:
    """Return where the new release may be by now."""
    return {work.folders.incoming, ready_of(work)}


def _missing(work: Work, folders: set[Path], needed: int) -> int:
    return max(0, needed - sum(_bytes_in(work, folder) for folder in folders))


def _room(work: Work, folder: Path, needed: int) -> Room:
    return Room(folder, int(needed * _SPARE), work.platform.free_bytes(folder))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
