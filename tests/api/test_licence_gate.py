"""A licence that runs out between the start and the window: nobody's app is closed for it."""

from pathlib import Path

import pytest

from agent.wire.contract import Direction, StepName
from coordinator.model import Plan
from coordinator.planning.judge import day_of
from coordinator.releases.gate import LicenceGate
from coordinator.releases.licences import Licences
from tests.api.real import APP, RealOffice
from tests.api.test_licences import _GOOD, _REQUIRED, _add, _made, _plan, _start


@pytest.fixture
def waiting(office: RealOffice, tmp_path: Path) -> Plan:
    """A plan that was started on the last day of its licence, and waits for its window."""
    _made(office, tmp_path, _REQUIRED)
    _add(office, f"{_GOOD}valid_until = {day_of(office.clock(), None)}\n")
    made = _plan(office)
    assert _start(office, made) == ""
    found = office.rollouts.plan(made.label)
    assert found is not None
    return found


def _gate(office: RealOffice) -> LicenceGate:
    kept = Licences(office.settings.licences_folder)
    return LicenceGate(office.repository, kept, office.rollouts, office.fleet, office.clock)


def test_while_it_holds_apps_may_be_closed(office: RealOffice, waiting: Plan) -> None:
    assert _gate(office).refusal(waiting, StepName.DRAIN) == ""


def test_once_it_has_ended_it_is_said_with_what_mends_it(
    office: RealOffice, waiting: Plan
) -> None:
    office.clock.ahead += 2 * 86_400

    said = _gate(office).refusal(waiting, StepName.DRAIN)

    assert said.startswith(f"cannot install {APP} 1.1: the licence of Cabinet Roy ended on")
    assert "have the licence renewed; then: roundsman licence add FILE" in said


def test_a_new_licence_opens_the_gate_again(office: RealOffice, waiting: Plan) -> None:
    office.clock.ahead += 2 * 86_400
    _add(office, _GOOD)
    assert _gate(office).refusal(waiting, StepName.DRAIN) == ""


def test_a_rollout_that_has_begun_to_change_hosts_is_not_left_half_way(
    office: RealOffice, waiting: Plan
) -> None:
    step = f"{waiting.id}/{waiting.hosts[0].id}/{StepName.APPLY_RELEASE}"
    office.rollouts.begin_step(step, Direction.DO, 1)
    office.clock.ahead += 2 * 86_400
    assert _gate(office).refusal(waiting, StepName.DRAIN) == ""


def test_a_store_that_cannot_be_read_is_a_reason_in_words(
    office: RealOffice, waiting: Plan
) -> None:
    (office.settings.repository_folder / "metadata" / "timestamp.json").write_text("{")
    said = _gate(office).refusal(waiting, StepName.DRAIN)
    assert said.startswith(f"cannot judge whether {APP} may be installed: ")
