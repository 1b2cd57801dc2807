"""The ways to put a release in place, one row each."""

from dataclasses import dataclass

from agent.steps.apply import (
    attended,
    from_backup,
    installer,
    package,
    replace_folder,
    staging,
)
from agent.steps.table import Handler, Work
from agent.wire.profile import ApplyKind


@dataclass(frozen=True, slots=True)
class Kind:
    """One way: each handler bears repetition, and a kill at any of its calls."""

    stage: Handler  # ahead, in the background, nothing of the app changed
    unstage: Handler
    apply: Handler  # app and service manager are closed
    put_back: Handler  # the old release again
    tidy: Handler  # the way back is not needed any more
    recover: Handler  # after a crash: from the disk alone, to a runnable release


KINDS: dict[ApplyKind, Kind] = {
    ApplyKind.REPLACE_FOLDER: Kind(
        stage=replace_folder.stage,
        unstage=replace_folder.unstage,
        apply=replace_folder.apply,
        put_back=replace_folder.put_back,
        tidy=replace_folder.tidy,
        recover=replace_folder.recover,
    ),
    ApplyKind.INSTALLER: Kind(
        stage=installer.stage,
        unstage=staging.unstage,
        apply=installer.apply,
        put_back=from_backup.put_back,
        tidy=from_backup.tidy,
        recover=from_backup.recover,
    ),
    ApplyKind.PACKAGE: Kind(
        stage=package.stage,
        unstage=staging.unstage,
        apply=package.apply,
        put_back=package.put_back,
        tidy=package.tidy,
        recover=package.recover,
    ),
    ApplyKind.ATTENDED: Kind(
        stage=attended.stage,
        unstage=attended.unstage,
        apply=attended.apply,
        put_back=from_backup.put_back,
        tidy=from_backup.tidy,
        recover=from_backup.recover,
    ),
}


def kind_of(work: Work) -> Kind:
    """Return how this app's releases are put in place."""
    return KINDS[work.profile.apply.kind]
