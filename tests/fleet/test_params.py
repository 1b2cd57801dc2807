"""What an order tells: the same each time it is given, but for what is told ahead."""

from dataclasses import replace

import pytest

from agent.wire.contract import StepName
from coordinator.fleet.params import step_params
from tests.plans import make_plan

PLAN = make_plan(3, postpones=2)
HOST = PLAN.hosts[0]
NOW = PLAN.opens


@pytest.mark.parametrize("step", [s for s in StepName if s is not StepName.ANNOUNCE])
def test_a_step_is_ordered_with_the_same_parameters_at_any_time(step: StepName) -> None:
    assert step_params(PLAN, HOST, step, NOW) == step_params(PLAN, HOST, step, NOW + 5000)


def test_who_is_drained_is_told_who_asked_how_long_it_takes_and_how_often_he_may_postpone() -> (
    None
):
    params = step_params(PLAN, HOST, StepName.DRAIN, NOW)
    assert (params.postpones, params.takes, params.asked_by, params.notice) == (
        2, 180.0, "ann", "Office is being updated",
    )  # fmt: skip
    assert (params.version, params.starts_in) == ("1.1", 0.0)


def test_what_is_told_ahead_says_in_how_long_it_begins() -> None:
    plan = replace(PLAN, opens=NOW + 7200)
    told = step_params(plan, HOST, StepName.ANNOUNCE, NOW)
    assert (told.starts_in, told.takes) == (7200.0, 180.0)
    assert step_params(plan, HOST, StepName.ANNOUNCE, NOW + 9000).starts_in == 0.0
    late = replace(PLAN, opens=NOW + 30 * 86400)
    assert step_params(late, HOST, StepName.ANNOUNCE, NOW).starts_in == 7 * 86400.0


def test_a_drill_applies_no_package_announces_no_version_and_proves_the_one_that_is_there() -> (
    None
):
    drill = replace(PLAN, drill=True)
    told = step_params(drill, HOST, StepName.DRAIN, NOW)
    assert (told.package, told.version) == (None, "")
    assert step_params(drill, HOST, StepName.CHECK_HEALTH, NOW).version == "1.0"
    assert step_params(drill, HOST, StepName.BACK_UP, NOW).drill
    assert not step_params(PLAN, HOST, StepName.BACK_UP, NOW).drill
