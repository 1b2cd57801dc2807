"""One workstation to be updated again and again, and two copies of its app for the rival."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from coordinator.cli.demo_office import OLD, DemoOffice
from coordinator.cli.demo_processes import free_ports, spawn
from coordinator.cli.demo_workstation import Wares
from coordinator.standin.make_release import Size, copy_release, seed_host, write_folder
from tests.bench.office import patiently

RIVALS = ("whole", "ready")
RIVAL = Path(__file__).with_name("rival.sh")
_SOAK, _NO_SOAK = 'soak = "1 s"', 'soak = "0 s"'
_STEP = "SELECT {} FROM step_run WHERE rollout = ? AND step = ? AND direction = 'do'"


class UpdateOffice(DemoOffice):
    """An office of one workstation whose app is of a given size; nobody has it open."""

    def __init__(self, base: Path, size: Size) -> None:
        text = Wares().profile.read_text("utf-8")
        assert _SOAK in text
        profile = base / "profile.toml"
        profile.write_text(text.replace(_SOAK, _NO_SOAK), "utf-8")
        super().__init__(base, 1, Wares(profile=profile, size=size))
        self._size = size
        self._rivals = {mode: base / f"rival-{mode}" / "office" for mode in RIVALS}

    def open(self, versions: Sequence[str]) -> None:
        """Have everything run: a coordinator that knows the releases, the app in three places."""
        self.set_up_coordinator()
        self.publish_profile()
        write_folder(OLD, self.release(OLD), self._size)
        self.publish_release(*versions)
        host = self.hosts[0]
        ports = free_ports(len(RIVALS))
        self._install(host.folder, host.port)
        for folder, port in zip(self._rivals.values(), ports, strict=True):
            self._install(folder, port)
        command = [sys.executable, "-I", str(host.folder / "servicemanager.py")]
        host.programs.append(spawn(command, host.place / "app.log"))
        for mode in RIVALS:
            self._by_hand("start", mode, OLD)
        self.enrol_agents()

    def _install(self, folder: Path, port: int) -> None:
        folder.parent.mkdir(exist_ok=True)
        copy_release(self.release(OLD), folder)
        seed_host(folder, folder.parent.name, port, self._size)

    def update(self, version: str) -> tuple[float, float]:
        """Roll a release out; return the seconds of its exclusive part, and of all of it."""
        plan = self.make_plan(version)
        label = str(self.roundsman("rollout", "start", plan["label"])["label"])
        patiently(lambda: self._has_ended(label), f"the end of {label}")
        seen = self.rollout(label)
        assert seen is not None
        assert seen.ended is not None
        assert seen.state.value == "done", f"{label} ended {seen.state}: {seen.detail}"
        begun = self._time(seen.id, "stop-service-manager", "started")
        return self._time(seen.id, "check-health", "ended") - begun, seen.ended - seen.started

    def _has_ended(self, label: str) -> bool:
        seen = self.rollout(label)
        return seen is not None and seen.state.is_final

    def _time(self, rollout: str, step: str, which: str) -> float:
        file = next((self.base / "coordinator").glob("*.sqlite"))
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
            return float(store.execute(_STEP.format(which), (rollout, step)).fetchone()[0])

    def update_by_hand(self, mode: str, version: str) -> float:
        """Have the rival take its own copy to a release; return its seconds."""
        return int(self._by_hand(mode, mode, version)) / 1000

    def _by_hand(self, what: str, mode: str, version: str) -> str:
        words = [what, str(self._rivals[mode]), str(self.release(version)), version]
        command = ["bash", str(RIVAL), *words, sys.executable]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
