"""The person at the workstation updates the app from inside it; the backup is the way back.

The app is opened for them, in their session, and the guard lets them have it open while this
step lasts: them, and nobody else at this host. It has ended when the ordered version is
installed and the app is closed again. An operator may end it at any time, and take over at the
workstation: a step begun anew puts the app back first, and it is the turn of who is there then.
Once the ordered version is installed it is done, whoever ends it: only the app is closed.
"""

from agent.steps.apply.from_backup import is_unsure, put_back
from agent.steps.apply.outcome import confirm_version
from agent.steps.apply.shutting import shut
from agent.steps.apply.staging import check_room, manifest_of
from agent.steps.apply.standing import Standing, note, standing
from agent.steps.apply.turn import Turn
from agent.steps.backup_check import complete_store
from agent.steps.table import Failed, Work


def stage(work: Work) -> None:
    """Judge the package, which only states the version, and the room for the way back."""
    manifest = manifest_of(work)
    check_room(work, manifest)
    work.fact("staged_version", manifest.version)


def unstage(_work: Work) -> None:
    """Nothing was fetched."""


def apply(work: Work) -> None:
    """Have the ordered version installed by the person at this workstation."""
    if is_unsure(work):
        put_back(work)
    if standing(work) is not Standing.CHANGED:
        manifest_of(work)
        complete_store(work, work.folders.backup)  # without a way back nothing may be changed
        turn = Turn(work)
        note(work, Standing.CHANGING)
        agreed = False
        try:
            agreed = _have_it_updated(work, turn)
        finally:
            work.people.hush()
            shut(work, agreed=agreed)
        work.platform.sync_tree(work.installation.folder)
    confirm_version(work)
    note(work, Standing.CHANGED)


def _have_it_updated(work: Work, turn: Turn) -> bool:
    try:
        turn.begin()
    except Failed:
        note(work, Standing.NOT_BEGUN)
        raise
    return turn.wait()
