"""What lies ready on a host is not put in place once its release is withdrawn."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from agent.steps.apply_release import apply_release, put_old_back
from agent.steps.back_up import back_up
from agent.steps.fetch import fetch
from agent.steps.stage import stage
from agent.steps.table import Refused, Work
from agent.wire.contract import Refusal, StepName, Target
from agent.wire.manifest import Manifest
from tests.steps.bench import Bench, SmallPackages, snapshot


@dataclass
class Withdrawn(SmallPackages):
    """Signed targets, of which the package is on the list no more."""

    def manifest(self, target: Target, *, afresh: bool = False) -> Manifest:
        if afresh:
            raise Refused(Refusal.NOT_SIGNED, f"cannot accept {target.name}")
        return self.the_manifest


def _withdraw(bench: Bench) -> None:
    before = bench.packages
    bench.packages = Withdrawn(before.the_profile, before.the_manifest, before.content)


@pytest.mark.parametrize(
    ("step", "act"),
    [
        (StepName.FETCH, fetch),
        (StepName.STAGE, stage),
        (StepName.APPLY_RELEASE, apply_release),
    ],
)
@pytest.mark.parametrize("is_staged", [False, True])
def test_a_release_that_lies_ready_is_refused_and_nothing_is_changed(
    bench: Bench, step: StepName, act: Callable[[Work], None], *, is_staged: bool
) -> None:
    fetch(bench.work(StepName.FETCH))
    if is_staged:
        stage(bench.work(StepName.STAGE))
        back_up(bench.work(StepName.BACK_UP))
    _withdraw(bench)
    before = snapshot(bench.app)
    with pytest.raises(Refused) as refused:
        act(bench.work(step))
    assert refused.value.refusal is Refusal.NOT_SIGNED
    assert snapshot(bench.app) == before


def test_what_is_in_place_already_goes_back_without_asking_for_it(bench: Bench) -> None:
    before = snapshot(bench.app)
    stage(bench.work(StepName.STAGE))
    back_up(bench.work(StepName.BACK_UP))
    apply_release(bench.work(StepName.APPLY_RELEASE))
    _withdraw(bench)
    put_old_back(bench.work(StepName.APPLY_RELEASE))
    assert snapshot(bench.app) == before


def test_an_apply_that_is_asked_for_again_after_it_was_done_stays_done(bench: Bench) -> None:
    stage(bench.work(StepName.STAGE))
    back_up(bench.work(StepName.BACK_UP))
    apply_release(bench.work(StepName.APPLY_RELEASE))
    _withdraw(bench)
    work = bench.work(StepName.APPLY_RELEASE)
    apply_release(work)
    assert work.facts["app_version"] == "1.1"
