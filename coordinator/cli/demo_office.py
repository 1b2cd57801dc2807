"""The demo's office: a coordinator, agents and the stand-in application, all real processes.

Everything is started as an admin would start it, through the two programs' command lines; this
module keeps the processes and the folders, decides nothing and knows no agent or walk.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from coordinator.access import read_access
from coordinator.api.client import Client
from coordinator.api.schemas import RolloutView
from coordinator.cli.demo_drafts import Drafts
from coordinator.cli.demo_processes import (
    Process,
    end,
    free_ports,
    kill,
    kill_below,
    spawn,
    wait_for,
)
from coordinator.cli.demo_witness import Case, Witness
from coordinator.cli.demo_workstation import Wares, Way, Workstation
from coordinator.complaint import Complaint
from coordinator.standin.make_release import (
    Share,
    copy_release,
    installer_files,
    release_files,
    seed_host,
    seed_share,
    write_folder,
    write_zip,
)

APP, OLD, NEW = "office", "1.0", "1.1"
_PASSPHRASE = "the demo keeps no secrets"
_WINDOW_SECONDS = 1800
_PLAIN = Wares()

Json = Any


class DemoOffice:
    """The whole office below one folder; `close` ends every process of it."""

    def __init__(self, base: Path, hosts: int, wares: Wares = _PLAIN) -> None:
        ports = iter(free_ports(hosts + 2))
        self.base = base
        self._wares = wares
        self.link_port, self.https_port = next(ports), next(ports)
        names = [f"PC-{number:02}" for number in range(1, hosts + 1)]
        self.hosts = [Workstation(name, base / name, next(ports)) for name in names]
        self.share = Share(base / "share" / "data", wares.one_way) if wares.shares_data else None
        self.coordinator: Process | None = None
        self._witnesses: list[Witness] = []
        self._client: Client | None = None
        self._environment = os.environ | {
            "ROUNDSMAN_HOME": str(base / "coordinator"),
            "ROUNDSMAN_CONFIG": str(base / "operator"),
        }
        self._signing = self._environment | {"ROUNDSMAN_PASSPHRASE": _PASSPHRASE}

    @property
    def drafts(self) -> Drafts | None:
        """Where somebody has unsaved work, None when nobody has."""
        return self._wares.drafts

    # -- the coordinator -----------------------------------------------------------------

    def roundsman(self, *words: str) -> Json:
        """Run one command of `roundsman` and return what its --json says.

        Exit code 1, a person is needed, is an answer too. Raises `Complaint` for 2.
        """
        command = [sys.executable, "-m", "coordinator.cli", *words, "--json"]
        ended = subprocess.run(command, env=self._signing, capture_output=True, check=False)
        if ended.returncode not in {0, 1}:
            raise Complaint(f"roundsman {' '.join(words)}: {ended.stderr.decode().strip()}")
        return json.loads(ended.stdout)

    def rollout(self, label: str) -> RolloutView | None:
        """Return where a rollout stands; None while the coordinator does not answer."""
        try:
            return self._asked().rollout(label)
        except Complaint:
            return None

    def _asked(self) -> Client:
        """Return the line over which this process asks; a command for each look costs more."""
        if self._client is None:
            self._client = Client(read_access(self.base / "operator"))
        return self._client

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

    def start_coordinator(self, *options: str) -> None:
        """Start `roundsman serve`, and return once it answers."""
        command = [sys.executable, "-m", "coordinator.cli", "serve", *options]
        log = self.base / "coordinator.log"
        self.coordinator = spawn(command, log, self._environment)
        wait_for(self._is_up, "the coordinator does not start", log)

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
        return kill(self.coordinator)

    # -- the workstations ----------------------------------------------------------------

    def install_apps(self) -> None:
        """Put release 1.0 on every workstation, with what belongs to each, and open it."""
        write_folder(OLD, self.release(OLD), self._wares.size)
        if self.share is not None:
            seed_share(self.share, OLD, self._wares.size)
        for number, host in enumerate(self.hosts):
            copy_release(self.release(OLD), host.folder)
            seed_host(host.folder, host.name, host.port, self._wares.size, self.share)
            host.start(host.folder / "servicemanager.py")
            host.open_app("marie")
            if number % 2:
                host.open_app("paul")

    def enrol_agents(self) -> None:
        """Enrol an agent on every workstation and start it; return once all are linked."""
        holders = self.hosts[:1] if self.share else []
        tokens = {"server": self._token("server", len(holders))} if holders else {}
        if others := self.hosts[len(holders) :]:
            tokens["workstation"] = self._token("workstation", len(others))
        roles = ["server" if host in holders else "workstation" for host in self.hosts]
        enrolling = [
            self._enrol(host, tokens[role]) for host, role in zip(self.hosts, roles, strict=True)
        ]
        for host, process in zip(self.hosts, enrolling, strict=True):
            if process.wait() != 0:
                raise Complaint(f"cannot enrol {host.name}", f"read {host.place / 'agent.log'}")
            self._configure(host, holds_data=host in holders)
            self.start_agent(host)
        self.wait_linked()

    def _token(self, role: str, uses: int) -> str:
        words = ("--group", "office", "--role", role, "--uses", str(uses), "--automatic")
        return str(self.roundsman("fleet", "token", *words)["token"])

    def _configure(self, host: Workstation, *, holds_data: bool) -> None:
        with (host.state / "agent.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[apps.{APP}]\nfolder = "{host.folder}"\n')
            file.write(f'values = {{ port = "{host.port}" }}\n')
            if holds_data and self.share is not None:
                file.write(f'data = ["{self.share.folder}"]\n')
            # five PCs on one screen would tell everything five times
            file.write("[people]\ndisplays = []\n")

    def _enrol(self, host: Workstation, token: str) -> Process:
        words = ["enrol", token, "--name", host.name, "--state", str(host.state)]
        return spawn([sys.executable, "-m", "agent", *words], host.place / "agent.log")

    def start_agent(self, host: Workstation) -> None:
        """Start `roundsman-agent run` on one workstation."""
        config = str(host.state / "agent.toml")
        command = [sys.executable, "-m", "agent", "run", "--config", config]
        host.agent = spawn(command, host.place / "agent.log")

    def kill_agent(self, host: Workstation) -> int:
        """End an agent as a power cut would; return its process id."""
        assert host.agent is not None
        return kill(host.agent)

    def wait_linked(self) -> None:
        """Return once every agent is linked."""

        def all_linked() -> bool:
            known = {host.name: host for host in self._asked().hosts()}
            for host in self.hosts:
                host.host_id = known[host.name].id if host.name in known else ""
            return sum(host.linked for host in known.values()) == len(self.hosts)

        wait_for(all_linked, "not every agent is linked", self.base)

    # -- the release ---------------------------------------------------------------------

    def release(self, version: str) -> Path:
        """Return where a release lies here: the old one as a folder, others as they came."""
        name = version if version == OLD else f"{APP}-{version}.zip"
        return self.base / "releases" / name

    def publish_profile(self) -> None:
        """Add the app's profile."""
        file = self.base / f"{APP}.toml"
        file.write_text(self._wares.profile_text(), "utf-8")
        self.roundsman("profile", "add", str(file))

    def publish_release(self, *versions: str) -> None:
        """Add releases of the app, and sign everything that is unsigned."""
        for version in versions:
            size = self._wares.size
            write_zip(self.release(version), release_files(version, size))
            file = self.release(version)
            if self._wares.apply is Way.INSTALLER:
                file = file.with_suffix(".installer.zip")
                write_zip(file, installer_files(version, size))
            self.roundsman("release", "add", APP, version, str(file), "--role", "any")
        self.roundsman("release", "sign", "--yes")

    def make_plan(self, version: str) -> Json:
        """Plan the release for the office, within the next minutes."""
        window = ["--within", str(_WINDOW_SECONDS), "--grace", "1"]
        return self.roundsman("plan", APP, version, *window, "--on-failure", "skip")

    # -- the witness ---------------------------------------------------------------------

    def start_witness(self, name: str, before: str, after: str) -> Witness:
        """Have the witness note what every workstation owns, and watch from now on."""
        releases = {version: self.release(version) for version in (before, after)}
        drafts = self.drafts.folder if self.drafts else None
        case = Case(name, releases, before, after, self.share, drafts)
        witness = Witness(self.base, self.hosts, case)
        witness.start()
        self._witnesses.append(witness)
        return witness

    # -- the end -------------------------------------------------------------------------

    def close(self) -> None:
        """End every process of the office, also those that agents have started."""
        if self._client is not None:
            self._client.close()
        end([host.agent for host in self.hosts])
        end([program for host in self.hosts for program in host.programs])
        end([self.coordinator])
        for witness in self._witnesses:
            witness.close()
        kill_below(self.base)
