"""Versions, modules and roles are judged for each host, and the plan says so in a matrix."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.wire.codec import decode, encode
from agent.wire.contract import Finding, Severity
from agent.wire.profile import ApplyKind
from agent.wire.terms import ModuleTerms, Terms
from coordinator.model import Gate, HostStanding, ModuleVerdict, Plan
from coordinator.planning.judge_modules import UNTOLD, Leave, installed_modules, verdict_of
from coordinator.planning.plan import Basis, make_plan
from coordinator.planning.preflight import verdict
from tests.planning.office import make_basis, make_host, make_profile, make_request, package, said

_V = ModuleVerdict


def _whole_folder() -> object:
    profile = make_profile()
    return replace(profile, apply=replace(profile.apply, kind=ApplyKind.REPLACE_FOLDER, open=()))


def _basis(terms: Terms, *versions: str, **modules: str) -> Basis:
    hosts = [make_host(f"PC-{n}") for n in range(1, len(versions or "1") + 1)]
    facts = {f"module.{name}": version for name, version in modules.items()}
    surveys = {h.name: said(v, **facts) for h, v in zip(hosts, versions or ("1.0",), strict=True)}
    packages = [replace(package(), terms=terms)]
    return make_basis(hosts, surveys, packages=packages, profile=_whole_folder())


def _plan(terms: Terms, *versions: str, leave: Sequence[str] = (), **modules: str) -> Plan:
    request = make_request(leave=tuple(Leave.parse(text) for text in leave))
    return make_plan(request, _basis(terms, *versions, **modules))


def _codes(plan: Plan) -> list[str]:
    return [f.code for f in plan.findings]


# -- versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "installed", "codes", "goes"),
    [
        (Terms(), "1.0", [], True),
        (Terms(), "2.0", ["downgrade"], False),
        (Terms(downgrade=True), "2.0", ["downgrade-allowed"], True),
        (Terms(over=">=1"), "1.0", [], True),
        (Terms(over=">=1"), "0.9", ["version-too-old"], False),
        (Terms(over=">=1"), "spring", ["version-not-compared"], True),
        (Terms(over=">=1"), "", ["version-not-compared"], True),
        (
            Terms(over=">=3", downgrade=True),
            "2.0",
            ["downgrade-allowed", "version-too-old"],
            False,
        ),
    ],
)
def test_what_a_release_may_be_put_over(
    terms: Terms, installed: str, codes: list[str], goes: bool
) -> None:
    plan = _plan(terms, installed)

    assert sorted(_codes(plan)) == codes
    assert verdict(plan).go is goes


# -- modules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "installed", "left", "wanted"),
    [
        (None, "1.0", False, _V.NOT_RELEASED),
        (ModuleTerms("m"), "1.0", False, _V.COMPATIBLE),
        (ModuleTerms("m", works=">=2"), "1.0", False, _V.NOT_RELEASED),
        (ModuleTerms("m", works=">=2", needed=True), "1.0", False, _V.BLOCKS),
        (ModuleTerms("m", "2.0"), "1.0", False, _V.UPDATED),
        (ModuleTerms("m", "2.0", works=">=2", needed=True), "1.0", False, _V.UPDATED),
        (ModuleTerms("m", "2.0"), "1.0", True, _V.LEFT),
        (ModuleTerms("m", "2.0", works=">=2"), "1.0", True, _V.NOT_RELEASED),
        (ModuleTerms("m", "2.0", works=">=2", needed=True), "1.0", True, _V.BLOCKS),
        (ModuleTerms("m", "2.0", updates=">=1.5"), "1.0", False, _V.NOT_UPDATABLE),
        (ModuleTerms("m", "2.0", ">=2", ">=1.5"), "1.0", False, _V.NOT_UPDATABLE),
        (ModuleTerms("m", "2.0", ">=2", ">=1.5", needed=True), "1.0", False, _V.BLOCKS),
        (ModuleTerms("m", "2.0"), "2.0", False, _V.COMPATIBLE),
        (ModuleTerms("m", "2.0"), "2.1", False, _V.COMPATIBLE),
        (ModuleTerms("m", "2.0", works="<=2"), "2.1", False, _V.NOT_RELEASED),
        (ModuleTerms("m", "2.0"), "", False, _V.UPDATED),
    ],
)
def test_what_becomes_of_a_module(
    terms: ModuleTerms | None, installed: str, left: bool, wanted: ModuleVerdict
) -> None:
    assert verdict_of(terms, installed, is_left=left) is wanted


_TERMS = Terms(
    modules=(
        ModuleTerms("crm", "2.0"),
        ModuleTerms("fax", "2.0", works=">=1.5", updates=">=1.5"),
        ModuleTerms("voice", "2.0", works=">=2", needed=True),
    )
)


def test_modules_are_ticked_by_themselves_and_shown_for_each_host() -> None:
    plan = _plan(_TERMS, crm="1.0", fax="1.0", own="0.9")

    shown = {m.name: (m.from_version, m.to_version, m.verdict) for m in plan.hosts[0].modules}
    assert shown == {
        "crm": ("1.0", "2.0", _V.UPDATED),
        "fax": ("1.0", "1.0", _V.NOT_UPDATABLE),
        "own": ("0.9", "0.9", _V.NOT_RELEASED),
    }
    assert plan.hosts[0].leaves == ("fax",)  # the package brings one that may not be put over it
    assert _codes(plan) == ["module-not-updatable", "module-not-released"]
    assert decode(Plan, encode(plan)) == plan


def test_a_tick_can_be_taken_off_everywhere_or_on_one_host() -> None:
    everywhere = _plan(_TERMS, "1.0", "1.0", leave=["crm"], crm="1.0")
    on_one = _plan(_TERMS, "1.0", "1.0", leave=["crm@pc-2"], crm="1.0")

    assert [h.leaves for h in everywhere.hosts] == [("crm",), ("crm",)]
    assert [h.leaves for h in on_one.hosts] == [(), ("crm",)]
    assert [h.modules[0].verdict for h in on_one.hosts] == [_V.UPDATED, _V.LEFT]


def test_a_module_that_is_needed_and_left_blocks_with_its_mend() -> None:
    plan = _plan(_TERMS, leave=["voice"], voice="1.0")

    assert _codes(plan) == ["module-blocks"]
    assert plan.findings[0].message == (
        "PC-1: module voice 1.0 does not work with 1.1, and is needed"
    )
    assert not verdict(plan).go


def test_folders_that_keep_a_needed_module_out_of_sight_block_the_host() -> None:
    untold = Finding(UNTOLD, Severity.WARNING, "2 of 42 modules are not judged")
    basis = _basis(_TERMS, crm="1.0")
    surveys = {key: replace(said, findings=(untold,)) for key, said in basis.surveys.items()}
    plan = make_plan(make_request(), replace(basis, surveys=surveys))

    (found,) = [f for f in plan.findings if f.code == "module-unseen"]
    assert found.message.startswith("PC-1: whether voice works with 1.1 is not known")
    assert not verdict(plan).go
    seen = {key: replace(s, facts={**s.facts, "module.voice": "9"}) for key, s in surveys.items()}
    assert "module-unseen" not in _codes(make_plan(make_request(), replace(basis, surveys=seen)))


@pytest.mark.parametrize("slip", ["crn", "crm@PC-9", "voice", "@PC-1", "", "crm@"])
def test_a_slip_of_the_pen_is_not_taken_for_nothing(slip: str) -> None:
    plan = _plan(_TERMS, leave=[slip], crm="1.0")

    assert ("leave-unknown" in _codes(plan)) is (slip != "crm@")


@pytest.mark.parametrize(
    ("slip", "why"),
    [
        ("crm@PC-9", "no such workstation is in this plan, only: PC-1, PC-2"),
        ("crn", "no such module is installed on any workstation of this plan; there are: crm"),
        ("crn@PC-2", "no such module is installed on PC-2; there are: crm"),
    ],
)
def test_what_there_is_instead_is_told(slip: str, why: str) -> None:
    plan = _plan(_TERMS, "1.0", "1.0", leave=[slip], crm="1.0")

    (found,) = [f for f in plan.findings if f.code == "leave-unknown"]
    assert found.message == f"cannot leave {slip}: {why}"


def test_where_no_module_is_installed_that_is_said() -> None:
    plan = _plan(Terms(), leave=["crm"])

    (found,) = [f for f in plan.findings if f.code == "leave-unknown"]
    assert found.message.endswith("on any workstation of this plan, nor any other")


def test_of_many_workstations_the_first_are_named() -> None:
    plan = _plan(Terms(), *["1.0"] * 20, leave=["crm@PC-99"])

    (found,) = [f for f in plan.findings if f.code == "leave-unknown"]
    assert found.message.endswith(", and 8 more")


def test_where_an_installer_updates_nothing_can_be_unticked() -> None:
    basis = replace(_basis(_TERMS, crm="1.0"), profile=make_profile())
    plan = make_plan(make_request(leave=(Leave("crm"),)), basis)

    assert _codes(plan) == ["leave-not-possible"]
    assert "the person at the workstation updates the app" in plan.findings[0].message
    assert plan.hosts[0].leaves == ()


def test_a_release_that_says_nothing_of_modules_is_said_once() -> None:
    plan = _plan(Terms(), "1.0", "1.0", crm="1.0", fax="1.0")

    assert _codes(plan) == ["modules-not-judged"]


def test_a_host_that_is_not_visited_is_not_judged() -> None:
    basis = _basis(replace(_TERMS, over=">=9"), voice="0.1")
    held = [replace(h, standing=HostStanding.HELD) for h in basis.hosts]

    plan = make_plan(make_request(), replace(basis, hosts=held))

    assert plan.hosts[0].modules == ()
    assert _codes(plan) == ["nothing-to-do"]


@pytest.mark.parametrize(
    "fact", ["module." + "x" * 61, "modules", "module.", "module.\x1b[31m", "module.a b", "x"]
)
def test_what_is_no_module_is_not_taken_for_one(fact: str) -> None:
    assert installed_modules({fact: "1.0"}) == {}


@pytest.mark.parametrize("version", ["9" * 65, "1.0\x1b[31m", "1\n2"])
def test_a_version_that_cannot_be_shown_counts_as_not_read(version: str) -> None:
    assert installed_modules({"module.crm": version}) == {"crm": ""}


# -- roles ------------------------------------------------------------------------------------


def _of_roles(*roles: str, order: tuple[str, ...], **changes: object) -> Plan:
    hosts = [make_host(f"PC-{n}", role=role, order=-n) for n, role in enumerate(roles)]
    packages = [replace(package(role), terms=Terms(roles=order)) for role in set(roles)]
    profile = replace(make_profile(), **changes)  # type: ignore[arg-type]
    return make_plan(make_request(), make_basis(hosts, packages=packages, profile=profile))


def test_roles_are_visited_in_the_releases_order_before_any_other() -> None:
    plan = _of_roles("client", "server", "gateway", "other", order=("server", "gateway", "client"))

    assert [h.role for h in plan.hosts] == ["server", "gateway", "client", "other"]
    assert plan.hosts[0].reason == "role server first; order -1, then by name"
    assert _codes(plan) == []


def test_a_release_and_a_profile_that_want_another_role_first_block() -> None:
    plan = _of_roles("client", "server", order=("client", "server"), server_first="server")

    assert _codes(plan) == ["roles-contradict"]


def test_a_host_that_others_wait_for_and_is_held_blocks() -> None:
    hosts = [make_host("S", role="server", standing=HostStanding.HELD), make_host("C")]
    packages = [replace(package(), terms=Terms(roles=("server", "workstation")))]

    blocked = make_plan(make_request(), make_basis(hosts, packages=packages))
    updated = make_plan(make_request(), make_basis(hosts, {"S": said("1.1")}, packages=packages))

    assert _codes(blocked) == ["role-held"]
    assert _codes(updated) == []


def test_packages_that_disagree_about_the_order_block() -> None:
    packages = [
        replace(package("server"), terms=Terms(roles=("server", "client"))),
        replace(package("client"), terms=Terms(roles=("client", "server"))),
    ]
    hosts = [make_host("S", role="server"), make_host("C", role="client")]

    plan = make_plan(make_request(), make_basis(hosts, packages=packages))

    assert _codes(plan) == ["roles-disagree"]


# -- the matrix -------------------------------------------------------------------------------


def test_each_finding_is_marked_with_its_host_and_its_gate() -> None:
    terms = replace(_TERMS, over=">=1", editions=("basic",))
    plan = _plan(terms, "1.0", "0.9", voice="1.0", own="1.0")

    marked = {(m.host, m.gate, f.code) for m, f in zip(plan.marks, plan.findings, strict=True)}
    assert marked == {
        ("", Gate.LICENCE, "licence-missing"),
        ("pc-2-1a2b3c", Gate.VERSION, "version-too-old"),
        ("pc-1-1a2b3c", Gate.MODULES, "module-not-released"),
        ("pc-2-1a2b3c", Gate.MODULES, "module-not-released"),
    }
    assert plan.findings[0].severity is Severity.BLOCKS


def test_a_drill_applies_nothing_so_no_release_is_judged() -> None:
    basis = _basis(replace(_TERMS, editions=("basic",), over=">=9"), voice="1.0")

    plan = make_plan(make_request(drill=True), basis)

    assert _codes(plan) == []
    assert plan.hosts[0].modules == ()
