"""The table of steps: what is done, undone, tidied and recovered, one row a step."""

from agent.steps.announce import announce
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up, keep_last, prove_as_it_was
from agent.steps.check_health import check_health
from agent.steps.data import back_up_data, keep_last_data, recover_data, restore_data
from agent.steps.drain import drain
from agent.steps.fetch import fetch
from agent.steps.observe import observe
from agent.steps.reopen import reopen
from agent.steps.restore import (
    forget_rehearsal,
    list_backups,
    recover_restore,
    rehearse_restore,
    restore_backup,
    verify_backup,
)
from agent.steps.service_manager import (
    give_back,
    spare_started,
    start,
    stop,
    stop_again,
)
from agent.steps.service_unit import let_be
from agent.steps.stage import stage, unstage
from agent.steps.survey import survey
from agent.steps.table import Failed, Handler, Lane, Refused, Step, Work
from agent.wire.atomic import NO_ROOM
from agent.wire.contract import Refusal, StepName


def explained(handler: Handler) -> Handler:
    """Return the handler with what the system refused said in words, and the profile's help."""

    def run(work: Work) -> None:
        try:
            handler(work)
        except OSError as error:
            raise Failed(_with_help(work, _sentence(error))) from error
        except Failed as error:
            raise Failed(_with_help(work, str(error))) from error

    return run


def app_untouched(handler: Handler) -> Handler:
    """Return the handler of a step that changes nothing of the app: a full disk is a refusal."""

    def run(work: Work) -> None:
        try:
            handler(work)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise Refused(Refusal.DISK_FULL, _sentence(error)) from error

    return explained(run)


def _sentence(error: OSError) -> str:
    if error.errno is None:
        return str(error)  # said by ourselves, of a program or a session
    where = f' "{error.filename}"' if error.filename else ""
    return f"cannot use{where or ' the disk'}: {error.strerror or error}"


def _with_help(work: Work, text: str) -> str:
    told = text[:300]
    return f"{told}; {work.profile.help[:190]}" if work.profile.help else told


_ROWS = (
    Step(
        StepName.SURVEY,
        do=app_untouched(survey),
        lane=Lane.LOOK,
        cancellable=True,
        repeats=True,  # what was mended since is seen
    ),
    Step(
        StepName.STAGE,
        do=app_untouched(stage),
        undo=explained(unstage),
        tidy=explained(unstage),
        lane=Lane.BACKGROUND,
        cancellable=True,
    ),
    Step(
        StepName.ANNOUNCE,
        do=explained(announce),
        lane=Lane.BACKGROUND,
        cancellable=True,
        repeats=True,
    ),
    Step(
        StepName.DRAIN,
        do=explained(drain),
        tidy=explained(let_be),
        cancellable=True,
    ),
    Step(
        StepName.STOP_SERVICE_MANAGER,
        do=explained(stop),
        undo=explained(give_back),
        tidy=explained(give_back),
    ),
    Step(
        StepName.BACK_UP_DATA,
        do=app_untouched(back_up_data),
        undo=explained(restore_data),
        tidy=explained(keep_last_data),
        recover=explained(recover_data),
        cancellable=True,
    ),
    Step(
        StepName.BACK_UP,
        do=app_untouched(back_up),
        undo=explained(prove_as_it_was),
        tidy=explained(keep_last),
        cancellable=True,
    ),
    Step(
        StepName.APPLY_RELEASE,
        do=explained(apply_release),
        undo=explained(put_old_back),
        tidy=explained(delete_old),
        recover=explained(recover),
    ),
    Step(
        StepName.START_SERVICE_MANAGER,
        do=explained(start),
        undo=explained(stop_again),
        recover=explained(spare_started),
    ),
    Step(
        StepName.CHECK_HEALTH,
        do=explained(check_health),
        recover=explained(spare_started),
        cancellable=True,
    ),
    Step(
        StepName.REOPEN,
        do=explained(reopen),
        lane=Lane.BACKGROUND,
        repeats=True,
    ),
    Step(
        StepName.OBSERVE,
        do=explained(observe),
        lane=Lane.BACKGROUND,
        cancellable=True,
        needs_profile=False,
    ),
    Step(
        StepName.FETCH,
        do=app_untouched(fetch),
        lane=Lane.BACKGROUND,
        cancellable=True,
        repeats=True,
    ),
    Step(
        StepName.LIST_BACKUPS,
        do=explained(list_backups),
        lane=Lane.BACKGROUND,
        cancellable=True,
    ),
    Step(
        StepName.VERIFY_BACKUP,
        do=explained(verify_backup),
        lane=Lane.BACKGROUND,
        cancellable=True,
    ),
    Step(
        StepName.REHEARSE_RESTORE,
        do=app_untouched(rehearse_restore),
        recover=explained(forget_rehearsal),
        lane=Lane.BACKGROUND,
        cancellable=True,
    ),
    Step(
        StepName.RESTORE_BACKUP,
        do=explained(restore_backup),
        recover=explained(recover_restore),
        alone=True,
    ),
)

STEPS: dict[StepName, Step] = {row.name: row for row in _ROWS}
"""Every step there is, in the order they are taken."""
