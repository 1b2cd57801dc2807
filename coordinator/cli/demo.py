"""`roundsman demo`: five workstations on this machine, a real app, a real rollout, judged.

It starts a whole office below a scratch folder, takes the stand-in application from 1.0 to 1.1
with the commands an admin types, and has a witness that imports none of this check every claim
from the disks and from what the application itself wrote.
"""

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from coordinator.api.schemas import RolloutView
from coordinator.cli.demo_drafts import drafts_folder, own_home
from coordinator.cli.demo_office import APP, NEW, OLD, DemoOffice
from coordinator.cli.demo_show import Show, Verdict
from coordinator.cli.demo_troubles import (
    FAULTS,
    Trouble,
    keep_opening,
    kill_coordinator,
    leave_unsaved,
    open_past_the_guard,
    start_again,
)
from coordinator.cli.demo_witness import Witness
from coordinator.cli.demo_workstation import Wares, Way, Workstation
from coordinator.cli.output import Json
from coordinator.cli.watching import waits_for_a_person
from coordinator.complaint import Complaint
from coordinator.walk.states import HostState, RolloutState

_LOOK_SECONDS = 0.3
_FEW = 2  # workstations, too few for one to wait while others are updated


def demo(
    hosts: Annotated[int, typer.Option(min=1, max=20, help="How many workstations.")] = 5,
    fail: Annotated[
        str, typer.Option(metavar="HOST:STEP", help="Have one step fail, say PC-03:apply-release.")
    ] = "",
    kill: Annotated[
        bool, typer.Option("--kill-coordinator", help="Kill -9 the coordinator mid-way.")
    ] = False,
    apply: Annotated[
        Way, typer.Option("--apply", help="How the release is put in place.")
    ] = Way.REPLACE_FOLDER,
    one_way: Annotated[
        bool, typer.Option("--one-way-data", help="The old release cannot read the new's data.")
    ] = False,
    sabotage: Annotated[
        bool, typer.Option("--sabotage", help="Open one app past the guard; must be reported.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Work in this new folder, and leave it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Update five workstations on this machine: real processes, real links, real files."""
    show = Show(quiet=as_json)
    with _stage(keep) as base, drafts_folder(base / "home", own_home()) as drafts:
        wares = Wares(apply=apply, shares_data=True, one_way=one_way, drafts=drafts)
        office = DemoOffice(base.resolve(), hosts, wares)
        troubles = _troubles(office, fail, kill=kill, sabotage=sabotage)
        with closing(office):
            verdict = _run(office, troubles, show)
    show.verdict(verdict, as_json=as_json)
    raise typer.Exit(0 if verdict.is_well else 1)


@contextmanager
def _stage(keep: Path | None) -> Iterator[Path]:
    """Yield the folder to work in; one that was not asked for is emptied again."""
    base = keep or Path(tempfile.mkdtemp(prefix="roundsman-demo-"))
    try:
        _make_empty(base)
        yield base
    except KeyboardInterrupt:
        raise Complaint(
            "the demo was interrupted before its end; every process of it has ended",
            "roundsman demo",
        ) from None
    except OSError as error:
        raise Complaint(
            f"cannot play the demo below {base}: {error.strerror or error}",
            "roundsman demo --keep FOLDER, on a disk that has room and may be written",
        ) from None
    finally:
        if keep is None:
            _forget(base)


def _make_empty(base: Path) -> None:
    base.mkdir(parents=True, exist_ok=True)
    if any(base.iterdir()):
        raise Complaint(f"cannot work in {base}: it is not empty", "name a new folder")


def _forget(base: Path) -> None:
    """Delete the workstations and the coordinator; the report and the logs stay."""
    for folder in [f for f in base.iterdir() if f.is_dir()]:
        shutil.rmtree(folder, ignore_errors=True)
    if not any(base.iterdir()):
        base.rmdir()


def _troubles(
    office: DemoOffice, fail: str, *, kill: bool, sabotage: bool
) -> list[tuple[Trouble, Workstation]]:
    found: list[tuple[Trouble, Workstation]] = []
    if len(office.hosts) > _FEW:
        found.append((keep_opening, office.hosts[-1]))
    if len(office.hosts) > _FEW + 1:
        found.append((start_again, office.hosts[-2]))
    if fail:
        name, _, step = fail.partition(":")
        host = next((h for h in office.hosts if h.name == name), None)
        if host is None or step not in FAULTS:
            raise Complaint(
                f"cannot have {fail!r} fail",
                f"--fail HOST:STEP with HOST one of {', '.join(h.name for h in office.hosts)} "
                f"and STEP one of {', '.join(FAULTS)}",
            )
        found.append((FAULTS[step], host))
    if kill:
        found.append((kill_coordinator, office.hosts[len(office.hosts) // 2]))
    if sabotage:
        found.append((open_past_the_guard, office.hosts[0]))
    return found


def _run(office: DemoOffice, troubles: list[tuple[Trouble, Workstation]], show: Show) -> Verdict:
    hosts = "1 workstation" if len(office.hosts) == 1 else f"{len(office.hosts)} workstations"
    show.say(f"a coordinator and {hosts} below {office.base}")
    office.set_up_coordinator()
    office.install_apps()
    office.enrol_agents()
    show.say(f"every agent is linked; the app, {OLD}, is open on every workstation")
    office.publish_profile()
    office.publish_release(NEW)
    witness = office.start_witness("witness", OLD, NEW)
    if office.drafts and len(office.hosts) > _FEW:
        leave_unsaved(office.drafts, office.hosts[1])
    plan = office.make_plan(NEW)
    show.say(f"{APP} {NEW} is published and signed; the plan is {plan['label']}")
    begun = time.monotonic()
    started = office.roundsman("rollout", "start", plan["label"])
    with _Meanwhile(office, started["label"], troubles, show):
        _follow(office, started["label"], show)
    seconds = round(time.monotonic() - begun, 1)
    return _judge(office, witness, started["label"], seconds)


def _follow(office: DemoOffice, label: str, show: Show) -> None:
    """Return when the rollout has ended; shown live to whoever has a terminal.

    Raises `Complaint` when it comes to wait for a person and cannot be answered.
    """
    answered = False
    while (seen := office.rollout(label)) is None or not seen.state.is_final:
        if seen is not None and waits_for_a_person(seen):
            if answered or office.share is None or not office.share.one_way:
                raise Complaint(f"{label} waits for a person: {seen.detail}", seen.mend)
            _answer(office, seen, show)
            answered = True
        if not show.quiet and sys.stdout.isatty():
            office.watch(label)
        time.sleep(_LOOK_SECONDS)


def _answer(office: DemoOffice, seen: RolloutView, show: Show) -> None:
    """Answer as an operator would whose workstations share data that went one way."""
    show.say(f"{seen.label} waits for a person: {seen.detail}")
    words = ("rollout", "abort", seen.label, "--roll-back-all")
    show.say(f"the operator answers: roundsman {' '.join(words)}")
    office.roundsman(*words, "--yes")


class _Meanwhile:
    """Makes each trouble come when its workstation is visited."""

    def __init__(
        self,
        office: DemoOffice,
        label: str,
        troubles: list[tuple[Trouble, Workstation]],
        show: Show,
    ) -> None:
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=trouble, args=(office, host, label, self._end, show.say))
            for trouble, host in troubles
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


def _judge(office: DemoOffice, witness: Witness, label: str, seconds: float) -> Verdict:
    page = office.base / "report.html"
    report = office.roundsman("rollout", "report", label, "--html", str(page))
    stayed = [h["host"] for h in report["hosts"] if h["state"] != "updated"]
    is_back = report["rollout"]["state"] == RolloutState.ABORTED
    said = witness.judge_gone_back() if is_back else witness.judge(stayed)
    hosts = [
        {
            "host": h["host"],
            "state": h["state"],
            "from": h["from"],
            "to": h["to"],
            "exclusive_seconds": h["exclusive_seconds"],
        }
        for h in report["hosts"]
    ]
    rollout = {
        "id": report["rollout"]["id"],
        "state": report["rollout"]["state"],
        "seconds": seconds,
    }
    back = [
        f"{item['host']}: {item['detail']}"
        for item in report["history"]
        if item["state"] == HostState.ROLLED_BACK
    ]
    return Verdict(
        rollout, hosts, said["violations"], said["relaunches"], said["drafts"], back, str(page)
    )
