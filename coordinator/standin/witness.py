"""Judges a rollout of the stand-in from the disks and from the stand-in's own lines alone.

usage: witness.py CONFIG NOTED RECORD

Before the rollout `inspector.py note` writes NOTED and `watcher.py` begins RECORD; after it the
watcher is ended (SIGTERM) and the witness judges. CONFIG is JSON: `releases`, version to zip or
folder; `hosts`, each with `name`, `folder` (the app's), `evidence` (its log), `before` and
`expected` (versions), `running` (is its service manager to be back? null: not judged) and, if
any, `proc` (its own /proc) and `drafts` (see `inspector.py`); and `share`, null or the `folder`
of the data that the office shares, `one_way` when a newer release's cannot be read by an older
one. It prints `{"violations", "relaunches", "drafts", "hosts"}`; exit code 1: a violation.

A host is *being changed* from when its app folder leaves its place until its service manager
has opened again; the group is *mixed* from its first change to the end of its last.
"""

import json
import math
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

GUARD_SECONDS = 1.0
"""What opens while it may not, and is closed within this, is a relaunch, not a violation."""
BLIND_SECONDS = 5.0
"""A watcher that is silent for longer has not watched."""
_INSPECTOR = Path(__file__).with_name("inspector.py")
_CLOCK_TICK_SECONDS = 0.01
"""How far an inode's times may lag behind the clock that the evidence lines are written by."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not have happened; `other` is where it was seen, if elsewhere."""

    kind: str
    host: str
    detail: str
    other: str = ""
    begin: float = 0.0
    end: float = 0.0

    def as_json(self) -> Json:
        """Return it as it is printed."""
        fields = asdict(self)
        begin, end = fields.pop("begin"), fields.pop("end")
        return {**fields, "from": begin, "to": _moment(end)}


def _moment(seconds: float) -> float | None:
    """Return a moment as JSON can say it: null when it has not come."""
    return seconds if math.isfinite(seconds) else None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a host's app folder; `until` is when its service manager was back."""

    host: str
    begin: float
    end: float
    until: float
    back: bool  # to a version this host has had before


@dataclass(slots=True)
class Opening:
    """One process of the app, from its own lines; open for ever when no end is known."""

    host: str
    pid: int
    begin: float
    version: str
    role: str
    user: str
    end: float = math.inf

    @property
    def is_relaunch(self) -> bool:
        """True when it was closed again so fast that a guard must have been on."""
        return self.end - self.begin <= GUARD_SECONDS

    def overlaps(self, begin: float, end: float) -> bool:
        """True when it was open at some moment between the two."""
        return self.begin < end and begin < self.end


def read_openings(host: Json, gone: dict[tuple[str, int, float], float]) -> list[Opening]:
    """Return every process that one host's evidence log names, with its end where known."""
    openings: list[Opening] = []
    for line in _lines(Path(host["evidence"])):
        word, pid, moment, version, role, user = line.split()
        if word == "open":
            opening = Opening(host["name"], int(pid), float(moment), version, role, user)
            opening.end = gone.get((opening.host, opening.pid, opening.begin), math.inf)
            openings.append(opening)
        else:
            last = next(o for o in reversed(openings) if o.pid == int(pid))
            last.end = float(moment)
    return openings


def read_gone(facts: Iterable[Json]) -> dict[tuple[str, int, float], float]:
    """Return when processes that never said `close` were last seen alive."""
    return {(f["host"], f["gone"], f["opened"]): f["alive"] for f in facts if "gone" in f}


def read_changes(facts: list[Json], openings: list[Opening]) -> list[Change]:
    """Return every change of an app folder, in the order they began."""
    folders = [f for f in facts if "folder" in f]
    hosts = dict.fromkeys(f["host"] for f in folders)
    changes = [c for h in hosts for c in _changes_of([f for f in folders if f["host"] == h])]
    changes.sort(key=lambda change: change.begin)
    last = max((change.end for change in changes), default=0.0)
    return [_widened(change, [*openings, *_later(change, changes)], last) for change in changes]


