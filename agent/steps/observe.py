"""Tells what runs on this host, by folder: what a first profile is drafted from. Changes nothing.

It needs no profile, since there is none yet, and it is asked for nothing: no path, no name comes
from the coordinator. What it reads are the process table, entries of users for their log-in, and
files that tell a version: bounded, and no link is followed.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from agent.platforms.base import Process, Spot
from agent.records import MOST_FINDINGS, sentence
from agent.steps.autostart import Entry, entries
from agent.steps.candidates import Group, app_folder, below, grouped, seen_programs, weight
from agent.steps.table import Seat, Work
from agent.wire.contract import Finding, Severity
from agent.wire.observed import (
    MOST_CANDIDATES,
    MOST_OTHERS,
    AutoStart,
    Candidate,
    Observation,
    VersionHint,
    pieces,
)

_VERSION_FILE = re.compile(r"(version|release)(\.(txt|ini|properties|json))?", re.IGNORECASE)
_TELLS_VERSION = re.compile(r"\d+\.\d+")
_MOST_BYTES = 2048
_MOST_LINE = 120
_DPKG_SECONDS = 10.0
_OWNED = re.compile(r"^([a-z0-9][a-z0-9.+-]{1,99})(?::[a-z0-9-]+)?: ", re.MULTILINE)
_PATTERN = re.compile(r"[*?\[\\]")
_SHARED_ROOTS = ("/usr/lib/", "/usr/share/")
"""Much of the system itself is there: only what people see counts."""


@dataclass(frozen=True, slots=True)
class _AtHand:
    """What is asked of the host once, for all folders."""

    seats: Sequence[Seat]
    listening: Mapping[int, tuple[int, ...]]
    started: Mapping[str, Sequence[Entry]]  # what is opened at log-in, by folder


def observe(work: Work) -> None:
    """Add what runs here to the report, as the pieces of an `Observation`."""
    processes = list(work.platform.processes())
    started = _auto_starts(work, processes)
    groups = grouped(processes, _is_ours)
    for folder in started:
        groups.setdefault(folder, Group(folder))
    at_hand = _AtHand(work.people.seats(), work.platform.listening(), started)
    found = [_candidate(work, group, at_hand) for group in groups.values()]
    found = [c for c in found if _weight(c) or not c.folder.startswith(_SHARED_ROOTS)]
    found.sort(key=lambda c: (-_weight(c), c.folder))
    listed = tuple(_with_details(work, c) for c in found[:MOST_CANDIDATES])
    seen = Observation(work.platform.name, listed, max(0, len(found) - MOST_CANDIDATES))
    for piece in within_bounds(seen):
        work.find(Finding("observed", Severity.NOTE, piece))


def within_bounds(seen: Observation) -> list[str]:
    """Return the pieces of it, without the last folders where a report cannot hold them all."""
    while len(cut := list(pieces(seen))) > MOST_FINDINGS and seen.candidates:
        fewer, left_out = seen.candidates[:-1], seen.left_out + 1
        seen = replace(seen, candidates=fewer, left_out=left_out)
    return cut


def _is_ours(file: str) -> bool:
    """True for what belongs to the agent itself, or is no file of anybody's, as `/dev/fd/3`."""
    nobody_s = {sys.prefix, sys.base_prefix, "/dev", "/proc"}
    return any(PurePosixPath(file).is_relative_to(at) for at in nobody_s)


def _weight(candidate: Candidate) -> int:
    return weight(candidate.programs, len(candidate.auto_starts))


def _candidate(work: Work, group: Group, at_hand: _AtHand) -> Candidate:
    run = [process for those in group.programs.values() for process in those]
    units = {process.pid: work.platform.service_of(process) for process in run}
    opened = {_shown(group.folder, entry) for entry in at_hand.started.get(group.folder, [])}
    return Candidate(
        folder=group.folder,
        programs=seen_programs(group, at_hand.seats, units),
        auto_starts=tuple(AutoStart(*one) for one in sorted(opened)[:MOST_OTHERS]),
        ports=_ports(run, at_hand.listening),
    )


def _shown(folder: str, entry: Entry) -> tuple[str, str, str]:
    return below(folder, entry.program), sentence(entry.file, 300), sentence(entry.name, 100)


def _ports(run: Iterable[Process], listening: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
    found = {port for process in run for port in listening.get(process.pid, ())}
    return tuple(sorted(found)[:MOST_OTHERS])


def _auto_starts(work: Work, processes: Iterable[Process]) -> dict[str, list[Entry]]:
    """Return what is opened at log-in, by the folder of its application."""
    people = {s.user for s in work.platform.sessions()} | {p.user for p in processes if p.session}
    found: dict[str, list[Entry]] = {}
    for entry in entries(work.platform, sorted(people)):
        folder = "" if _is_ours(entry.program) else app_folder(entry.program)
        if folder and below(folder, entry.program):
            found.setdefault(folder, []).append(entry)
    return found


def _with_details(work: Work, candidate: Candidate) -> Candidate:
    work.pause(0)  # ends here when it is asked to
    package = _package(work, candidate)
    return Candidate(
        folder=candidate.folder,
        programs=candidate.programs,
        auto_starts=candidate.auto_starts,
        package=package,
        package_version=_package_version(work, package)[:64],
        versions=_versions(work, Path(candidate.folder)),
        ports=candidate.ports,
    )


def _package(work: Work, candidate: Candidate) -> str:
    names = [p.path for p in candidate.programs] + [a.program for a in candidate.auto_starts]
    file = f"{candidate.folder}/{names[0]}" if names else ""
    if not file or _PATTERN.search(file):
        return ""
    owned = _OWNED.search(_dpkg(work, "-S", file))
    return owned[1] if owned else ""


def _package_version(work: Work, package: str) -> str:
    version = _dpkg(work, "-W", "-f=${Version}", package).strip() if package else ""
    return version if version.isprintable() else ""


def _dpkg(work: Work, *words: str) -> str:
    try:
        ended = work.platform.run(["dpkg-query", *words], Path("/"), _DPKG_SECONDS, lambda: None)
    except OSError:
        return ""
    return ended.output if ended.code == 0 else ""


def _versions(work: Work, folder: Path) -> tuple[VersionHint, ...]:
    try:
        names = work.platform.names(Spot(folder))
    except OSError:
        return ()
    files = [name for name in names if _VERSION_FILE.fullmatch(name)][:MOST_OTHERS]
    hints = (VersionHint(name, line) for name in files for line in _lines(work, folder, name))
    return tuple(hints)[:MOST_OTHERS]


def _lines(work: Work, folder: Path, name: str) -> list[str]:
    """Return the lines of a file that seem to tell a version."""
    try:
        with work.platform.open_file(Spot(folder, name)) as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.strip() for line in text.splitlines()]
    return [
        x for x in lines if _TELLS_VERSION.search(x) and x.isprintable() and len(x) <= _MOST_LINE
    ]
