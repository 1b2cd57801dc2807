"""The file system fault suite: `make test-faults`, as root.

FAULTS=all strikes every point and writes docs/faults-disk.md (MINUTES=90 with it: as many as fit);
else a selection by SEED, spread over all points, is struck, and all of it ends within six minutes.
On a slow machine fewer are struck, but at least one of each scenario. Exit code 1 when a point
does not hold.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.diskfaults.bench import Bench
from tests.diskfaults.points import in_order, points_of
from tests.diskfaults.powercut import NoPowerCut, PowerBench
from tests.diskfaults.restarts import Restarting, Restarts
from tests.diskfaults.scenarios import SCENARIOS
from tests.diskfaults.strace import Call
from tests.diskfaults.table import matrix, restarts_in_words, wrong_in_words
from tests.diskfaults.trial import Kind, Point, Trial, Verdict

_WORKERS = 2
_MINUTES = 4.6  # of the bounded run, from its beginning; the restarts come after
_RESTART_SECONDS = 50.0
_RESTARTS = 200
_CHUNK = 10
_MEMORY = Path("/dev/shm")
_DOCS = Path("docs/faults-disk.md")
_BUILD = Path("build/faults-disk.md")

Counted = tuple[str, str, list[Call]]
"""A scenario's name, whose calls, and all of them."""


class _Worker:
    """The two benches of one worker process."""

    benches: tuple[Bench, PowerBench]

    @classmethod
    def start(cls, base: Path) -> None:
        bench = Bench(base / f"slot-{os.getpid()}")
        bench.prepare()
        cls.benches = bench, PowerBench(bench.folder, bench.before)

    @classmethod
    def strike(cls, points: Sequence[Point], until: float) -> list[Verdict]:
        plain, power = cls.benches
        verdicts = []
        for point in points:
            if time.monotonic() > until:
                break
            if point.kind is Kind.POWER_CUT:
                verdicts.append(Trial(power, point).run())
                power.release()
            else:
                verdicts.append(Trial(plain, point).run())
        return verdicts


def _cannot() -> str:
    if os.geteuid() != 0:
        return "cannot inject faults: root is needed; run it as root"
    for program in ("strace", "mkfs.ext4", "mount", "umount"):
        if shutil.which(program) is None:
            return f"cannot inject faults: {program} is not installed"
    return ""


def _counted(bench: Bench) -> Iterator[Counted]:
    for scenario in SCENARIOS:
        for role in scenario.roles:
            yield scenario.name, role, bench.count(scenario, role)


def _strangers(calls: Sequence[Call], bench: Bench) -> list[str]:
    """Calls that would change something outside the office."""
    office = str(bench.place.office)
    return [
        f"{call.name}({call.text[:200]}"
        for call in calls
        if (call.changes or call.opens_to_write)
        and office not in call.text
        and "<pipe:" not in call.text
    ]


def _strike(base: Path, points: Sequence[Point], until: float) -> list[Verdict]:
    begins = range(0, len(points), _CHUNK)
    chunks = [points[i : i + _CHUNK] for i in begins]
    ends = [float("inf") if i < len(SCENARIOS) else until for i in begins]  # one of each at least
    verdicts = []
    context = get_context("fork")
    with ProcessPoolExecutor(_WORKERS, context, _Worker.start, (base,)) as pool:
        for done in pool.map(_Worker.strike, chunks, ends):
            verdicts += done
            sys.stdout.writelines(f"{text}\n" for text in [wrong_in_words(done)] if text)
            if len(verdicts) % 500 < len(done):
                wrong = sum(bool(v.wrong) for v in verdicts)
                sys.stdout.write(f"{len(verdicts)} struck, {wrong} wrong\n")
                sys.stdout.flush()
    return verdicts


def _restarts(bench: Bench, counted: Sequence[Counted], seed: int, seconds: float) -> Restarts:
    calls = next(calls for *whose, calls in counted if whose == ["apply-release", "lane"])
    scenario = next(s for s in SCENARIOS if s.name == "apply-release")
    return Restarting(bench, scenario, calls, seed).run(_RESTARTS, time.monotonic() + seconds)


def _missed(verdicts: Sequence[Verdict], restarts: Restarts) -> list[str]:
    """What there was no time for at all: a run that leaves a scenario out shows nothing of it."""
    struck = {verdict.point.scenario for verdict in verdicts}
    missed = [f"not struck: {s.name}" for s in SCENARIOS if s.name not in struck]
    return missed if restarts.fired else [*missed, "the agent was not restarted in mid-update"]


def _page(seed: str, figures: Sequence[str]) -> str:
    system = os.uname()
    about = (
        "# Faults of the disk: what was struck, and what held\n\n"
        "Written by `FAULTS=all make test-faults`. How it is done, and what the words mean, is "
        "said in [tests/diskfaults](../tests/diskfaults/README.md).\n\n"
        f"{time.strftime('%Y-%m-%d')}, {system.sysname} {system.release}, Python "
        f"{sys.version.split()[0]}, {seed}.\n"
    )
    return "\n".join((about, *figures, ""))


def _suite(base: Path) -> int:
    everything, seed = os.environ.get("FAULTS", "") == "all", int(os.environ.get("SEED", "1"))
    minutes = float(os.environ.get("MINUTES", "inf")) if everything else _MINUTES
    begun = time.monotonic()
    bench = Bench(base / "count")
    bench.prepare()
    PowerBench(bench.folder, bench.before).check()
    counted = list(_counted(bench))
    strangers = [text for _, _, calls in counted for text in _strangers(calls, bench)]
    below = str(bench.place.office)
    points = [p for name, role, calls in counted for p in points_of(name, role, calls, below)]
    verdicts = _strike(base, in_order(points, seed), begun + 60 * minutes)
    seconds = float("inf") if everything else _RESTART_SECONDS
    restarts = _restarts(bench, counted, seed, seconds)
    wrong = [wrong_in_words(verdicts), *restarts.wrong, *strangers, *_missed(verdicts, restarts)]
    page = _page(
        f"seed {seed}, {len(points)} points",
        (
            matrix(verdicts, points),
            "",
            restarts_in_words(restarts),
            f"Calls that would change something outside the office: {len(strangers)}.",
        ),
    )
    _tell(page, _DOCS if everything else _BUILD, [text for text in wrong if text])
    sys.stdout.write(f"{time.monotonic() - begun:.0f} s\n")
    return 1 if any(wrong) else 0


def _tell(page: str, file: Path, wrong: Sequence[str]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(page)
    sys.stdout.write("\n".join((page, *wrong, f"written to {file}", "")))


def main() -> int:
    """Run the suite; 2 when it cannot be run here, which is a failure too."""
    if why := _cannot():
        sys.stderr.write(f"error: {why}\n")
        return 2
    memory = str(_MEMORY) if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory) as base:
        try:
            return _suite(Path(base))
        except NoPowerCut as error:
            sys.stderr.write(f"error: {error}\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
