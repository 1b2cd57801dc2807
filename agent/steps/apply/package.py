"""Has the system's own package manager put the release in place (dpkg, on Debian).

The way back is the old version, packed again before anything is touched, then its configuration
and the app's folder as they were backed up.
"""

from pathlib import Path

from agent.platforms.base import Ended
from agent.steps.apply import dpkg, from_backup, repack
from agent.steps.apply.from_backup import is_as_backed_up, is_unsure
from agent.steps.apply.outcome import confirm_version, told
from agent.steps.apply.staging import check_room, manifest_of, unpack
from agent.steps.apply.standing import Standing, note, standing
from agent.steps.backup_check import complete_store
from agent.steps.table import Failed, Refused, Work
from agent.wire.contract import Refusal
from agent.wire.manifest import Manifest

_RECOVERY_SECONDS = 60.0
"""So long a recovery waits for another program to leave dpkg: the agent's start waits with it."""


def stage(work: Work) -> None:
    """Have the package file unpacked in `folders.incoming` and found to be the right one."""
    manifest = manifest_of(work)
    file = _file(work, manifest)
    check_room(work, manifest)
    unpack(work, manifest)
    _check(work, file)
    work.fact("staged_version", manifest.version)


def apply(work: Work) -> None:
    """Have the ordered version installed by dpkg."""
    if is_unsure(work):
        put_back(work)
    if standing(work) is not Standing.CHANGED:
        manifest = manifest_of(work)
        file = _file(work, manifest)
        unpack(work, manifest)
        _check(work, file)
        complete_store(work, work.folders.backup)  # without a way back nothing may be changed
        repack.repack(work)
        note(work, Standing.CHANGING)
        _conclude(work, dpkg.install(work, file, work.profile.apply.limit_seconds))
    confirm_version(work)
    note(work, Standing.CHANGED)


def put_back(work: Work) -> None:
    """Have the old version installed, and configuration and folder as they were backed up."""
    if standing(work) is not Standing.NOT_BEGUN:
        note(work, Standing.CHANGING)
        _old_again(work, work.profile.apply.limit_seconds)
    from_backup.put_back(work)


def tidy(work: Work) -> None:
    """Delete the old package, and what an undo has set aside."""
    recover(work)
    from_backup.tidy(work)
    repack.forget(work)


def recover(work: Work) -> None:
    """Bring the old version back when an installation, or a way back, was cut short."""
    if not is_unsure(work):
        return
    _old_again(work, _RECOVERY_SECONDS)
    from_backup.put_back(work)


def _file(work: Work, manifest: Manifest) -> Path:
    files = [entry.path for entry in manifest.files if entry.path.endswith(".deb")]
    if len(files) != 1:
        raise Refused(
            Refusal.PACKAGE_MISMATCH,
            f"cannot use this package: it must hold one .deb file, and holds {len(files)}",
        )
    return work.folders.incoming / files[0]


def _check(work: Work, file: Path) -> None:
    wanted, found = work.profile.apply.package, dpkg.look_into(work, file).get("Package")
    if found != wanted:
        raise Refused(
            Refusal.PACKAGE_MISMATCH,
            f'cannot use this package: "{file.name}" is {found}, the profile wants {wanted}',
        )


def _conclude(work: Work, ended: Ended) -> None:
    package = work.profile.apply.package
    if ended.code is None:
        limit = work.profile.apply.limit_seconds
        raise Failed(f"cannot wait for dpkg any longer: {limit:g} s have passed{told(ended)}")
    if ended.code == 0 and dpkg.installed(work, package).is_whole:
        return
    if dpkg.is_locked(ended) and is_as_backed_up(work):
        note(work, Standing.NOT_BEGUN)
        raise Refused(
            Refusal.RETRY_LATER,
            f"cannot install {package}: another program uses dpkg on this host: retry later"
            + told(ended),
        )
    raise Failed(f"cannot install {package}: dpkg ends with code {ended.code}{told(ended)}")


def _old_again(work: Work, seconds: float) -> None:
    """Have dpkg say that the old version is installed. Raises `Failed`.

    When it cannot be, a package that is unpacked is at least configured, so that it runs.
    """
    package, file = work.profile.apply.package, repack.kept_package(work)
    if not file.exists():
        raise Failed(f"cannot bring the old {package} back: it was not kept")
    old = dpkg.look_into(work, file)["Version"]
    found = dpkg.installed(work, package)
    if found.version != old or not found.is_whole:
        ended = dpkg.install(work, file, seconds)
        if ended.code != 0:
            dpkg.configure(work, package, seconds)
            raise Failed(
                f"cannot bring {package} {old} back: dpkg ends with code {ended.code}{told(ended)}"
            )
    repack.put_configuration_back(work)
