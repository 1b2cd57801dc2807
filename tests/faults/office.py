"""An office for fault tests: the demo's, with small releases, and many rollouts one after another.

Whether something is so is judged from files and process tables; the coordinator's word is only
asked for what is to be compared with them.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coordinator.access import read_access
from coordinator.api.asks import PackageAsk, PlanAsk, ProfileAsk
from coordinator.api.client import Client
from coordinator.cli.demo_office import APP, DemoOffice
from coordinator.cli.demo_processes import Process, processes_below
from coordinator.cli.demo_workstation import Wares, Workstation
from coordinator.settings import Settings
from coordinator.setup import set_up
from coordinator.standin.make_release import Size, release_files, write_zip
from tests.faults.ledger import Ledger
from tests.until import until

WARES = Wares(
    Path(__file__).with_name("office.toml"), Size(libraries=7, half_a_library=14_000, table=5_000)
)
_WINDOW_SECONDS = 1800


class FaultOffice(DemoOffice):
    """The demo's office with what fault tests ask of it."""

    def __init__(self, base: Path, hosts: int, wares: Wares = WARES) -> None:
        super().__init__(base, hosts, wares)
        self.ledger = Ledger(base / "coordinator" / "roundsman.sqlite")

    def begin(self, *versions: str) -> None:
        """Open the office: everything runs, and these versions are signed."""
        self.set_up_coordinator()
        self.install_apps()
        self.enrol_agents()
        self.publish_profile()
        with self.client() as client:
            for version in versions:
                write_zip(self.release(version), release_files(version, WARES.size))
                client.add_package(PackageAsk(app=APP, version=version), self.release(version))
        self.roundsman("release", "sign", "--yes")

    def make_home(self) -> None:
        """Make a coordinator as `roundsman init` does, without a process of its own for that."""
        settings = Settings(
            home=self.base / "coordinator",
            listen="127.0.0.1",
            link_port=self.link_port,
            https_port=self.https_port,
            addresses=("127.0.0.1",),
        )
        passphrase = self._signing["ROUNDSMAN_PASSPHRASE"]
        set_up(settings, self.base / "operator", "root", lambda: passphrase)

    def set_up_coordinator(self) -> None:
        """Make a coordinator and start it."""
        self.make_home()
        self.start_coordinator()

    def publish_profile(self) -> None:
        """Add the app's profile."""
        with self.client() as client:
            client.add_profile(ProfileAsk(text=self._wares.profile_text(), file=f"{APP}.toml"))

    def client(self) -> Client:
        """Return an operator's line to the coordinator."""
        return Client(read_access(self.base / "operator"))

    def start_rollout(self, version: str) -> str:
        """Plan and start a rollout; return its id."""
        with self.client() as client:
            ask = PlanAsk(
                app=APP, version=version, within_seconds=_WINDOW_SECONDS, grace_seconds=0.0
            )
            return client.start(client.make_plan(ask).label).id

    def serve_again(self) -> subprocess.CompletedProcess[str]:
        """Start another daemon on the same home; return how it ended."""
        command = [sys.executable, "-m", "coordinator.cli", "serve"]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command of `roundsman` as a person does; return how it ended."""
        command = [sys.executable, "-m", "coordinator.cli", *words]
        return subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def open_apps(self) -> None:
        """Have somebody open the app on every workstation; return once it is open."""
        for host in self.hosts:
            opened(host, host.open_app("marie"))

    def host_of(self, host_id: str) -> Workstation:
        """Return the workstation that the fleet knows by this id."""
        return next(host for host in self.hosts if host.host_id == host_id)


def opened(host: Workstation, process: Process) -> Process:
    """Return the app's process once it has written that it is open."""
    until(lambda: has_said(host, "open", process.pid), 20, f"{host.name}: the app opens")
    return process


def has_said(host: Workstation, word: str, pid: int) -> bool:
    """True when a process of the app has written that it opened or closed."""
    lines = host.evidence.read_text("utf-8").splitlines() if host.evidence.exists() else []
    return any(line.startswith(f"{word} {pid} ") for line in lines)


@contextmanager
def office(base: Path, hosts: int, wares: Wares = WARES) -> Iterator[FaultOffice]:
    """An office that is gone at the end, with every process of it."""
    made = FaultOffice(base, hosts, wares)
    try:
        yield made
    finally:
        made.close()
    until(lambda: not list(processes_below(base)), what="no process is left")