def _later(change: "Change", changes: list["Change"]) -> list["Change"]:
    """Return the later changes of the same folder: the first of them ends the wait, too."""
    return [c for c in changes if c.host == change.host and c.begin > change.begin]


def _changes_of(looks: list[Json]) -> Iterator[Change]:
    begin, versions = None, {looks[0]["app"]}
    for before, now in pairwise(looks):
        if begin is None:
            begin = _within(before, now, now["away"])
        if now["folder"] is not None:
            end = max(begin, _within(before, now, now["arrived"], otherwise=now["time"]))
            yield Change(now["host"], begin, end, end, now["app"] in versions)
            begin = None
            versions.add(now["app"])
    if begin is not None:
        yield Change(looks[-1]["host"], begin, math.inf, math.inf, back=False)


def _within(
    before: Json, now: Json, moment: float | None, otherwise: float | None = None
) -> float:
    """Return the moment an inode tells of, when the looks before and after bear it out."""
    earliest = now["from"] - _CLOCK_TICK_SECONDS
    renamed = before["folder"] != now["folder"]
    if renamed and moment is not None and earliest <= moment <= now["time"]:
        return min(moment + _CLOCK_TICK_SECONDS, float(now["time"]))
    return float(now["from"] if otherwise is None else otherwise)


def _widened(change: Change, next_ones: list["Opening | Change"], last: float) -> Change:
    """Return the change with `until`: its own service manager's next opening.

    Where that never opened, the folder's next change, its way back, ends the wait. A way back
    is not followed by one, and while others are still to come the wait for it ends with the
    last of them: what opens after that is the group's re-opening.
    """
    starts = [
        o.begin
        for o in next_ones
        if o.host == change.host and o.begin >= change.end and _ends_a_wait(o)
    ]
    until = min(starts, default=change.end)
    if change.back:
        until = change.end
    elif change.end < last:
        until = max(change.end, min([*starts, last]))
    return Change(change.host, change.begin, change.end, until, change.back)


def _ends_a_wait(next_one: "Opening | Change") -> bool:
    return isinstance(next_one, Change) or next_one.role == "service-manager"


def judge_openings(changes: list[Change], openings: list[Opening]) -> Iterator[Violation]:
    """Yield whatever was open while it had to be closed."""
    for change in changes:
        for opening in openings:
            yield from _open_meanwhile(change, opening)
    if changes:
        begin, end = changes[0].begin, max(c.until for c in changes)
        mixed = [o for o in openings if o.overlaps(begin, end)]
        yield from _open_while_mixed(mixed, begin, end)


def relaunches_among(changes: list[Change], openings: list[Opening]) -> Iterator[Opening]:
    """Yield what opened while it had to be closed, and was closed again at once."""
    short = [o for o in openings if o.is_relaunch]
    return (o for o in short if any(judge_openings(changes, [o])))


def _open_meanwhile(change: Change, opening: Opening) -> Iterator[Violation]:
    here = opening.host == change.host
    end = change.end if here else change.until
    if opening.overlaps(change.begin, end):
        kind, other = ("open-here", "") if here else ("open-elsewhere", opening.host)
        begin, to = max(opening.begin, change.begin), min(opening.end, end)
        detail = f"{_who(opening)} was open while {change.host} was being changed"
        yield Violation(kind, change.host, detail, other, begin, to)


def _open_while_mixed(openings: list[Opening], begin: float, end: float) -> Iterator[Violation]:
    for opening in openings:
        if opening.role != "service-manager":
            detail = f"{_who(opening)} was open while the group was on two versions"
            span = max(begin, opening.begin), min(end, opening.end)
            yield Violation("open-while-mixed", opening.host, detail, "", *span)
    managers = [o for o in openings if o.role == "service-manager"]
    for one, two in combinations(managers, 2):
        if one.host != two.host and one.overlaps(max(two.begin, begin), min(two.end, end)):
            detail = f"{_who(one)} and that of {two.host} were open at once"
            span = max(one.begin, two.begin, begin), min(one.end, two.end, end)
            yield Violation("two-service-managers", one.host, detail, two.host, *span)


