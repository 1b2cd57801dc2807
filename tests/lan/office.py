"""A whole office in the box: the app on every host, agents, a coordinator, a release on offer.

A test of a fault is written so::

    with Box(3) as box, LanOffice(box, tmp_path) as office:
        rollout = office.start()
        office.when("h2", "apply-release", Moment.BEGUN)
        box.network.cut("h2")
        ...
        box.network.heal("h2")
        assert office.end(rollout) == "done"
        assert office.violations() == []

Agents come from the project's own .deb and run as services of systemd; every command is typed at
the seat. What holds is judged from the hosts' own disks and processes, looked at all along by
the stand-in's witness and by `sampler.py`, which import nothing of the product.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from coordinator.access import PASSPHRASE_VARIABLE
from coordinator.cli.demo_processes import end as end_in_order
from coordinator.cli.demo_witness import Case, Wanted, Witness
from coordinator.complaint import Complaint
from coordinator.fleet.enrolment_book import Approval
from coordinator.settings import HTTPS_PORT, LINK_PORT
from coordinator.standin.make_release import Size
from coordinator.walk.states import HostState, RolloutState
from tests.faults.ledger import Ledger
from tests.lan import agents
from tests.lan.app import APP, NEW, OLD, SMALL, Workstation
from tests.lan.box import Box
from tests.lan.home import PASSPHRASE, environment, ready_home
from tests.lan.moments import Moment, wait_for_step
from tests.lan.package import package
from tests.lan.verdict import Json, Sampler
from tests.until import until

_UP_SECONDS = 60.0
_STILL_SECONDS = 5.0
_WINDOW = ("--within", "1800", "--grace", "0")


@dataclass(frozen=True, slots=True)
class Terms:
    """What an office is like: who lets hosts in, how big the app is, whether it is watched."""

    approval: Approval = Approval.AUTOMATIC
    size: Size = SMALL
    watched: bool = True


_TERMS = Terms()


class LanOffice:
    """The office from entering it to leaving it; its box is entered first and left last."""

    def __init__(
        self, box: Box, folder: Path, *, hosts: Sequence[str] = (), terms: Terms = _TERMS
    ) -> None:
        self.box, self.folder, self.terms = box, folder, terms
        self.stations = {name: Workstation(box.hosts[name]) for name in hosts or box.hosts}
        self.ids: dict[str, str] = {}
        """By name, what the coordinator calls a host."""
        self.rollout = ""
        self.coordinator: subprocess.Popen[bytes] | None = None
        self.surroundings: dict[str, str] = {}
        """What the coordinator finds in its environment beside where its things are."""
        self.relaunches: list[Json] = []
        """What opened while it was kept closed, and was closed again at once; once judged."""
        releases = {OLD: folder / "releases" / OLD, NEW: folder / "releases" / f"{NEW}.zip"}
        watched = list(self.stations.values())
        self._old_release = releases[OLD]
        self._witness = Witness(folder, watched, Case("witness", releases, OLD, NEW))
        self._sampler = Sampler(folder, watched)

    def __enter__(self) -> Self:
        """Return once every agent is linked, the app is open everywhere, and it is watched."""
        with ExitStack() as opening:
            opening.callback(self.close)
            self._open()
            opening.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        """End the coordinator and whoever watches; the hosts end with the box."""
        self.close()

    def close(self) -> None:
        """End what runs on this machine."""
        self._witness.close()
        self._sampler.close()
        end_in_order([self.coordinator])

    def _open(self) -> None:
        home = ready_home(self.box.seat.ip, self.terms.size)
        shutil.copytree(home, self.folder, dirs_exist_ok=True)
        token = json.loads((home / "tokens.json").read_text("utf-8"))[self.terms.approval.value]
        with ThreadPoolExecutor(len(self.stations) + 1) as pool:
            first = [pool.submit(self._prepare, station) for station in self.stations.values()]
            for doing in [pool.submit(self.start_coordinator), *first]:
                doing.result()
            then = [pool.submit(agents.enrol, s, token) for s in self.stations.values()]
            if self.terms.approval is Approval.OPERATOR:
                self._approve()
            for doing in then:
                doing.result()
        self.wait_linked(*self.stations)
        self.ids = {name: agents.id_of(station) for name, station in self.stations.items()}
        if self.terms.watched:
            self._witness.start()
            self._sampler.start()

    def _prepare(self, station: Workstation) -> None:
        station.install(self._old_release, self.terms.size)
        agents.install(station, package())

    def _approve(self) -> None:
        waiting = "SELECT name FROM enrol_request WHERE state = 'waiting'"
        count = len(self.stations)
        until(lambda: len(self.ledger.rows(waiting)) == count, _UP_SECONDS, "all ask to be let in")
        self.cli("fleet", "approve", *self.stations)

    def wait_linked(self, *hosts: str) -> None:
        """Return once the agents of these hosts say that they are linked."""
        for name in hosts:
            is_linked = partial(agents.is_linked, self.stations[name])
            until(is_linked, _UP_SECONDS, f"{name} is linked")

    # -- the coordinator -----------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """The coordinator's database, only ever read."""
        return Ledger(self.folder / "coordinator" / "roundsman.sqlite")

    def cli(self, *arguments: str) -> Any:
        """Type `roundsman ... --json` at the seat and return what it printed.

        Exit code 1, a person is needed, is an answer too. Raises `Complaint` for 2.
        """
        given = environment(self.folder) | {PASSPHRASE_VARIABLE: PASSPHRASE}
        words = [sys.executable, "-m", "coordinator.cli", *arguments, "--json"]
        typed = ["env", *(f"{key}={value}" for key, value in given.items()), *words]
        ended = self.box.seat.run(*typed, check=False, seconds=120)
        if ended.returncode not in {0, 1}:
            raise Complaint(f"roundsman {' '.join(arguments)}: {ended.stderr.strip()}")
        return json.loads(ended.stdout)

    def start_coordinator(self, *words: str) -> None:
        """Start `roundsman serve` with these words at the seat; return once it listens."""
        log = self.folder / "coordinator.log"
        command = (sys.executable, "-m", "coordinator.cli", "serve", *words)
        given = environment(self.folder) | self.surroundings
        daemon = self.box.seat.spawn(*command, log=log, environment=given)
        self.coordinator = daemon
        until(lambda: listens(daemon) or daemon.poll() is not None, _UP_SECONDS, "it listens")
        if daemon.poll() is not None:
            raise Complaint(f"the coordinator ended: {log.read_text('utf-8')[-2000:]}")

    def kill_coordinator(self) -> None:
        """End the coordinator as a power cut would."""
        assert self.coordinator is not None
        self.coordinator.kill()
        self.coordinator.wait()

    # -- a rollout -----------------------------------------------------------------------

    def start(self, *arguments: str) -> str:
        """Plan the new release, with these words more, and start it; return the rollout's id."""
        plan = self.cli("plan", APP, NEW, *_WINDOW, *arguments)
        self.rollout = self.cli("rollout", "start", plan["label"])["id"]
        return self.rollout

    def when(
        self, host: str, step: str, moment: Moment, seconds: float = 60.0, direction: str = "do"
    ) -> None:
        """Return once a step of a host is that far, as the agent's journal on its disk says."""
        wait_for_step(self.stations[host].state, self.rollout, (step, direction), moment, seconds)

    def end(self, rollout: str, seconds: float = 120.0) -> str:
        """Return the state of a rollout once it has ended, or waits for a person."""
        try:
            until(lambda: self._stands_still(rollout), seconds)
        except AssertionError:
            raise AssertionError(f"not over within {seconds:g} s: {self.told(rollout)}") from None
        return str(self.ledger.state_of(rollout)["state"])

    def _stands_still(self, rollout: str) -> bool:
        seen = self.ledger.state_of(rollout)
        asks = seen["state"] in {RolloutState.NEEDS_OPERATOR, RolloutState.PAUSED}
        return seen["ended"] is not None or (asks and time.time() - seen["since"] > _STILL_SECONDS)

    def told(self, rollout: str) -> str:
        """Return what the coordinator says of a rollout and of its hosts, in words."""
        seen, visits = self.ledger.state_of(rollout), self._visits(rollout)
        hosts = [f"{name}: {visit['state']} {visit['detail']}" for name, visit in visits.items()]
        return "\n".join([f"{seen['state']}: {seen['detail']} {seen['mend']}", *hosts])

    def _visits(self, rollout: str) -> dict[str, Json]:
        names = {host_id: name for name, host_id in self.ids.items()}
        rows = self.ledger.rows("SELECT * FROM visit WHERE rollout = ?", rollout)
        return {names[row["host"]]: row for row in rows}

    # -- the verdict ---------------------------------------------------------------------

    def violations(self) -> list[Json]:
        """End the watch and return whatever must not have been; [] when all of I1 to I7 held.

        That hosts are as the coordinator says is part of it: each one that it calls updated is
        on the new release, each other on the old, and what it says is open again is.
        """
        said = self._witness.judge_each({n: self._wanted(n) for n in self.stations})
        self.relaunches = said["relaunches"]
        spans = {host["host"]: host["changed"] for host in said["hosts"]}
        noted = self.folder / "witness-noted.json"
        found: list[Json] = said["violations"]
        return found + self._sampler.judge(spans, self._old_release, noted)

    def _wanted(self, name: str) -> Wanted:
        """Return what a host is to be; whole, and of either version, where that is not certain."""
        station = self.stations[name]
        either = NEW if station.version() == NEW else OLD
        if not self.rollout:
            return Wanted(OLD, running=None)
        state = self.ledger.state_of(self.rollout)["state"]
        visit = self._visits(self.rollout).get(name, {}).get("state", "")
        version = _VERSION.get(visit, either)
        running = _RUNNING.get(state)
        if state == RolloutState.PARTLY_DONE:
            running = visit == HostState.UPDATED
        return Wanted(version, running if station.host.is_on else None)


_VERSION = {HostState.UPDATED: NEW, HostState.ROLLED_BACK: OLD, HostState.PENDING: OLD}
_RUNNING = {
    RolloutState.DONE: True,
    RolloutState.ABORTED: True,
    RolloutState.LEFT_CLOSED: False,
}
"""Whether the service manager is to run at the end; not judged in the middle of a walk."""


def listens(daemon: subprocess.Popen[bytes]) -> bool:
    """True when somebody listens on both ports of the coordinator, in the daemon's network."""
    table = Path(f"/proc/{daemon.pid}/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    ports = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}
    return {LINK_PORT, HTTPS_PORT} <= ports
