"""A client that was updated by its own updater after the server, before its own turn (row O12)."""

import pytest

from agent.steps.apply_release import apply_release
from agent.steps.stage import stage
from agent.steps.table import Refused
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import Bench, release, snapshot, write_tree


def _updates_itself(bench: Bench, version: str) -> None:
    for path in release(version):
        (bench.app / path).unlink(missing_ok=True)
    write_tree(bench.app, release(version))


@pytest.mark.parametrize("is_staged", [True, False])
def test_one_that_has_the_release_by_itself_is_given_it_whole_and_keeps_what_is_its_own(
    bench: Bench, is_staged: bool
) -> None:
    if is_staged:
        stage(bench.work(StepName.STAGE))
    _updates_itself(bench, "1.1")
    before = snapshot(bench.app)

    stage(bench.work(StepName.STAGE))
    work = bench.work(StepName.APPLY_RELEASE)
    apply_release(work)

    assert work.facts["app_version"] == "1.1"
    after = snapshot(bench.app)
    assert after["prefs/user.ini"] == before["prefs/user.ini"]
    assert (bench.app / "lib/code.bin").read_bytes() == bench.release["lib/code.bin"]


@pytest.mark.parametrize("is_staged", [True, False])
def test_one_that_is_further_by_itself_is_refused_and_left_as_it_is(
    bench: Bench, is_staged: bool
) -> None:
    if is_staged:
        stage(bench.work(StepName.STAGE))
    _updates_itself(bench, "1.2")
    before = snapshot(bench.app)

    with pytest.raises(Refused, match=r"cannot put 1\.1 over 1\.2") as refused:
        (apply_release if is_staged else stage)(
            bench.work(StepName.APPLY_RELEASE if is_staged else StepName.STAGE)
        )

    assert refused.value.refusal is Refusal.WRONG_VERSION
    assert snapshot(bench.app) == before
