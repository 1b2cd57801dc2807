"""An office to be measured: a real coordinator, and simulated agents in a few processes."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from coordinator.access import read_access
from coordinator.api.client import Client
from coordinator.api.schemas import RolloutView
from coordinator.cli.demo_office import APP, NEW, DemoOffice
from coordinator.cli.demo_processes import end
from coordinator.complaint import Complaint
from coordinator.walk.states import RolloutState
from tests.bench.crowd import CrowdSettings

_PATIENCE_SECONDS = 600.0
_LOOK_SECONDS = 1.0  # rarely: looking takes the coordinator's time
_PROCESSES = 2
_WINDOW_SECONDS = 6 * 3600  # a thousand visits, as they are estimated
_MOST_USES = 200  # of one token


class BenchOffice(DemoOffice):
    """The demo's office without its application; `crowd` lets simulated agents in."""

    def __init__(self, base: Path, hosts: int) -> None:
        super().__init__(base, hosts)
        self.release(NEW).parent.mkdir()
        self._orders = base / "orders.txt"
        self._crowds: list[subprocess.Popen[bytes]] = []

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """Yield an operator's line to the coordinator."""
        with Client(read_access(self.base / "operator")) as client:
            yield client

    def crowd(self, count: int, step_seconds: float = 0.0, folder: Path | None = None) -> None:
        """Enrol so many simulated agents, their disks in `folder`; returns once all are linked."""
        self.gather(count, step_seconds, folder)
        self.let_dial()
        self.wait_all_linked(count)

    def gather(self, count: int, step_seconds: float = 0.0, folder: Path | None = None) -> None:
        """Enrol so many simulated agents; returns once all are ready to dial."""
        names = [f"PC-{number:03}" for number in range(1, count + 1)]
        processes = max(_PROCESSES, -(-count // _MOST_USES))
        for share in range(processes):
            mine = tuple(names[share::processes])
            settings = CrowdSettings(
                folder=str(folder or self.base / "crowd"),
                token=self._crowd_token(len(mine)),
                link=f"127.0.0.1:{self.link_port}",
                names=mine,
                step_seconds=step_seconds,
                orders=str(self._orders),
                network=share + 1,
            )
            self._crowds.append(_start(settings, self.base / "crowd.log"))
        for crowd in self._crowds:
            assert crowd.stdout is not None
            said_ready = crowd.stdout.readline()
            assert said_ready, f"simulated agents cannot enrol, see {self.base / 'crowd.log'}"

    def _crowd_token(self, uses: int) -> str:
        words = ("--group", "office", "--uses", str(uses), "--automatic")
        return str(self.roundsman("fleet", "token", *words)["token"])

    def let_dial(self) -> float:
        """Have all simulated agents dial at once; return how many seconds linking them took."""
        begun = time.time()
        for crowd in self._crowds:
            assert crowd.stdin is not None
            crowd.stdin.write(b"dial\n")
            crowd.stdin.flush()
        return (
            max(float(crowd.stdout.readline()) for crowd in self._crowds if crowd.stdout) - begun
        )

    def wait_all_linked(self, count: int) -> None:
        """Return once so many agents are linked."""
        what = f"{count} agents linked, see {self.base / 'crowd.log'}"
        patiently(lambda: self._linked() == count, what)

    def _linked(self) -> int:
        with contextlib.suppress(Complaint), self.client() as client:  # it may be starting
            return sum(host.linked for host in client.hosts())
        return 0

    def start_rollout(self) -> str:
        """Plan the release for the group and start it; return the rollout's label."""
        window = ["--within", str(_WINDOW_SECONDS), "--grace", "1"]
        plan = self.roundsman("plan", APP, NEW, *window, "--on-failure", "skip")
        return str(self.roundsman("rollout", "start", plan["label"])["label"])

    def end_of(self, label: str, expected: RolloutState = RolloutState.DONE) -> RolloutView:
        """Return a rollout once it has ended. Raises `AssertionError` unless as expected."""
        patiently(lambda: self._has_ended(label), f"the end of {label}")
        with self.client() as client:
            ended = client.rollout(label)
        assert ended.state is expected, f"{label} ended {ended.state}: {ended.detail}"
        return ended

    def _has_ended(self, label: str) -> bool:
        seen = self.rollout(label)
        return seen is not None and seen.state.is_final

    def order_times(self) -> list[float]:
        """Return when simulated agents were given an order, by this machine's own clock."""
        lines = self._orders.read_text("ascii").splitlines()
        return [float(line.partition(" ")[0]) for line in lines]

    def stop_coordinator(self) -> None:
        """End the coordinator in order."""
        end([self.coordinator])

    def close(self) -> None:
        """End every process of the office."""
        for crowd in self._crowds:
            crowd.communicate()
        super().close()


@contextlib.contextmanager
def bench_office(hosts: int = 0) -> Iterator[BenchOffice]:
    """Yield an office whose coordinator serves and has the release signed."""
    base = Path(tempfile.mkdtemp(prefix="roundsman-bench-"))
    office = BenchOffice(base, hosts)
    try:
        office.set_up_coordinator()
        office.publish_profile()
        office.publish_release(NEW)
        yield office
    finally:
        office.close()
        shutil.rmtree(base)


def patiently(is_so: Callable[[], bool], what: str, every: float = _LOOK_SECONDS) -> None:
    """Return once it is so. Raises `AssertionError` when it is not for long."""
    pause, end = threading.Event(), time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, f"not within {_PATIENCE_SECONDS:g} s: {what}"
        pause.wait(every)


def _start(settings: CrowdSettings, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.crowd", settings.write()]
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            start_new_session=True,
        )
