import errno

import pytest

from agent.steps.rows import STEPS, app_untouched, explained
from agent.steps.table import Failed, Lane, Refused, Work
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import Bench

_CHANGES_THE_HOST = {
    StepName.STOP_SERVICE_MANAGER,
    StepName.APPLY_RELEASE,
    StepName.START_SERVICE_MANAGER,
}


def test_there_is_one_row_for_every_step_in_their_order() -> None:
    assert list(STEPS) == list(StepName)
    assert all(row.name is name for name, row in STEPS.items())


@pytest.mark.parametrize("name", sorted(_CHANGES_THE_HOST))
def test_every_step_that_changes_the_host_can_be_undone(name: StepName) -> None:
    assert STEPS[name].undo is not None


def test_what_is_slow_and_changes_nothing_runs_in_the_background() -> None:
    background = {name for name, row in STEPS.items() if row.lane is Lane.BACKGROUND}

    assert background == {
        StepName.STAGE,
        StepName.ANNOUNCE,
        StepName.REOPEN,
        StepName.OBSERVE,
        StepName.FETCH,
        StepName.LIST_BACKUPS,
        StepName.VERIFY_BACKUP,
        StepName.REHEARSE_RESTORE,
    }


def test_a_host_is_surveyed_while_a_release_is_fetched_or_a_visit_is_under_way() -> None:
    assert [name for name, row in STEPS.items() if row.lane is Lane.LOOK] == [StepName.SURVEY]


def test_a_step_that_changes_the_host_cannot_be_cancelled_half_way() -> None:
    assert not any(STEPS[name].cancellable for name in _CHANGES_THE_HOST)


def _full(_work: Work) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/srv/app/x")


def _denied(_work: Work) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", "/srv/app/x")


def test_a_full_disk_is_a_refusal_while_the_app_is_untouched(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        app_untouched(_full)(bench.work())

    assert refused.value.refusal is Refusal.DISK_FULL
    assert str(refused.value) == 'cannot use "/srv/app/x": No space left on device'


@pytest.mark.parametrize("handler", [explained(_full), app_untouched(_denied), explained(_denied)])
def test_what_the_system_denies_is_said_in_words_with_the_vendors_help(
    bench: Bench, handler: object
) -> None:
    assert callable(handler)
    with pytest.raises(Failed, match=r'^cannot use "/srv/app/x": .*; ask the vendor$'):
        handler(bench.work())


def test_what_we_say_ourselves_is_not_called_a_matter_of_the_disk(bench: Bench) -> None:
    def gone(_work: Work) -> None:
        raise OSError("session 3 of marie has ended")

    with pytest.raises(Failed, match=r"^session 3 of marie has ended; ask the vendor$"):
        explained(gone)(bench.work())


def test_a_failure_is_short_enough_to_travel(bench: Bench) -> None:
    def wordy(_work: Work) -> None:
        raise Failed("x" * 1000)

    with pytest.raises(Failed) as failed:
        explained(wordy)(bench.work())

    assert len(str(failed.value)) <= 500
