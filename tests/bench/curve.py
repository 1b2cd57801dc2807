"""Draws a few curves over the size of a fleet as an SVG; a logarithmic scale both ways."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 50, 60
_COLORS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7a4e9e")
_INK, _FAINT = "#333333", "#dddddd"
_HALO = 'paint-order="stroke" stroke="#ffffff" stroke-width="3"'  # lines end before words

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axes:
    """From a number to a place on the sheet, both ways by powers of ten."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        """Return how far right a value of x lies."""
        return _LEFT + _share(value, self.x) * (_WIDTH - _LEFT - _RIGHT)

    def down(self, value: float) -> float:
        """Return how far down a value of y lies."""
        return _HEIGHT - _BOTTOM - _share(value, self.y) * (_HEIGHT - _TOP - _BOTTOM)


def curves(title: str, x_name: str, lines: Mapping[str, Points]) -> str:
    """Return the sheet; each line has a name and at least one point, none of them at zero."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    ys = [y for points in lines.values() for _, y in points]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    axes = Axes((xs[0] / 1.3, xs[-1] * 1.5), (10.0**low, 10.0**high))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 26, title, size=16),
        *(_rung(axes, 10.0**power) for power in range(low, high + 1)),
        *(_text(axes.across(x), _HEIGHT - _BOTTOM + 20, f"{x:g}", "middle") for x in xs),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 16, x_name, "middle"),
    ]
    places = _apart([axes.down(points[-1][1]) for points in lines.values()])
    for (name, points), color, place in zip(lines.items(), _COLORS, places, strict=False):
        parts += _line(axes, name, points, color, place)
    for x in xs:
        parts += _values(axes, x, [dict(points).get(x) for points in lines.values()])
    return "\n".join([*parts, "</svg>", ""])


def _share(value: float, ends: tuple[float, float]) -> float:
    return math.log(value / ends[0]) / math.log(ends[1] / ends[0])


def _rung(axes: Axes, value: float) -> str:
    y = axes.down(value)
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
    return f'{line} stroke="{_FAINT}"/>\n' + _text(_LEFT - 8, y + 4, f"{value:g}", "end")


def _line(axes: Axes, name: str, points: Points, color: str, place: float) -> list[str]:
    spots = [(axes.across(x), axes.down(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in spots]
    return [
        f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
        *dots,
        _text(_WIDTH - _RIGHT + 12, place + 4, name, color=color),
    ]


def _values(axes: Axes, x: float, values: Sequence[float | None]) -> list[str]:
    """Return the numbers beside the dots above one size, none over another."""
    known = [(v, color) for v, color in zip(values, _COLORS, strict=False) if v is not None]
    places = _apart([axes.down(value) for value, _ in known], 12.0)
    return [
        _text(axes.across(x) + 7, place - 5, _number(value), color=color, size=11)
        for (value, color), place in zip(known, places, strict=True)
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _apart(places: Sequence[float], least: float = 18.0) -> list[float]:
    """Return the places of the names, moved down where two would be printed over each other."""
    moved = list(places)
    order = sorted(range(len(moved)), key=lambda number: moved[number])
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + least)
    return moved


def _text(
    x: float, y: float, words: str, anchor: str = "start", color: str = _INK, size: int = 13
) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="{size}"'
    return f"<text {where} {_HALO}>{escape(words)}</text>"
