"""Over random fleets and releases: what blocks is never started, and unticking mends nothing."""

import datetime as dt
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.wire.contract import Severity
from agent.wire.profile import ApplyKind, Licence
from agent.wire.terms import ModuleTerms, Terms
from agent.wire.versions import is_in, is_older
from coordinator.model import HostStanding, ModuleVerdict, Plan, PlannedHost
from coordinator.planning.basis import Basis, PackageChoice
from coordinator.planning.entitlement import Entitlement, Held
from coordinator.planning.judge_modules import Leave
from coordinator.planning.plan import make_plan
from coordinator.planning.preflight import verdict
from tests.planning.office import make_basis, make_host, make_profile, make_request, package, said

_NAMES = ("crm", "fax", "voice", "own")
_VERSIONS = st.sampled_from(["", "0.9", "1.0", "1.1", "1.5", "2.0", "2.1", "spring"])
_RANGES = st.sampled_from(["", ">=1", ">=1.5,<3", "<1.2", "==2.0"])
_ROLES = ("server", "workstation")
_ORDERS: st.SearchStrategy[tuple[str, ...]] = st.sampled_from([(), _ROLES, _ROLES[::-1]])
_DAYS = st.sampled_from(["", "2026-01-01", "2027-01-01"])
_ENDS = st.none() | st.sampled_from([dt.date(2025, 1, 1), dt.date(2026, 6, 1)])


def _modules() -> st.SearchStrategy[tuple[ModuleTerms, ...]]:
    one = st.builds(
        ModuleTerms, st.sampled_from(_NAMES), _VERSIONS, _RANGES, _RANGES, st.booleans()
    )
    return st.lists(one, max_size=4, unique_by=lambda module: module.name).map(tuple)


_TERMS = st.builds(
    Terms,
    released=_DAYS,
    editions=st.sampled_from([(), ("basic",), ("basic", "advanced")]),
    contract=st.booleans(),
    over=_RANGES,
    downgrade=st.booleans(),
    roles=_ORDERS,
    modules=_modules(),
)
_HELD = st.builds(
    Entitlement,
    app=st.just("office"),
    holder=st.just("Roy"),
    edition=st.sampled_from(["", "basic", "advanced"]),
    seats=st.integers(1, 5),
    contract_end=_ENDS,
    valid_until=_ENDS,
)
_LEAVES = st.lists(st.sampled_from([*_NAMES, "crm@PC-0", "none"]).map(Leave.parse), max_size=3)


@st.composite
def _offices(draw: st.DrawFn) -> Basis:
    count = draw(st.integers(1, 4))
    hosts, surveys = [], {}
    for number in range(count):
        standing = draw(st.sampled_from([HostStanding.ENROLLED] * 3 + [HostStanding.HELD]))
        host = make_host(f"PC-{number}", role=draw(st.sampled_from(_ROLES)), standing=standing)
        told = draw(st.dictionaries(st.sampled_from(_NAMES), _VERSIONS))
        facts = {f"module.{name}": version for name, version in told.items()}
        hosts.append(host)
        surveys[host.name] = said(draw(_VERSIONS), **facts)
    profile = make_profile()
    kind = draw(st.sampled_from([ApplyKind.REPLACE_FOLDER, ApplyKind.ATTENDED]))
    profile = replace(
        profile,
        apply=replace(profile.apply, kind=kind),
        licence=Licence(required=draw(st.booleans())),
        server_first=draw(st.sampled_from(["", "server"])),
    )
    packages: list[PackageChoice] = [
        replace(package(role), terms=draw(_TERMS)) for role in _ROLES if draw(st.booleans())
    ]
    held = Held(draw(st.none() | _HELD))
    return make_basis(hosts, surveys, profile=profile, packages=packages, held=held, seats=count)


def _plan(basis: Basis, *leave: Leave) -> Plan:
    return make_plan(make_request("", leave=leave), basis)


def _blocking(plan: Plan) -> set[tuple[str, str]]:
    """What blocks, by host and code; the reasons against unticking itself left out."""
    marked = zip(plan.marks, plan.findings, strict=True)
    found = {(m.host, f.code) for m, f in marked if f.severity is Severity.BLOCKS}
    return {(host, code) for host, code in found if not code.startswith("leave-")}


@given(_offices(), _LEAVES)
def test_no_host_that_something_blocks_is_ever_visited_by_a_rollout_that_starts(
    basis: Basis, leave: list[Leave]
) -> None:
    plan = _plan(basis, *leave)

    if verdict(plan).go:
        visited = {planned.id for planned in plan.hosts if planned.visited}
        assert not _blocking(plan)
        assert visited
        for planned in plan.hosts:
            assert all(m.verdict is not ModuleVerdict.BLOCKS for m in planned.modules)
            if planned.visited:
                _must_be_allowed(basis, plan, planned)


def _must_be_allowed(basis: Basis, plan: Plan, planned: PlannedHost) -> None:
    """Say once more, from the terms alone, what lets this host be updated."""
    terms = next(p.terms for p in basis.packages if p.target == planned.package)
    held = basis.held.entitlement
    assert terms.downgrade or not is_older(plan.version, planned.from_version)
    assert is_in(planned.from_version, terms.over)
    assert held is not None or not (basis.profile.licence.required or terms.editions)
    assert held is None or held.seats >= basis.seats
    assert held is None or not terms.editions or held.edition in terms.editions
    if terms.contract:
        assert held is not None
        assert held.contract_end is not None
        assert (terms.released or "2026-03-10") <= held.contract_end.isoformat()


@given(_offices(), _LEAVES)
def test_unticking_takes_nothing_away_but_updates_of_modules(
    basis: Basis, leave: list[Leave]
) -> None:
    ticked, unticked = _plan(basis), _plan(basis, *leave)

    assert _blocking(ticked) <= _blocking(unticked)
    for before, after in zip(ticked.hosts, unticked.hosts, strict=True):
        left = {one.module for one in leave if one.means(after)}
        assert set(before.leaves) <= set(after.leaves)
        assert replace(before, modules=(), leaves=()) == replace(after, modules=(), leaves=())
        for old, new in zip(before.modules, after.modules, strict=True):
            assert old == new or (old.verdict is ModuleVerdict.UPDATED and old.name in left)
            assert (new.name in left) <= (new.verdict is not ModuleVerdict.UPDATED)


@given(_offices())
def test_every_plan_can_be_told_and_each_finding_has_its_place(basis: Basis) -> None:
    plan = _plan(basis)

    known = {planned.id for planned in plan.hosts} | {""}
    assert len(plan.marks) == len(plan.findings)
    assert {mark.host for mark in plan.marks} <= known
    for finding in plan.findings:
        assert finding.fix or finding.severity is not Severity.BLOCKS


@given(_offices())
def test_a_module_is_never_put_back_to_an_older_one(basis: Basis) -> None:
    for planned in _plan(basis).hosts:
        for module in planned.modules:
            updated = module.verdict is ModuleVerdict.UPDATED
            assert updated or module.to_version == module.from_version
            assert not (updated and module.name in planned.leaves)


@given(_offices())
def test_with_no_terms_at_all_nothing_is_refused_but_what_was_before(basis: Basis) -> None:
    plain = [replace(p, terms=Terms()) for p in basis.packages]
    free = replace(basis.profile, licence=Licence(), server_first="")
    found = _blocking(_plan(replace(basis, packages=plain, profile=free, held=Held())))

    assert {code for _, code in found} <= {"no-package", "downgrade", "nothing-to-do"}
