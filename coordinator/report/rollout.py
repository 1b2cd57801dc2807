"""The report of one rollout: its rows turned into one plain dict, a text, and a page. Pure."""

import time
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from tabulate import tabulate

from agent.wire.contract import Direction, StepName, StepState
from coordinator.store.rows import IMPERSONAL_FACTS, NewsRow, RolloutRow, StepRow, VisitRow
from coordinator.walk.states import HostState

_NEWER_DATA = ("newer_data", "kept_newer_data")
"""Facts of steps that were taken back: what the new release had written, and where it is now."""
Report = dict[str, Any]
_UNKNOWN = "unknown"

_pages = Environment(
    loader=PackageLoader("coordinator.report", "pages"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
)


def rollout_report(
    row: RolloutRow,
    visits: Sequence[VisitRow],
    steps: Sequence[StepRow],
    news: Sequence[NewsRow] = (),
    now: float = 0.0,
) -> Report:
    """Return the whole report as plain values; times are seconds since 1970.

    What has not ended has lasted until `now`, as far as that is given.
    """
    plan = row.plan
    names = {planned.id: planned.name for planned in plan.hosts}
    return {
        "rollout": {
            "id": row.id,
            "label": row.label,
            "app": plan.app,
            "to": plan.version,
            "drill": plan.drill,
            "site": plan.site,
            "group": plan.group,
            "state": row.state.value,
            "detail": row.detail,
            "mend": row.mend,
            "started_by": row.started_by,
            "started": row.started,
            "ended": row.ended,
            "seconds": round((row.ended or max(now, row.since)) - row.started, 1),
        },
        "hosts": [_host(row, visit, steps) for visit in visits],
        "not_done": [names[v.host] for v in visits if v.state is not HostState.UPDATED],
        "history": _history(news, names),
    }


def without_people(report: Report) -> Report:
    """Return a report that names nobody who had the app open: without any workstation's words."""
    return report | {
        "hosts": [
            host | {"detail": "", "steps": [_without_people(step) for step in host["steps"]]}
            for host in report["hosts"]
        ],
        "history": [item | {"detail": "", "mend": ""} for item in report["history"]],
    }


def _without_people(step: Report) -> Report:
    facts = {key: value for key, value in step["facts"].items() if key in IMPERSONAL_FACTS}
    return step | {"detail": "", "facts": facts, "findings": []}


def _host(row: RolloutRow, visit: VisitRow, steps: Sequence[StepRow]) -> Report:
    planned = next(p for p in row.plan.hosts if p.id == visit.host)
    mine = [step for step in steps if step.host == visit.host]
    before = _fact(mine, StepName.SURVEY, "app_version") or planned.from_version
    return {
        "host": planned.name,
        "id": visit.host,
        "state": _state(row, visit),
        "from": before,
        "to": _to(row, visit, before, mine),
        "exclusive_seconds": _exclusive(visit),
        "detail": visit.detail,
        "newer_data": "; ".join(s.facts[k] for s in mine for k in _NEWER_DATA if s.facts.get(k)),
        "steps": [_step(step) for step in mine],
    }


def _state(row: RolloutRow, visit: VisitRow) -> str:
    is_drilled = row.plan.drill and visit.state is HostState.UPDATED
    return "drilled" if is_drilled else visit.state.value


def _to(row: RolloutRow, visit: VisitRow, before: str, steps: Sequence[StepRow]) -> str:
    is_updated = visit.state is HostState.UPDATED and not row.plan.drill
    return row.plan.version if is_updated else _left_on(before, steps)


def _left_on(before: str, steps: Sequence[StepRow]) -> str:
    """Return the release a host that is not updated was left on, "unknown" when in doubt."""
    swaps = [s for s in steps if s.step is StepName.APPLY_RELEASE]
    begun = any(s.direction is Direction.DO and s.state != StepState.REFUSED for s in swaps)
    back = any(s.direction is Direction.UNDO and s.state == StepState.DONE for s in swaps)
    return _UNKNOWN if begun and not back else before


def _exclusive(visit: VisitRow) -> float:
    if visit.began is None or visit.ended is None:
        return 0.0
    return round(visit.ended - visit.began, 2)


def _fact(steps: Sequence[StepRow], step: StepName, key: str) -> str:
    found = (s.facts.get(key, "") for s in steps if s.step is step)
    return next(found, "")


def _step(step: StepRow) -> Report:
    return {
        "step": step.step.value,
        "direction": step.direction.value,
        "attempt": step.attempt,
        "state": step.state,
        "seconds": round(step.ended - step.started, 2) if step.ended else None,
        "detail": step.detail,
        "facts": step.facts,
        "findings": [f.message for f in step.findings],
    }


def _history(news: Sequence[NewsRow], names: dict[str, str]) -> list[Report]:
    """Return what was told; a host's reason that goes on through several states is said once."""
    told: list[Report] = []
    last: dict[str, str] = {}
    for item in news:
        is_said = bool(item.host) and item.detail == last.get(item.host)
        told.append(_news(item, names) | ({"detail": ""} if is_said else {}))
        last[item.host] = item.detail or last.get(item.host, "")
    return told


def _news(item: NewsRow, names: dict[str, str]) -> Report:
    return {
        "at": item.at,
        "state": item.host_state or item.state,
        "host": names.get(item.host, item.host),
        "detail": item.detail,
        "mend": item.mend,
    }


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds} s"


def as_text(report: Report) -> str:
    """Return the report as a terminal shows it."""
    rollout = report["rollout"]
    head = (
        f"{rollout['label']}: {'drill of ' if rollout['drill'] else ''}"
        f"{rollout['app']} {rollout['to']} in group {rollout['group']}, "
        f"{rollout['state']}, {_clock(rollout['started'])} by {rollout['started_by']}, "
        f"{_length(rollout['seconds'])}"
    )
    rows = [
        (h["host"], h["state"], h["from"], h["to"], h["exclusive_seconds"], h["detail"])
        for h in report["hosts"]
    ]
    headers = ("workstation", "state", "from", "to", "exclusive s", "note")
    lines = [head, "", tabulate(rows, headers, "simple", disable_numparse=True)]
    for host in report["hosts"]:
        if host["newer_data"]:
            lines += ["", f"{host['host']}: newer data is kept as {host['newer_data']}"]
    if rollout["detail"]:
        lines += ["", rollout["detail"]]
    if rollout["mend"]:
        lines += [f"next: {rollout['mend']}"]
    return "\n".join(lines)


def as_html(report: Report) -> str:
    """Return the report as one page that needs nothing else and prints well."""
    return _pages.get_template("rollout.html").render(report=report, clock=_clock)


def _clock(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""
