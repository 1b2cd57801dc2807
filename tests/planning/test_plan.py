import json
from datetime import UTC
from typing import Any

import pytest

from agent.wire.codec import decode, encode
from agent.wire.contract import Finding, Severity
from coordinator.model import AfterRollBack, FailurePolicy, HostStanding, Plan
from coordinator.planning.plan import make_plan
from coordinator.planning.window import Within
from tests.planning.office import (
    NOW,
    make_basis,
    make_host,
    make_profile,
    make_request,
    package,
    said,
)

HALF = Finding("half-update", Severity.WARNING, "app 1.1, service manager 1.0")
FULL = Finding("disk-full", Severity.BLOCKS, "no room")


def _names(plan: Plan) -> list[str]:
    return [planned.name for planned in plan.hosts]


def _found(plan: Plan, severity: Severity = Severity.BLOCKS) -> list[str]:
    return [f.code for f in plan.findings if f.severity is severity]


# -- who, and in which order -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "names"),
    [
        ({"PC-2": 0, "PC-1": 0, "pc-3": 0}, ["PC-1", "PC-2", "pc-3"]),
        ({"PC-1": 5, "SRV": 1, "PC-2": 5}, ["SRV", "PC-1", "PC-2"]),
        ({"b": 1, "A": 1, "c": 0}, ["c", "A", "b"]),
    ],
)
def test_hosts_are_visited_by_their_order_and_then_by_name(
    orders: dict[str, int], names: list[str]
) -> None:
    hosts = [make_host(name, order=order) for name, order in orders.items()]
    assert _names(make_plan(make_request(), make_basis(hosts))) == names


def test_every_place_has_its_reason() -> None:
    hosts = [
        make_host("PC-1"),
        make_host("PC-2", order=3),
        make_host("PC-3", standing=HostStanding.HELD, reason="Marie is on leave", order=4),
        make_host("PC-4", order=5),
    ]
    plan = make_plan(make_request(), make_basis(hosts, {"PC-4": said("1.1")}))
    assert [(p.visited, p.reason) for p in plan.hosts] == [
        (True, "by name"),
        (True, "order 3, then by name"),
        (False, "held: Marie is on leave; its app is kept closed meanwhile"),
        (False, "has 1.1 already; its app is kept closed meanwhile"),
    ]


def test_a_revoked_host_is_no_part_of_the_group() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2", standing=HostStanding.REVOKED)]
    assert _names(make_plan(make_request(), make_basis(hosts))) == ["PC-1"]


def test_a_host_that_is_half_updated_is_visited_though_its_app_has_the_version() -> None:
    plan = make_plan(make_request(), make_basis([make_host("PC-1")], {"PC-1": said("1.1", HALF)}))
    assert plan.hosts[0].visited


def test_the_version_installed_is_what_the_host_said() -> None:
    plan = make_plan(make_request(), make_basis([make_host("PC-1")], {"PC-1": said("0.9")}))
    assert plan.hosts[0].from_version == "0.9"


# -- packages --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ([("workstation", "linux"), ("any", "any")], "workstation-linux"),
        ([("any", "any"), ("any", "linux"), ("workstation", "any")], "workstation-any"),
        ([("any", "any"), ("any", "linux")], "any-linux"),
        ([("server", "linux"), ("any", "any")], "any-any"),
    ],
)
def test_the_package_for_the_hosts_role_and_system_comes_before_one_for_any(
    there: list[tuple[str, str]], chosen: str
) -> None:
    packages = [package(role, system) for role, system in there]
    plan = make_plan(make_request(), make_basis([make_host("PC-1")], packages=packages))
    assert plan.hosts[0].package.name == f"office/1.1/{chosen}.json"
    assert _found(plan) == []


def test_no_package_for_a_role_or_system_blocks_and_says_what_to_add() -> None:
    hosts = [make_host("PC-1"), make_host("SRV", role="server")]
    plan = make_plan(make_request(), make_basis(hosts))
    assert _found(plan) == ["no-package"]
    assert plan.findings[0].message == "SRV: no signed package of 1.1 for role server there"
    assert "roundsman release add office 1.1 FILE --role server" in plan.findings[0].fix


def test_a_host_that_is_not_visited_needs_no_package() -> None:
    host = make_host("SRV", role="server", standing=HostStanding.HELD)
    plan = make_plan(make_request(), make_basis([make_host("PC-1"), host]))
    assert _found(plan) == []


# -- versions --------------------------------------------------------------------------------


def test_a_downgrade_blocks() -> None:
    plan = make_plan(make_request(), make_basis([make_host("PC-1")], {"PC-1": said("2.0")}))
    assert _found(plan) == ["downgrade"]
    assert plan.findings[0].message == "PC-1: has 2.0, which is newer than 1.1"


# -- time ------------------------------------------------------------------------------------


