"""Has the ordered package unpacked and verified in the agent's own folder, ahead of its use.

May be asked again at any time: what is there and whole is left as it is.
"""

from pathlib import Path

from agent.extract import check_paths, extract, strangers, verify_tree, wipe
from agent.package_paths import BadPackage
from agent.platforms.base import Spot
from agent.steps.apply.permission import check_permission
from agent.steps.room import ready_of, rooms
from agent.steps.table import Refused, Work
from agent.wire.atomic import NO_ROOM
from agent.wire.contract import Refusal
from agent.wire.manifest import Manifest

_ANY_SYSTEM = {"", "any"}


def manifest_of(work: Work) -> Manifest:
    """Return the manifest of the ordered package, judged fit for this app, version and host.

    Raises `Refused` BAD_ORDER, NOT_SIGNED, PACKAGE_MISMATCH or WRONG_VERSION.
    """
    if work.params.package is None:
        raise Refused(Refusal.BAD_ORDER, "cannot stage: the order names no package")
    manifest = work.packages.manifest(work.params.package, afresh=True)
    if why := _misfit(work, manifest):
        raise Refused(Refusal.PACKAGE_MISMATCH, f"cannot use this package: {why}")
    try:
        check_paths(manifest)
    except BadPackage as error:
        raise Refused(Refusal.PACKAGE_MISMATCH, str(error)) from error
    check_permission(work, manifest)
    return manifest


def unpack(work: Work, manifest: Manifest) -> None:
    """Have the package unpacked and verified in `folders.incoming`; leave it when it is.

    What was fetched ahead of the rollout is taken over. Else it is unpacked beside and then
    renamed: what is in `folders.incoming` was whole once.
    Raises `Refused` PACKAGE_ABSENT or PACKAGE_MISMATCH. On a full disk what came is deleted.
    """
    if _is_whole(work, work.folders.incoming, manifest) or _take_over(work, manifest):
        return
    try:
        _unpack_anew(work, manifest)
    except OSError as error:
        if error.errno in NO_ROOM:
            wipe(unfinished(work))  # people work on this host: what is left is theirs
        raise


def _unpack_anew(work: Work, manifest: Manifest) -> None:
    beside = unfinished(work)
    assembled = work.packages.assemble(manifest, work.ticket, work, beside)
    if not (assembled and _is_whole(work, beside, manifest)):
        _unpack_whole(work, manifest, beside)
    wipe(work.folders.incoming)
    work.platform.sync_tree(beside)
    work.platform.rename(Spot(beside), Spot(work.folders.incoming))


def _unpack_whole(work: Work, manifest: Manifest, beside: Path) -> None:
    content = work.packages.fetch(manifest, work.ticket, work)
    wipe(work.folders.incoming)
    wipe(beside)
    try:
        extract(content, manifest, beside, work.progress)
    except BadPackage as error:
        wipe(beside)
        raise Refused(Refusal.PACKAGE_MISMATCH, str(error)) from error


def unstage(work: Work) -> None:
    """Delete what was unpacked."""
    wipe(unfinished(work))
    wipe(work.folders.incoming)


def unfinished(work: Work) -> Path:
    """Return where a package is unpacked before it is whole."""
    return work.folders.incoming.with_name(f"{work.folders.incoming.name}.part")


def _take_over(work: Work, manifest: Manifest) -> bool:
    """Have what was fetched ahead as `folders.incoming`, when it is whole."""
    ahead = ready_of(work)
    if ahead == work.folders.incoming or not _is_whole(work, ahead, manifest):
        return False
    wipe(work.folders.incoming)
    work.platform.rename(Spot(ahead), Spot(work.folders.incoming))
    return True


def _is_whole(work: Work, folder: Path, manifest: Manifest) -> bool:
    if not work.platform.names(Spot(folder)):
        return False
    try:
        verify_tree(folder, manifest)
    except BadPackage:
        return False
    return not strangers(folder, {entry.path for entry in manifest.files})


def _misfit(work: Work, manifest: Manifest) -> str:
    if manifest.app != work.profile.name:
        return f"it is of {manifest.app}, not of {work.profile.name}"
    if work.params.version and manifest.version != work.params.version:
        return f"it is {manifest.version}, not {work.params.version}"
    if manifest.system not in {*_ANY_SYSTEM, work.platform.name}:
        return f"it is for {manifest.system}, this host is {work.platform.name}"
    return ""


def check_room(work: Work, manifest: Manifest) -> None:
    """Raise `Refused` DISK_FULL unless the release and its backup fit on this host's disks."""
    for room in rooms(work, work.platform.items(work.installation.folder), manifest):
        if not room.is_enough:
            raise Refused(Refusal.DISK_FULL, room.shortage())
