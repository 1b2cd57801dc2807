"""A plan's judgement as tables: go or no-go for each host, and what becomes of its modules."""

from coordinator.api.plan_schemas import Cell, MatrixRow, ModuleView, PlanView
from coordinator.cli.output import table
from coordinator.model import Gate, ModuleVerdict

_MOST_NAME, _MOST_VERSION = 24, 14
_GROUP = "(the group)"
_HELD = "not yet"
_WHY_HELD = f"{_HELD}: go, once {_GROUP} is"
_CELLS = {Cell.GO: "go", Cell.WARNING: "warning", Cell.NO_GO: "NO-GO"}
_VERDICTS = {
    ModuleVerdict.COMPATIBLE: "compatible, stays",
    ModuleVerdict.UPDATED: "[x] is updated along",
    ModuleVerdict.LEFT: "[ ] left as it is, compatible",
    ModuleVerdict.NOT_RELEASED: "warning: not released for it",
    ModuleVerdict.NOT_UPDATABLE: "warning: cannot be updated",
    ModuleVerdict.BLOCKS: "BLOCKS: needed, and not compatible",
}


def matrix_text(found: PlanView) -> str:
    """Return the go / no-go of each host, at most 100 columns wide; "" for a drill."""
    if found.drill:
        return ""
    waits = any(not row.host and row.verdict is Cell.NO_GO for row in found.matrix)
    rows = [
        (
            _cut(row.host or _GROUP, _MOST_NAME),
            _verdict(row, group_waits=waits),
            *(_CELLS[row.gates[gate]] for gate in Gate),
        )
        for row in found.matrix
    ]
    judged = table(("judged", "all in all", *(gate.value for gate in Gate)), rows, "")
    is_held = any(row[1] == _HELD for row in rows)
    return f"{judged}\n{_WHY_HELD}" if is_held else judged


def _verdict(row: MatrixRow, *, group_waits: bool) -> str:
    """Return a row's verdict; no host goes before its group does."""
    is_held = group_waits and row.host and row.verdict is not Cell.NO_GO
    return _HELD if is_held else _CELLS[row.verdict]


def modules_text(found: PlanView) -> str:
    """Return what becomes of each host's modules; "" where there are none."""
    rows = [
        (
            _cut(host.host, _MOST_NAME),
            _cut(module.name, _MOST_NAME),
            _cut(module.from_version or "not read", _MOST_VERSION),
            _cut(module.to_version, _MOST_VERSION) if _moves(module) else "",
            _VERDICTS[module.verdict],
        )
        for host in found.hosts
        for module in host.modules
    ]
    return table(("host", "module", "from", "to", "what becomes of it"), rows, "")


def _moves(module: ModuleView) -> bool:
    return module.verdict is ModuleVerdict.UPDATED


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
