"""Which faults are struck, from the calls that were counted, and which of them first."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tests.diskfaults.strace import KILL, OPENING, RENAMING, Call
from tests.diskfaults.trial import Kind, Point

_FULL, _BROKEN, _DENIED, _READ_ONLY = "ENOSPC", "EIO", "EACCES", "EROFS"
_NAMES_IN_A_FOLDER = {"mkdir", "mkdirat", *RENAMING, "link", "linkat"}
_MAKES_ONE = {"symlink", "symlinkat", "setxattr", "lsetxattr", "fsetxattr"}
_CONTENT = {
    "write",
    "writev",
    "pwrite64",
    "copy_file_range",
    "sendfile",
    "ftruncate",
    "truncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "ioctl",
}


def errors_of(call: Call) -> tuple[str, ...]:
    """The errors that this call can really meet on a disk."""
    if not call.changes:
        return (_BROKEN, _DENIED) if call.name in OPENING else (_BROKEN,)
    if call.name in _CONTENT:
        return (_FULL, _BROKEN)
    if call.name in {*OPENING, *_NAMES_IN_A_FOLDER, *_MAKES_ONE}:
        return (_FULL, _BROKEN, _DENIED, _READ_ONLY)
    return (_BROKEN, _DENIED, _READ_ONLY)  # deleting, and the rights and times of a file


def points_of(scenario: str, role: str, calls: Sequence[Call], below: str) -> Iterator[Point]:
    """Every fault at the calls that touch what lies below the office, and tell something new."""
    for call in _telling(calls):
        if below not in call.text:
            continue
        faults = (KILL, *errors_of(call)) if call.changes else errors_of(call)
        for fault in faults:
            yield Point(scenario, role, call.name, call.number, fault, text=call.text[:200])
        if call.changes and role == "lane":
            for fault in errors_of(call):
                yield Point(scenario, role, call.name, call.number, fault, Kind.LASTING)
            yield Point(scenario, role, call.name, call.number, KILL, Kind.POWER_CUT)


def _telling(calls: Sequence[Call]) -> Iterator[Call]:
    """Leave out the way to a look that was gone before: the look itself is struck each time."""
    gone: set[tuple[str, str]] = set()
    goal = None
    ways = []
    for call in reversed(calls):
        goal = goal if call.approaches else call
        ways.append((call, goal))
    for call, goal in reversed(ways):
        way = (_arguments(call), goal.name if goal else "")
        if call.approaches and goal is not None and not goal.changes and way in gone:
            continue
        gone.add(way)
        yield call


def _arguments(call: Call) -> str:
    return call.text.rpartition(" = ")[0]


def in_order(points: Iterable[Point], seed: int) -> list[Point]:
    """All points, so that any beginning of the list is spread over scenarios, calls and faults.

    One of each scenario comes first, then kills and power cuts at the swap itself.
    """
    groups: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points:
        groups[point.scenario, point.role, point.name, point.fault, point.kind].append(point)
    chance = random.Random(seed)
    for group in groups.values():
        chance.shuffle(group)
    shuffled = list(groups.values())
    chance.shuffle(shuffled)
    spread = []
    while shuffled:
        spread += [group.pop() for group in shuffled]
        shuffled = [group for group in shuffled if group]
    shares = set({point.scenario: point for point in spread}.values())
    return sorted(spread, key=lambda point: (point not in shares, not _is_first(point)))


def _is_first(point: Point) -> bool:
    swap = point.scenario.startswith(("apply-release", "recovery")) and point.role == "lane"
    return swap and point.fault == KILL and point.name in RENAMING
