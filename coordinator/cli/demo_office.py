"""The demo's office: a coordinator, agents and the stand-in application, all real processes.

Everything is started as an admin would start it, through the two programs' command lines; this
module keeps the processes and the folders, decides nothing and knows no agent or walk.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator.access import read_access
from coordinator.api.client import Client
from coordinator.api.schemas import RolloutView
from coordinator.complaint import Complaint
from coordinator.standin.make_release import copy_release, seed_host, write_folder, write_zip

APP, OLD, NEW = "office", "1.0", "1.1"
_SCRIPTS = Path(__file__).parents[1] / "standin"
_PASSPHRASE = "the demo keeps no secrets"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_WINDOW_SECONDS = 1800

Json = Any


@dataclass
class Workstation:
    """One PC of the demo: a folder of its own, an agent, the app and its users."""

    name: str
    place: Path
    port: int
    agent: subprocess.Popen[bytes] | None = None
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)
    host_id: str = ""

    @property
    def folder(self) -> Path:
        """Where the app is installed."""
        return self.place / "office"

    @property
    def state(self) -> Path:
        """The agent's own folder."""
        return self.place / "agent"

    @property
    def evidence(self) -> Path:
        """What the app itself writes when it opens and closes."""
        return self.place / "evidence.log"

    def open_app(self, user: str, script: Path | None = None) -> subprocess.Popen[bytes]:
        """Open the app for one user; from another copy of the program when `script` is given."""
        program = script or self.folder / "officeapp.py"
        home = ["--home", str(self.folder)] if script else []
        process = _spawn([sys.executable, "-I", str(program), user, *home], self.place / "app.log")
        self.programs.append(process)
        return process