def test_a_visit_is_estimated_by_the_profile_or_by_the_slowest_one_known() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2"), make_host("PC-3")]
    basis = make_basis(hosts, slowest={hosts[1].id: 200.0, hosts[2].id: 10.0})
    plan = make_plan(make_request(), basis)
    assert [p.estimate_seconds for p in plan.hosts] == [60.0, 200.0, 60.0]


@pytest.mark.parametrize(
    ("window", "opens", "hours"),
    [("12:00-14:00", 3 * 3600, 5), ("08:00-10:00", 0, 1), ("22:00-02:00", 13 * 3600, 17)],
)
def test_it_opens_with_its_window_and_never_in_the_past(
    window: str, opens: float, hours: float
) -> None:
    plan = make_plan(make_request(window, zone=UTC), make_basis([make_host("PC-1")]))
    assert (plan.opens - NOW, plan.deadline - NOW) == (opens, hours * 3600)


def test_without_a_window_it_ends_on_the_same_day() -> None:
    plan = make_plan(make_request(zone=UTC), make_basis([make_host("PC-1")]))
    assert (plan.opens - NOW, plan.deadline - NOW) == (0, 15 * 3600)


def test_a_group_that_does_not_fit_blocks_and_says_by_how_much() -> None:
    hosts = [make_host(f"PC-{n}") for n in range(9)]
    plan = make_plan(make_request(window=Within(599.0)), make_basis(hosts))
    assert _found(plan) == ["does-not-fit"]
    assert plan.findings[0].message == "the group needs 10 min and the window has 9 min"


@pytest.mark.parametrize(("room", "fits"), [(600.0, True), (599.0, False)])
def test_it_fits_when_grace_visits_and_one_way_back_end_by_the_deadline(
    room: float, fits: bool
) -> None:
    hosts = [make_host(f"PC-{n}") for n in range(9)]  # 30 + 9 * 60 + 30
    plan = make_plan(make_request(window=Within(room)), make_basis(hosts))
    assert (_found(plan) == []) is fits


# -- what is found ---------------------------------------------------------------------------


def test_what_a_host_found_is_passed_on_with_its_name() -> None:
    note = Finding("left-over-old", Severity.WARNING, "an older _old is there", "move it away")
    plan = make_plan(
        make_request(),
        make_basis([make_host("PC-1")], {"PC-1": said("1.0", note, FULL)}),
    )
    assert [(f.code, f.message) for f in plan.findings] == [
        ("disk-full", "PC-1: no room"),
        ("left-over-old", "PC-1: an older _old is there"),
    ]


def test_what_hinders_the_update_of_a_host_that_is_not_updated_does_not_block() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2", standing=HostStanding.HELD), make_host("PC-3")]
    surveys = {"PC-2": said("1.0", FULL), "PC-3": said("1.1", FULL)}
    plan = make_plan(make_request(), make_basis(hosts, surveys))
    assert _found(plan) == []
    assert _found(plan, Severity.WARNING) == ["disk-full", "disk-full"]


def test_blocking_findings_come_first_and_are_never_cut_off() -> None:
    notes = [Finding("keep-nothing", Severity.NOTE, f"note {n}") for n in range(40)]
    hosts = [make_host(f"PC-{n:03}") for n in range(50)]
    surveys = {h.name: said("1.0", *notes) for h in hosts} | {"PC-049": said("2.0", FULL)}
    plan = make_plan(make_request(), make_basis(hosts, surveys))
    assert len(plan.findings) == 500
    assert {f.code for f in plan.findings[:2]} == {"disk-full", "downgrade"}
    assert decode(Plan, json.loads(json.dumps(encode(plan)))) == plan


def test_a_plan_survives_what_hosts_may_say_at_their_longest() -> None:
    host = make_host("PC-1", standing=HostStanding.HELD, reason="x" * 500)
    surveys = {"PC-1": said("9" * 400), "PC-2": said("8" * 400, FULL)}
    plan = make_plan(make_request(), make_basis([host, make_host("PC-2")], surveys))
    assert decode(Plan, json.loads(json.dumps(encode(plan)))) == plan


@pytest.mark.parametrize("changes", [{}, {"grace_seconds": 5.0}, {"grace_seconds": 0.0}])
def test_the_grace_is_what_was_asked_for_or_the_profiles(changes: dict[str, Any]) -> None:
    plan = make_plan(make_request(**changes), make_basis([make_host("PC-1")]))
    assert plan.grace_seconds == changes.get("grace_seconds", 30.0)


def test_the_rest_is_taken_over_as_asked() -> None:
    policy = FailurePolicy(3, AfterRollBack.SKIP)
    basis = make_basis([make_host("PC-1")], profile=make_profile(closed_while_others_update=False))
    plan = make_plan(make_request(policy=policy, notice="soon"), basis)
    assert (plan.policy, plan.notice, plan.asked_by) == (policy, "soon", "ann")
    assert plan.close_between_visits is False
    assert plan.profile == basis.profile_target
