"""Which folders of a host could be an application: grouped by what runs there. Pure.

Programs of the system itself, right in /usr/bin and the like, have no folder of their own and
are no application to be updated; nor is an interpreter of which the script is not known.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.platforms.base import Process
from agent.programs import program_file
from agent.records import sentence
from agent.steps.table import Seat
from agent.steps.windows import Window, window_of
from agent.wire.observed import MOST_OTHERS, MOST_PROGRAMS, SeenProgram

_ROOTS = ("/opt", "/srv", "/usr/local/lib", "/usr/local/share", "/usr/lib", "/usr/share")
"""What lies below one of these has the folder right below it as its own."""
_SYSTEM = (
    "/bin", "/sbin", "/lib", "/lib64", "/proc", "/usr/bin", "/usr/sbin", "/usr/libexec",
    "/usr/local/bin", "/usr/local/sbin", "/usr/lib/systemd", "/usr/lib/polkit-1", "/snap",
)  # fmt: skip
_INNER = frozenset({"bin", "sbin", "lib", "libexec", "app", "program", "programs"})
_MOST_PATH = 300


@dataclass(slots=True)
class Group:
    """The processes that belong to one folder, by the program each of them is."""

    folder: str
    programs: dict[str, list[Process]] = field(default_factory=dict)


def app_folder(file: str) -> str:
    """Return the folder of the application that a program file belongs to, "" = the system."""
    path = posixpath.normpath(file)
    for root in _ROOTS:
        if path.startswith(f"{root}/") and "/" in path[len(root) + 1 :]:
            found = "/".join(path.split("/")[: root.count("/") + 2])
            return "" if _is_system(found) else found
    if _is_system(path) or any(path.startswith(f"{root}/") for root in _ROOTS):
        return ""
    folder = posixpath.dirname(path)
    if posixpath.basename(folder).lower() in _INNER:
        folder = posixpath.dirname(folder)
    return "" if folder.count("/") < 2 else folder  # right below the root: nobody's own


def _is_system(path: str) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in _SYSTEM)


def below(folder: str, file: str) -> str:
    """Return the path of a file below a folder, "" when it is not there or too long."""
    path = posixpath.normpath(file)
    inside = path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""
    return inside if len(inside) <= _MOST_PATH and inside.isprintable() else ""


def grouped(processes: Iterable[Process], leave_out: Callable[[str], bool]) -> dict[str, Group]:
    """Return the processes by the folder of their application; some files are left out."""
    groups: dict[str, Group] = {}
    for process in processes:
        file = program_file(process).removesuffix(" (deleted)")
        folder = app_folder(file) if file.startswith("/") and not leave_out(file) else ""
        inside = below(folder, file) if folder and len(folder) <= _MOST_PATH else ""
        if inside and folder.isprintable():
            group = groups.setdefault(folder, Group(folder))
            group.programs.setdefault(inside, []).append(process)
    return groups


def seen_programs(
    group: Group, seats: Sequence[Seat], units: Mapping[int, str]
) -> tuple[SeenProgram, ...]:
    """Return what runs of one folder, what people see first."""
    found = [_seen(path, run, seats, units) for path, run in group.programs.items()]
    found.sort(key=lambda p: (not p.window, not p.session, bool(p.unit), p.path))
    return tuple(found[:MOST_PROGRAMS])


def _seen(
    path: str, run: Sequence[Process], seats: Sequence[Seat], units: Mapping[int, str]
) -> SeenProgram:
    unit = next((u for p in run if (u := units.get(p.pid, ""))), "")
    return SeenProgram(
        path=path,
        users=tuple(sorted({sentence(p.user, 100) for p in run})[:MOST_OTHERS]),
        processes=len(run),
        window=window_of(run, seats) is Window.THERE,
        session=not unit and any(p.session for p in run),
        unit=sentence(unit, 100),
    )


def weight(programs: Sequence[SeenProgram], auto_starts: int) -> int:
    """Return how likely it is that people work with this; 0 = nobody sees it."""
    seen = 4 * any(p.window for p in programs) + 2 * any(p.session for p in programs)
    return seen + bool(auto_starts)
