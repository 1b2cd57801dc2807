"""The figures of a run as a matrix: one row a step, one column a fault."""

from collections import Counter
from collections.abc import Sequence

from tests.diskfaults.restarts import Restarts
from tests.diskfaults.strace import KILL
from tests.diskfaults.trial import Kind, Point, Verdict

_COLUMNS = ("kill -9", "ENOSPC", "EIO", "EACCES", "EROFS", "lasting", "power cut")
_RESULTS = ("struck", "of", "fired", "runnable", "done", "wrong")


def column_of(point: Point) -> str:
    """The fault as people call it."""
    if point.kind is not Kind.ONCE:
        return point.kind.value
    return "kill -9" if point.fault == KILL else point.fault


def matrix(verdicts: Sequence[Verdict], all_points: Sequence[Point]) -> str:
    """A Markdown table, the sums in its last row."""
    rows = list(dict.fromkeys(point.scenario for point in all_points))
    lines = [_line("struck during", (*_COLUMNS, *_RESULTS)), _line("---", ["---:"] * 13)]
    for row in rows:
        mine = [v for v in verdicts if v.point.scenario == row]
        lines.append(_line(row, _figures(mine, sum(p.scenario == row for p in all_points))))
    lines.append(_line("**all**", _figures(verdicts, len(all_points))))
    return "\n".join(lines)


def _figures(verdicts: Sequence[Verdict], total: int) -> list[str]:
    by_column = Counter(column_of(verdict.point) for verdict in verdicts)
    counts = [by_column[column] for column in _COLUMNS]
    counts += [len(verdicts), total]
    counts += [sum(getattr(v, name) for v in verdicts) for name in ("fired", "runnable", "done")]
    counts.append(sum(bool(v.wrong) for v in verdicts))
    return [str(count) for count in counts]


def _line(first: str, rest: Sequence[str]) -> str:
    return "| " + " | ".join((first, *rest)) + " |"


def restarts_in_words(restarts: Restarts) -> str:
    return (
        f"Agent restarted in mid-update: {restarts.fired} kills that hit, of {restarts.wanted} "
        f"at the most; {restarts.runnable} "
        "starts came up and had a runnable app (the others were killed in their recovery); "
        f"{restarts.ended} updates and roll-backs ended in between; {len(restarts.wrong)} wrong."
    )


def wrong_in_words(verdicts: Sequence[Verdict]) -> str:
    """Every point that did not hold, and how, a line each; "" when all did."""
    lines = []
    for verdict in verdicts:
        point = verdict.point
        if verdict.wrong:
            where = f"{point.scenario}, {point.role}: {point.name} {point.number}"
            lines.append(f"{where}, {column_of(point)} {point.fault}: {point.text[:120]}")
            lines += [f"    {text}" for text in verdict.wrong]
    return "\n".join(lines)
