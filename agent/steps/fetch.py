"""Has a release fetched, verified and unpacked ahead of any rollout, and what it needs tried.

It is made ready like a rollout stages it, whichever way it is put in place, only in a place of
its own: `<staging>/ready/<app>.<manifest sha256>`, from which `stage` takes it over by a rename.
One release of each app is kept so. Nothing of the app is touched; may run again at any time.
"""

from contextlib import suppress
from dataclasses import replace

from agent.extract import wipe
from agent.platforms.base import Spot
from agent.steps.apply.kinds import kind_of
from agent.steps.apply.staging import manifest_of
from agent.steps.carry_over import try_carry_over
from agent.steps.room import ready_of
from agent.steps.table import Work
from agent.wire.profile import ApplyKind


def fetch(work: Work) -> None:
    """Have the ordered release ready, whole; an older one that was ready is deleted then."""
    manifest = manifest_of(work)
    _aim(work)
    kind_of(work).stage(work)
    if work.profile.apply.kind is ApplyKind.REPLACE_FOLDER:
        try_carry_over(work, manifest)
    _drop_others(work)


def _aim(work: Work) -> None:
    """Have the release unpacked where it is ready, in no rollout's folder."""
    with suppress(OSError):  # there is something in it
        work.folders.incoming.parent.rmdir()
    work.folders = replace(work.folders, incoming=ready_of(work))


def _drop_others(work: Work) -> None:
    mine = work.folders.incoming.name
    for name in work.platform.names(Spot(work.folders.ready)):
        if name.startswith(f"{work.profile.name}.") and name != mine:
            wipe(work.folders.ready / name)
