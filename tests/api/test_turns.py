"""An operator takes an attended update over, from the person at the workstation."""

import pytest

from agent.wire.contract import Direction, StepName, StepReport, StepState
from agent.wire.errors import LinkLost
from coordinator.complaint import Complaint
from coordinator.walk.ports import News
from coordinator.walk.states import HostState, RolloutState
from tests.api.real import RealOffice
from tests.plans import make_plan

HOST, NAME = "pc-01-abcdef", "profiles/office.toml"
ATTENDED = """
[profile]
name = "office"
title = "Office"
[app]
folders = ["/opt/office"]
programs = ["bin/app"]
version = { file = "version", pattern = '(.+)' }
[apply]
kind = "attended"
open = ["bin/app"]
"""


@pytest.fixture
def rollout(office: RealOffice) -> str:
    office.add_hosts()
    target = office.repository.add(NAME, ATTENDED.encode())
    office.rollouts.add_plan(make_plan(profile=target))
    return office.start("p1")


def _update(office: RealOffice, rollout: str, state: StepState) -> None:
    office.tell(rollout, News(RolloutState.WALKING, host=HOST, state=HostState.UPDATING))
    office.agents.reports[StepName.APPLY_RELEASE] = StepReport("", Direction.DO, state)


def test_the_turn_of_the_person_there_is_ended(office: RealOffice, rollout: str) -> None:
    _update(office, rollout, StepState.RUNNING)
    with office.client() as client:
        assert client.take_over("r1").label == "r1"
    ordered = office.agents.cancelled
    assert [(o.step_id, o.direction) for o in ordered] == [
        (f"{rollout}/{HOST}/apply-release", Direction.DO)
    ]


@pytest.mark.parametrize("state", [StepState.DONE, StepState.UNHEARD, StepState.FAILED])
def test_there_is_nothing_to_take_over_when_nobody_is_at_it(
    office: RealOffice, rollout: str, state: StepState
) -> None:
    _update(office, rollout, state)
    with office.client() as client, pytest.raises(Complaint, match="nobody is updating it"):
        client.take_over("r1")


def test_no_workstation_being_updated_is_said(office: RealOffice, rollout: str) -> None:
    with office.client() as client, pytest.raises(Complaint, match="no workstation is being"):
        client.take_over(rollout)


def test_an_agent_that_does_not_answer_is_said(office: RealOffice, rollout: str) -> None:
    _update(office, rollout, StepState.RUNNING)
    office.agents.silent = LinkLost("no link")
    with office.client() as client, pytest.raises(Complaint, match="no answer from it: no link"):
        client.take_over("r1")


def test_an_update_that_nobody_attends_is_not_taken_over(office: RealOffice) -> None:
    office.add_hosts()
    kind = 'kind = "replace-folder"'
    text = ATTENDED.replace('kind = "attended"\nopen = ["bin/app"]', kind)
    target = office.repository.add(NAME, text.encode())
    office.rollouts.add_plan(make_plan(profile=target))
    _update(office, office.start("p1"), StepState.RUNNING)
    with office.client() as client, pytest.raises(Complaint, match="is not updated by the person"):
        client.take_over("r1")