class DemoOffice:
    """The whole office below one folder; `close` ends every process of it."""

    def __init__(self, base: Path, hosts: int) -> None:
        ports = iter(_free_ports(hosts + 2))
        self.base = base
        self.link_port, self.https_port = next(ports), next(ports)
        names = [f"PC-{number:02}" for number in range(1, hosts + 1)]
        self.hosts = [Workstation(name, base / name, next(ports)) for name in names]
        self.coordinator: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None
        self._environment = os.environ | {
            "ROUNDSMAN_HOME": str(base / "coordinator"),
            "ROUNDSMAN_CONFIG": str(base / "operator"),
            "ROUNDSMAN_PASSPHRASE": _PASSPHRASE,
        }

    # -- the coordinator -----------------------------------------------------------------

    def roundsman(self, *words: str) -> Json:
        """Run one command of `roundsman` and return what its --json says.

        Exit code 1, a person is needed, is an answer too. Raises `Complaint` for 2.
        """
        command = [sys.executable, "-m", "coordinator.cli", *words, "--json"]
        ended = subprocess.run(command, env=self._environment, capture_output=True, check=False)
        if ended.returncode not in {0, 1}:
            raise Complaint(f"roundsman {' '.join(words)}: {ended.stderr.decode().strip()}")
        return json.loads(ended.stdout)

    def rollout(self, label: str) -> RolloutView | None:
        """Return where a rollout stands; None while the coordinator does not answer."""
        if self._client is None:
            self._client = Client(read_access(self.base / "operator"))
        try:
            return self._client.rollout(label)
        except Complaint:
            return None

    def state_of(self, label: str, host: Workstation) -> str:
        """Return where one workstation stands in a rollout, "" when it cannot be asked."""
        seen = self.rollout(label)
        visits = seen.visits if seen else []
        return next((v.state.value for v in visits if v.host == host.name), "")

    def watch(self, rollout: str) -> None:
        """Show the rollout live, to whoever sits here, until it ends or needs a person."""
        command = [sys.executable, "-m", "coordinator.cli", "rollout", "watch", rollout]
        subprocess.run(command, env=self._environment, check=False)

    def set_up_coordinator(self) -> None:
        """Make a coordinator and start it."""
        self.roundsman(
            "init", "--address", "127.0.0.1", "--listen", "127.0.0.1",
            "--link-port", str(self.link_port), "--https-port", str(self.https_port),
        )  # fmt: skip
        self.start_coordinator()

    def start_coordinator(self) -> None:
        """Start `roundsman serve`, and return once it answers."""
        command = [sys.executable, "-m", "coordinator.cli", "serve"]
        log = self.base / "coordinator.log"
        self.coordinator = _spawn(command, log, self._environment)
        _wait_for(self._is_up, "the coordinator does not start", log)

    def _is_up(self) -> bool:
        assert self.coordinator is not None
        if self.coordinator.poll() is not None:
            raise Complaint("the coordinator ended", f"read {self.base / 'coordinator.log'}")
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.https_port), 1),
        ):
            return True
        return False

    def kill_coordinator(self) -> int:
        """End the coordinator as a power cut would; return its process id."""
        assert self.coordinator is not None
        return _kill(self.coordinator)

    # -- the workstations ----------------------------------------------------------------

    def install_apps(self) -> None:
        """Put release 1.0 on every workstation, with what belongs to each, and open it."""
        write_folder(OLD, self.base / "releases" / OLD)
        for number, host in enumerate(self.hosts):
            copy_release(self.base / "releases" / OLD, host.folder)
            seed_host(host.folder, host.name, host.port)
            host.programs.append(
                _spawn(
                    [sys.executable, "-I", str(host.folder / "servicemanager.py")],
                    host.place / "app.log",
                )
            )
            host.open_app("marie")
            if number % 2:
                host.open_app("paul")

    def enrol_agents(self) -> None:
        """Enrol an agent on every workstation and start it; return once all are linked."""
        said = self.roundsman(
            "fleet", "token", "--group", "office", "--uses", str(len(self.hosts)), "--automatic"
        )
        enrolling = [self._enrol(host, said["token"]) for host in self.hosts]
        for host, process in zip(self.hosts, enrolling, strict=True):
            if process.wait() != 0:
                raise Complaint(f"cannot enrol {host.name}", f"read {host.place / 'agent.log'}")
            with (host.state / "agent.toml").open("a", encoding="utf-8") as file:
                file.write(f'\n[apps.{APP}]\nfolder = "{host.folder}"\n')
                file.write(f'values = {{ port = "{host.port}" }}\n')
            self.start_agent(host)
        self.wait_linked()

    def _enrol(self, host: Workstation, token: str) -> subprocess.Popen[bytes]:
        words = ["enrol", token, "--name", host.name, "--state", str(host.state)]
        return _spawn([sys.executable, "-m", "agent", *words], host.place / "agent.log")

    def start_agent(self, host: Workstation) -> None:
        """Start `roundsman-agent run` on one workstation."""
        config = str(host.state / "agent.toml")
        command = [sys.executable, "-m", "agent", "run", "--config", config]
        host.agent = _spawn(command, host.place / "agent.log")

    def kill_agent(self, host: Workstation) -> int:
        """End an agent as a power cut would; return its process id."""
        assert host.agent is not None
        return _kill(host.agent)

    def wait_linked(self) -> None:
        """Return once every agent is linked."""

        def all_linked() -> bool:
            known = self.roundsman("fleet", "list")
            for host in self.hosts:
                host.host_id = next((h["id"] for h in known if h["name"] == host.name), "")
            return sum(bool(h["linked"]) for h in known) == len(self.hosts)

        _wait_for(all_linked, "not every agent is linked", self.base)

    # -- the release ---------------------------------------------------------------------

    def publish_release(self) -> None:
        """Add the app's profile and release 1.1, and sign both."""
        package = self.base / "releases" / f"{APP}-{NEW}.zip"
        write_zip(NEW, package)
        self.roundsman("profile", "add", str(_SCRIPTS / "profile.toml"))
        self.roundsman("release", "add", APP, NEW, str(package))
        self.roundsman("release", "sign", "--yes")

    def make_plan(self) -> Json:
        """Plan the release for the office, within the next minutes."""
        window = ["--within", str(_WINDOW_SECONDS), "--grace", "1"]
        return self.roundsman("plan", APP, NEW, *window, "--on-failure", "skip")

    # -- the witness ---------------------------------------------------------------------

    def start_witness(self) -> None:
        """Have the witness note what every workstation owns, and watch from now on."""
        write_json(self.base / "witness.json", self._witness_config({}))
        self._script("inspector.py", "note", "witness.json", "noted.json")
        log = (self.base / "witness.log").open("ab")
        with log:
            self._watcher = subprocess.Popen(
                [*self._script_command("watcher.py"), "witness.json", "record.jsonl"],
                cwd=self.base, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert self._watcher.stdout is not None
        self._watcher.stdout.readline()  # it says so once it watches

    def judge(self, stayed: Sequence[str]) -> Json:
        """End the watch and return the verdict; `stayed` are to be on the old release."""
        assert self._watcher is not None
        self._watcher.terminate()
        self._watcher.communicate(timeout=30)
        old = dict.fromkeys(stayed, OLD)
        write_json(self.base / "witness.json", self._witness_config(old))
        said = self._script("witness.py", "witness.json", "noted.json", "record.jsonl")
        return json.loads(said)

    def _witness_config(self, versions: dict[str, str]) -> Json:
        hosts = [
            {
                "name": host.name,
                "folder": str(host.folder),
                "evidence": str(host.evidence),
                "before": OLD,
                "expected": versions.get(host.name, NEW),
                "running": host.name not in versions,
            }
            for host in self.hosts
        ]
        folder = self.base / "releases"
        releases = {OLD: str(folder / OLD), NEW: str(folder / f"{APP}-{NEW}.zip")}
        return {"releases": releases, "hosts": hosts}

    def _script_command(self, script: str) -> list[str]:
        return [sys.executable, "-I", str(_SCRIPTS / script)]

    def _script(self, script: str, *words: str) -> bytes:
        command = [*self._script_command(script), *words]
        return subprocess.run(command, cwd=self.base, stdout=subprocess.PIPE, check=False).stdout

    # -- the end -------------------------------------------------------------------------

    def close(self) -> None:
        """End every process of the office, also those that agents have started."""
        if self._client is not None:
            self._client.close()
        for host in self.hosts:
            _end([host.agent, *host.programs])
        _end([self.coordinator, self._watcher])
        for pid in processes_below(self.base):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def processes_below(folder: Path) -> Iterator[int]:
    """Yield the processes whose command line names something in the folder."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)


def write_json(file: Path, content: Json) -> None:
    """Write one JSON file."""
    file.write_text(json.dumps(content, indent=1), "utf-8")


def _spawn(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip


def _kill(process: subprocess.Popen[bytes]) -> int:
    process.kill()
    if process.wait() != -signal.SIGKILL:
        raise Complaint(f"process {process.pid} ended before it could be killed")
    return process.pid


def _end(processes: Sequence[subprocess.Popen[bytes] | None]) -> None:
    running = [p for p in processes if p is not None and p.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(is_so: Any, otherwise: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise Complaint(otherwise, f"read {log}")
        time.sleep(_POLL_SECONDS)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [probe.getsockname()[1] for probe in probes]
