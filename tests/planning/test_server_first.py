from dataclasses import replace
from typing import Any

import pytest

from agent.wire.contract import Severity
from agent.wire.profile import Data, DataScope
from coordinator.model import HostStanding, Plan
from coordinator.planning.plan import make_plan
from coordinator.planning.preflight import timetable
from coordinator.planning.server_first import forecast_seconds
from coordinator.planning.window import Within
from tests.planning.office import make_basis, make_host, make_profile, make_request, package, said

SERVER = make_host("SRV", role="server", order=5)
CLIENTS = [make_host(f"PC-{n}", order=n) for n in (1, 2)]


def _plan(*hosts: Any, room: float = 7200.0, postpones: int = 0, **profile: Any) -> Plan:
    profile = {"server_first": "server"} | profile
    basis = make_basis(
        hosts or (SERVER, *CLIENTS),
        {"SRV": said("1.0", data_bytes="1000")},
        profile=make_profile(**profile),
        packages=[package("any", "any")],
    )
    return make_plan(make_request(Within(room), postpones=postpones), basis)


def _codes(plan: Plan, severity: Severity = Severity.BLOCKS) -> list[str]:
    return [f.code for f in plan.findings if f.severity is severity]


def test_the_profile_says_which_role_comes_first() -> None:
    plan = _plan()
    assert plan.server_first == "server"
    assert _codes(plan) == []


def test_a_group_without_that_role_is_refused() -> None:
    assert _codes(_plan(*CLIENTS)) == ["server-missing"]


def test_a_server_that_is_held_is_refused() -> None:
    held = replace(SERVER, standing=HostStanding.HELD)
    plan = _plan(held, *CLIENTS)
    assert _codes(plan) == ["server-held"]
    assert plan.findings[0].fix == "roundsman fleet release SRV"


@pytest.mark.parametrize(("old_reads_new", "codes"), [(False, ["server-first-data"]), (True, [])])
def test_data_that_the_old_release_cannot_read_is_refused_with_the_reason(
    old_reads_new: bool, codes: list[str]
) -> None:
    data = Data(DataScope.SHARED, ("/srv/x",), "server", old_reads_new)
    plan = _plan(data=data)
    assert _codes(plan) == codes
    if codes:
        assert "could not be read by the old one" in plan.findings[0].message


def test_only_what_must_be_done_has_to_fit_and_the_rest_is_a_warning() -> None:
    plan = _plan(room=130.0)  # 30 + 60 + 30 for the server; 2 x 90 for the others
    assert _codes(plan) == []
    assert _codes(plan, Severity.WARNING) == ["not-all-fit"]
    assert _codes(_plan(room=119.0)) == ["does-not-fit"]
    assert forecast_seconds(plan) == 120.0 + 180.0


def test_the_servers_turn_is_first_whatever_its_order_and_the_others_are_closed_again() -> None:
    plan = _plan()
    turns = {t.host.split("-1a")[0]: t.begins - plan.opens for t in timetable(plan)}
    assert turns == {"srv": 30.0, "pc-1": 30 + 60 + 30.0, "pc-2": 30 + 60 + 90 + 30.0}


def test_every_postponement_is_counted_before_a_promise_is_made() -> None:
    plan = _plan(room=700.0, postpones=2, server_first="")
    assert _codes(plan) == ["does-not-fit"]
    assert "10 min of it are what people may postpone" in plan.findings[0].message
    assert _codes(_plan(room=900.0, postpones=2, server_first="")) == []


def test_who_gets_no_grace_is_not_asked_and_postpones_nothing() -> None:
    basis = make_basis([make_host("PC-1")])
    plan = make_plan(make_request(grace_seconds=0.0, postpones=3), basis)
    assert plan.postpones == 0
