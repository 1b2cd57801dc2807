"""Data that a group shares: one host holds it, and a plan without that host cannot be started."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.wire.codec import decode, encode
from agent.wire.contract import Severity
from agent.wire.profile import Data, DataScope
from coordinator.model import Host, HostStanding, Plan, SharedData, SurveyOf
from coordinator.planning.plan import make_plan
from coordinator.planning.preflight import changes_since, seconds_needed, timetable, verdict
from tests.planning.office import make_basis, make_host, make_profile, make_request, package, said

SHARED = Data(DataScope.SHARED, ("/srv/office",), "server")
SERVER = make_host("SRV", role="server", order=1)
PC = make_host("PC-1", order=2)
KNOWN = said(data_bytes="200000000")


def _plan(
    hosts: list[Host], surveys: dict[str, SurveyOf] | None = None, data: Data = SHARED
) -> Plan:
    surveys = {"SRV": KNOWN} if surveys is None else surveys
    basis = make_basis(
        hosts,
        surveys,
        profile=make_profile(data=data),
        packages=[package(), package("server")],
    )
    return make_plan(make_request(), basis)


def _codes(plan: Plan, severity: Severity = Severity.BLOCKS) -> list[str]:
    return [f.code for f in plan.findings if f.severity is severity]


def test_the_plan_names_the_one_host_that_holds_the_data() -> None:
    plan = _plan([SERVER, PC])
    assert verdict(plan).go
    assert plan.data == SharedData(SERVER.id, old_reads_new=False, seconds=10.0)
    note = next(f.message for f in plan.findings if f.code == "data-backed-up")
    assert note == (
        "SRV backs up the data the group shares, 200.0 MB, before the first visit; after that "
        "no host is rolled back alone, as the old release cannot read it"
    )


def test_data_of_each_host_alone_is_no_matter_of_the_plan() -> None:
    plan = _plan([SERVER, PC], data=Data())
    assert plan.data is None
    assert not [f for f in plan.findings if f.code.startswith("data-")]


def test_machines_that_are_not_enrolled_are_warned_of() -> None:
    assert _codes(_plan([SERVER, PC]), Severity.WARNING) == ["data-open-to-others"]


def test_a_holder_that_has_the_release_already_is_still_the_holder() -> None:
    plan = _plan([SERVER, PC], {"SRV": said("1.1", data_bytes="1")})
    assert not plan.hosts[0].visited
    assert plan.data is not None
    assert verdict(plan).go


@pytest.mark.parametrize(
    ("hosts", "surveys", "code", "mend"),
    [
        ([PC], {}, "data-holder-missing", "roundsman fleet import FILE"),
        (
            [replace(SERVER, standing=HostStanding.REVOKED), PC],
            {}, "data-holder-missing", "roundsman fleet import FILE",
        ),
        (
            [SERVER, make_host("SRV-2", role="server")],
            {}, "data-holder-not-one", "roundsman fleet import FILE",
        ),
        (
            [replace(SERVER, standing=HostStanding.HELD), PC],
            {}, "data-holder-held", "roundsman fleet release SRV",
        ),
        (
            [SERVER, PC], {"SRV": SurveyOf({}, problem="no answer")},
            "data-holder-silent", "roundsman fleet show SRV",
        ),
        ([SERVER, PC], {"SRV": said()}, "data-absent", "agent.toml"),
        (
            [SERVER, PC], {"SRV": said(data_bytes="9", data_problem="cannot hold the backup")},
            "data-cannot-be-kept", "make room",
        ),
        (
            [SERVER, PC], {"SRV": said("1.1", data_bytes="9", data_problem="a disk of its own")},
            "data-cannot-be-kept", "make room",
        ),
    ],
)  # fmt: skip
def test_without_a_holder_that_can_keep_it_the_plan_cannot_be_started(
    hosts: list[Host], surveys: dict[str, SurveyOf], code: str, mend: str
) -> None:
    plan = _plan(hosts, surveys)
    assert not verdict(plan).go
    found = next(f for f in plan.findings if f.code == code)
    assert (found.severity, mend in found.fix) == (Severity.BLOCKS, True)


def test_backing_it_up_takes_its_time_and_so_does_taking_all_back() -> None:
    one_way, two_way = (
        _plan([SERVER, PC]),
        _plan([SERVER, PC], data=replace(SHARED, old_reads_new=True)),
    )
    assert seconds_needed(two_way) == 30 + 10 + 120 + 30
    assert seconds_needed(one_way) == 30 + 10 + 120 + 60 + 10
    assert timetable(one_way)[0].begins == one_way.opens + 30 + 10


def test_a_holder_that_is_held_since_is_a_change() -> None:
    plan = _plan([SERVER, PC], {"SRV": said("1.1", data_bytes="1")})
    held = replace(SERVER, standing=HostStanding.HELD)
    assert changes_since(plan, [held, PC], []) == ["SRV is held"]


def test_a_plan_kept_by_an_earlier_version_can_still_be_read() -> None:
    kept: dict[str, Any] = json.loads(json.dumps(encode(_plan([SERVER, PC]))))
    del kept["data"]
    assert decode(Plan, kept).data is None


def test_a_plan_with_shared_data_is_read_as_it_was_written() -> None:
    plan = _plan([SERVER, PC])
    assert decode(Plan, json.loads(json.dumps(encode(plan)))) == plan
