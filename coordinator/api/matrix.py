"""A plan's judgement as operators' programs see it: host by host, gate by gate, each reason."""

from collections.abc import Iterable

from agent.wire.contract import Severity
from coordinator.api.plan_schemas import Cell, MatrixRow, ModuleView, PlanFindingView
from coordinator.model import Gate, Plan, PlannedHost

_CELLS = {Severity.NOTE: Cell.GO, Severity.WARNING: Cell.WARNING, Severity.BLOCKS: Cell.NO_GO}
_BY_WEIGHT = (Cell.GO, Cell.WARNING, Cell.NO_GO)


def finding_views_of(plan: Plan) -> list[PlanFindingView]:
    """Return the findings of a plan, each with its host's name and its gate where it has them."""
    names = {planned.id: planned.name for planned in plan.hosts}
    marks = [*plan.marks, *[None] * (len(plan.findings) - len(plan.marks))]
    return [
        PlanFindingView(
            host=names.get(mark.host, "") if mark else "",
            gate=mark.gate if mark else None,
            code=finding.code,
            severity=finding.severity,
            message=finding.message,
            fix=finding.fix,
        )
        for mark, finding in zip(marks, plan.findings, strict=True)
    ]


def matrix_of(plan: Plan) -> tuple[MatrixRow, ...]:
    """Return what each gate says of the whole group, and of each host; () of an older plan."""
    if len(plan.marks) != len(plan.findings):
        return ()
    each = (_row(plan, planned.name, planned.id) for planned in plan.hosts)
    return (_row(plan, "", ""), *each)


def _row(plan: Plan, name: str, host: str) -> MatrixRow:
    found: dict[Gate, list[Cell]] = {gate: [Cell.GO] for gate in Gate}
    for mark, finding in zip(plan.marks, plan.findings, strict=True):
        if mark.host == host:
            found[mark.gate].append(_CELLS[finding.severity])
    gates = {gate: _worst(cells) for gate, cells in found.items()}
    return MatrixRow(host=name, id=host, verdict=_worst(gates.values()), gates=gates)


def _worst(cells: Iterable[Cell]) -> Cell:
    return max(cells, key=_BY_WEIGHT.index)


def modules_of(planned: PlannedHost) -> tuple[ModuleView, ...]:
    """Return what becomes of a host's modules."""
    return tuple(
        ModuleView(
            name=module.name,
            from_version=module.from_version,
            to_version=module.to_version,
            verdict=module.verdict,
            left=module.name in planned.leaves,
        )
        for module in planned.modules
    )