def _who(opening: Opening) -> str:
    user = f" of {opening.user}" if opening.role == "client" else ""
    return f"the {opening.role}{user} on {opening.host} (pid {opening.pid})"


def judge_order(changes: list[Change]) -> Iterator[Violation]:
    """Yield hosts that were changed at the same time."""
    for one, two in combinations(changes, 2):
        if one.host != two.host and two.begin < one.end:
            detail = f"{one.host} and {two.host} were changed at once"
            yield Violation("two-at-once", one.host, detail, two.host, two.begin, one.end)


def judge_end(hosts: list[Json], openings: list[Opening]) -> Iterator[Violation]:
    """Yield what still runs on hosts whose app is to be closed."""
    closed = {h["name"]: Path(h.get("proc", "/proc")) for h in hosts if h["running"] is False}
    for opening in openings:
        may_run = math.isinf(opening.end) and opening.host in closed
        if may_run and (closed[opening.host] / str(opening.pid)).exists():
            yield Violation("not-closed", opening.host, f"{_who(opening)} is open")


def judge_watcher(hosts: list[Json], facts: list[Json]) -> Iterator[Violation]:
    """Yield where the record says less than what happened: unseen is not unharmed."""
    beats = [fact["time"] for fact in facts if "beat" in fact]
    for earlier, later in pairwise(beats):
        if later - earlier > BLIND_SECONDS:
            detail = f"nobody watched for {later - earlier:.1f} s"
            yield Violation("not-watched", "", detail, "", earlier, later)
    for host in hosts:
        looks = [f for f in facts if "folder" in f and f["host"] == host["name"]]
        if not beats or not looks or looks[0]["app"] != host["before"]:
            yield Violation("not-watched", host["name"], "the watcher did not see the beginning")
        elif looks[-1]["folder"] != _inode(Path(host["folder"])):
            yield Violation("not-watched", host["name"], "the watcher did not see the end")


def _inode(folder: Path) -> int | None:
    return folder.stat().st_ino if folder.is_dir() else None


def inspect(config: str, noted: str) -> Json:
    """Return what the inspector finds on the disks."""
    command = [sys.executable, "-I", str(_INSPECTOR), "check", config, noted]
    found: Json = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    return found


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.is_file() else []


def judge(hosts: list[Json], facts: list[Json]) -> tuple[list[Violation], list[Opening], Json]:
    """Return the violations, the relaunches, and each host's changes."""
    gone = read_gone(facts)
    openings = [opening for host in hosts for opening in read_openings(host, gone)]
    changes = read_changes(facts, openings)
    lasting = [o for o in openings if not o.is_relaunch]
    found = [*judge_openings(changes, lasting), *judge_order(changes)]
    found += [*judge_end(hosts, openings), *judge_watcher(hosts, facts)]
    spans: Json = {host["name"]: [] for host in hosts}
    for change in changes:
        spans[change.host].append([change.begin, _moment(change.end)])
    return found, list(relaunches_among(changes, openings)), spans


def main(config_file: str, noted_file: str, record_file: str) -> int:
    """Judge, print, return the exit code."""
    hosts = json.loads(Path(config_file).read_text("utf-8"))["hosts"]
    facts = [json.loads(line) for line in _lines(Path(record_file))]
    found, relaunches, spans = judge(hosts, facts)
    inspected = inspect(config_file, noted_file)
    violations = [violation.as_json() for violation in found] + inspected["violations"]
    versions, drafts = inspected["versions"], inspected["drafts"]
    about = [{"host": name, **versions[name], "changed": spans[name]} for name in spans]
    shown = {"relaunches": list(map(asdict, relaunches)), "drafts": drafts, "hosts": about}
    print(json.dumps({"violations": violations, **shown}, indent=1))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
