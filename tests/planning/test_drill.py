from agent.wire.contract import Finding, Severity
from agent.wire.profile import Data, DataScope
from coordinator.model import HostStanding, Plan
from coordinator.planning.plan import make_plan
from coordinator.planning.window import Span
from tests.planning.office import NOW, make_basis, make_host, make_profile, make_request, said

FULL = Finding("disk-full", Severity.BLOCKS, "no room")


def _codes(plan: Plan) -> list[str]:
    return [f.code for f in plan.findings if f.severity is Severity.BLOCKS]


def test_a_drill_visits_hosts_that_have_the_version_needs_no_package_and_no_newer_one() -> None:
    hosts = [make_host("PC-1"), make_host("PC-2"), make_host("PC-3", standing=HostStanding.HELD)]
    basis = make_basis(hosts, {"PC-1": said("1.1"), "PC-2": said("2.0")}, packages=[])
    plan = make_plan(make_request(drill=True), basis)
    assert plan.drill
    assert _codes(plan) == []
    assert [(p.from_version, p.visited) for p in plan.hosts] == [
        ("1.1", True), ("2.0", True), ("1.0", False),
    ]  # fmt: skip


def test_a_host_whose_version_cannot_be_read_could_not_be_proven_back() -> None:
    plan = make_plan(make_request(drill=True), make_basis([make_host("PC-1")], {"PC-1": said("")}))
    assert _codes(plan) == ["version-unknown"]


def test_what_hinders_an_update_hinders_no_drill_without_a_backup() -> None:
    basis = make_basis([make_host("PC-1")], {"PC-1": said("1.0", FULL)})
    assert _codes(make_plan(make_request(drill=True), basis)) == ["disk-full"]
    assert _codes(make_plan(make_request(drill=True, backs_up=False), basis)) == []


def test_a_drill_without_a_backup_leaves_the_data_alone() -> None:
    data = Data(DataScope.SHARED, ("/srv/x",), "workstation")
    host = {"PC-1": said("1.0", data_bytes="5")}
    basis = make_basis([make_host("PC-1")], host, profile=make_profile(data=data))
    assert make_plan(make_request(drill=True), basis).data is not None
    assert make_plan(make_request(drill=True, backs_up=False), basis).data is None


def test_a_drill_may_have_the_very_window_of_another_plan() -> None:
    span = Span(NOW + 60, NOW + 5000)
    plan = make_plan(make_request(window=span, drill=True), make_basis([make_host("PC-1")]))
    assert (plan.opens, plan.deadline) == (NOW + 60, NOW + 5000)
