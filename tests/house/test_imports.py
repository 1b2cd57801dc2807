"""The architecture, as a test: who may import whom, and which library lives where."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.house.areas import AREAS, HOMES, MAY_IMPORT, area_of
from tests.house.source import (
    MODULES,
    OURS,
    early_imports_of,
    imports_in,
    imports_of,
    is_third_party,
    late_imports_in,
    parsed,
    relative_imports_in,
    within,
)

EACH_MODULE = pytest.mark.parametrize("module", list(MODULES))


@EACH_MODULE
def test_imports_follow_the_picture_of_the_house(module: str) -> None:
    area = area_of(module)
    ours = {other for other in imports_of(module) if other in MODULES and other not in OURS}
    strangers = {other for other in ours if area_of(other) not in {area} | MAY_IMPORT[area]}
    assert not strangers, f"{area} may import: {sorted(MAY_IMPORT[area])}"


@EACH_MODULE
def test_the_agent_never_imports_the_coordinator(module: str) -> None:
    if within(module, "agent"):
        assert not [other for other in imports_of(module) if within(other, "coordinator")]


@EACH_MODULE
def test_each_library_stays_at_home(module: str) -> None:
    used = {other.split(".")[0] for other in imports_of(module)}
    libraries = {name for name in used if is_third_party(name) or name in HOMES}
    lost = {
        library
        for library in libraries
        if not any(within(module, home) for home in HOMES.get(library, ()))
    }
    assert not lost


@EACH_MODULE
def test_imports_are_absolute_and_stand_at_the_top(module: str) -> None:
    tree = parsed(module)
    assert relative_imports_in(tree) == []
    if not within(module, "coordinator.cli"):  # loads the engine late, to answer fast
        assert late_imports_in(tree) == []


@pytest.mark.parametrize("module", [m for m in AREAS["contract"] if m in MODULES])
def test_what_both_sides_read_needs_the_standard_library_only(module: str) -> None:
    assert not [other for other in imports_of(module) if is_third_party(other)]


@pytest.mark.parametrize("module", [m for m in MODULES if within(m, "coordinator.standin")])
def test_the_stand_in_and_its_witness_rest_on_nothing_of_ours(module: str) -> None:
    assert not [other for other in imports_of(module) if other in MODULES or is_third_party(other)]


def test_no_module_imports_itself_over_others() -> None:
    graph = {module: {m for m in early_imports_of(module) if m in MODULES} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_area_has_a_row() -> None:
    assert set(MAY_IMPORT) == set(AREAS)
    assert not {area for allowed in MAY_IMPORT.values() for area in allowed} - set(AREAS)


def test_the_areas_make_no_circle() -> None:
    """Whoever may import another may not be imported by it, however far around.

    The demo is left out: it is one of the commands, and it runs the others.
    """
    graph = {area: MAY_IMPORT[area] - {area, "demo"} for area in AREAS if area != "demo"}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("module", "area"),
    [
        ("agent.wire.contract", "contract"),
        ("agent.wire.link", "wire"),
        ("agent.wire.contract_of_others", "wire"),
        ("agent.steps.drain", "steps"),
        ("agent.steps.table", "step table"),
        ("agent.journal", "agent's ground"),
        ("coordinator.walk.visit", "walk"),
        ("coordinator.anything_new", "coordinator's ground"),
    ],
)
def test_a_module_belongs_to_the_area_that_names_it_best(module: str, area: str) -> None:
    assert area_of(module) == area


def test_every_kind_of_import_is_seen() -> None:
    source = """
import os.path, psutil
from agent.wire import link, PROTOCOL
from . import near
def late():
    import dbos
    from agent.journal import Journal
"""
    tree = ast.parse(source)
    seen = {"os.path", "psutil", "agent.wire.link", "agent.wire", "", "dbos", "agent.journal"}
    assert set(imports_in(tree)) == seen
    assert relative_imports_in(tree) == [4]
    assert late_imports_in(tree) == [6, 7]
