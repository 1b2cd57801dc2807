"""A step that needs no profile, as the runner takes it: nothing signed is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.steps.rows import STEPS
from agent.wire.contract import NO_PROFILE, Refusal, StepName, StepParams, StepState
from agent.wire.observed import joined
from tests.agent.fakes import Orders
from tests.agent.rig import Rig


def test_it_is_taken_where_nothing_was_ever_signed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, STEPS)
    rig.packages.signed = False
    rig.platform.open("/opt/office/bin/app")
    order = Orders(StepName.OBSERVE).start(params=StepParams(NO_PROFILE))
    report = rig.take(order)
    rig.off()
    assert report.state is StepState.DONE
    assert rig.packages.asked == 0
    (seen,) = joined(found.message for found in report.findings).candidates
    assert (seen.folder, seen.programs[0].path) == ("/opt/office", "bin/app")
    assert seen.programs[0].users == ("marie",)


@pytest.mark.parametrize("step", [s for s in StepName if s is not StepName.OBSERVE])
def test_no_other_step_is_taken_without_a_profile(tmp_path: Path, step: StepName) -> None:
    rig = Rig(tmp_path, STEPS)
    rig.packages.signed = False
    report = rig.take(Orders(step).start(params=replace(StepParams(NO_PROFILE), version="1.1")))
    rig.off()
    assert report.state is StepState.REFUSED
    assert report.refusal is Refusal.NOT_SIGNED
