"""The person at the workstation updates the app from inside it; the backup is the way back.

The app is opened for them, on this host alone, and let be by the guard while this step lasts
(`agent.runner` sees to that). It has ended when the ordered version is installed and the app is
closed again. An operator may end it at any time, and take over at the workstation.
"""

import threading

from agent.platforms.base import CloseRung
from agent.programs import Programs, all_programs
from agent.steps.apply.from_backup import is_unsure, put_back
from agent.steps.apply.outcome import confirm_version
from agent.steps.apply.staging import check_room, manifest_of
from agent.steps.apply.standing import Standing, note, standing
from agent.steps.backup_check import complete_store
from agent.steps.closing import open_now, who
from agent.steps.table import Failed, Refused, Work
from agent.steps.versions import app_reading, fill, values_of
from agent.wire.contract import Refusal
from agent.wire.notices import Notice, NoticeKind

_LOOK_SECONDS = 2.0
_SHUT_SECONDS = 5.0


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
        user = _person(work)
        note(work, Standing.CHANGING)
        try:
            _have_it_updated(work, user)
        finally:
            work.people.hush()
            _shut(work)
        work.platform.sync_tree(work.installation.folder)
    confirm_version(work)
    note(work, Standing.CHANGED)


def _person(work: Work) -> str:
    user = next((session.user for session in work.platform.sessions() if session.active), "")
    if not user:
        raise Refused(
            Refusal.RETRY_LATER,
            f"cannot open {work.profile.title}: nobody is logged in at this workstation, and the "
            "update is done from inside it; log in there, then retry",
        )
    return user


def _have_it_updated(work: Work, user: str) -> None:
    folder, (program, *arguments) = work.installation.folder, work.profile.apply.open
    argv = [str(folder / program), *(fill(text, values_of(work)) for text in arguments)]
    work.people.show(_notice(work, work.profile.apply.limit_seconds, updated=False))
    try:
        work.platform.start_program(argv, folder, user)
    except OSError as error:
        note(work, Standing.NOT_BEGUN)
        raise Failed(f"cannot open {work.profile.title} for {user}: {error}") from error
    work.fact("opened_for", user)
    _wait(work)


def _wait(work: Work) -> None:
    """Return when the version is the ordered one and nobody has the app open, twice in a row."""
    end = work.platform.clock() + work.profile.apply.limit_seconds
    updated, well = False, 0
    while well < 2:
        left = end - work.platform.clock()
        reading, still_open = app_reading(work), open_now(work, _programs(work))
        updated = updated or reading.version == work.params.version
        well = well + 1 if updated and not still_open else 0
        if left <= 0 and not well:
            raise Failed(_why_late(work, who(still_open), updated=updated))
        work.people.show(_notice(work, max(0.0, left), updated=updated))
        work.pause(_LOOK_SECONDS)


def _notice(work: Work, left: float, *, updated: bool) -> Notice:
    return Notice(
        NoticeKind.CLOSE_UPDATED if updated else NoticeKind.YOUR_TURN,
        work.profile.title,
        version=work.params.version,
        asked_by=work.params.asked_by,
        message=work.params.notice,
        seconds_left=left,
    )


def _why_late(work: Work, open_for: str, *, updated: bool) -> str:
    limit = f"{work.profile.apply.limit_seconds:g} s have passed"
    if updated:
        return f"cannot wait for {work.profile.title} to be closed: {limit}, open for {open_for}"
    return f"cannot wait for the update of {work.profile.title} any longer: {limit}"


def _programs(work: Work) -> Programs:
    names = work.profile.app.programs + work.profile.updater_programs
    return Programs(str(work.installation.folder), names)


def _shut(work: Work) -> None:
    """Close what is left open, so that no later step meets it; the guard would do no less."""
    programs = all_programs(work.profile, work.installation.folder)
    for rung in (CloseRung.TERMINATE, CloseRung.KILL):
        end = work.platform.clock() + _SHUT_SECONDS
        for process in (still_open := open_now(work, programs)):
            work.platform.close(process, rung)
        while still_open and work.platform.clock() < end:
            threading.Event().wait(0.1)  # not `pause`: this is for a step that was ended, too
            still_open = open_now(work, programs)
