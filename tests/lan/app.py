"""The line-of-business application on one host of the box: installed, opened, and its evidence."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from coordinator.standin.make_release import Size, copy_release, seed_host
from tests.lan.box import Host
from tests.until import until

APP, OLD, NEW = "lobapp", "1.0", "1.1"
USERS = ("alice", "bob")
SMALL = Size(libraries=20, half_a_library=14_000, table=20_000)
SERVICE = "lobapp.service"
CLIENTS = tuple(f"lobclient@{user}.service" for user in USERS)
_PORT = 8080
_HERE = Path(__file__).parent
_UNITS = (SERVICE, "lobclient@.service")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the evidence log: what a process of the app has written of itself."""

    word: str  # open or close
    pid: int  # as the host numbers it
    at: float
    version: str
    role: str  # client or service-manager
    user: str


@dataclass(frozen=True, slots=True)
class Workstation:
    """One host with the app, as this machine sees its disk and its processes."""

    host: Host

    @property
    def name(self) -> str:
        """What the fleet calls it."""
        return self.host.name

    @property
    def folder(self) -> Path:
        """Where the app is installed."""
        return self.host.root / "opt/lob/lobapp"

    @property
    def evidence(self) -> Path:
        """What the app itself writes when it opens and closes."""
        return self.folder.with_name("evidence.log")

    @property
    def state(self) -> Path:
        """The agent's own folder."""
        return self.host.root / "var/lib/roundsman"

    @property
    def autosaves(self) -> Path:
        """Where the agent copies what the app has saved by itself."""
        return self.state / "autosaves"

    @property
    def proc(self) -> Path:
        """Its own /proc."""
        return self.host.proc

    def install(self, release: Path, size: Size) -> None:
        """Put a release there, with what belongs to the host and its users, and open it."""
        copy_release(release, self.folder)
        seed_host(self.folder, self.name, _PORT, size)
        self._say_where()
        for unit in _UNITS:
            shutil.copy(_HERE / unit, self.host.root / "etc/systemd/system" / unit)
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "--quiet", "enable", "--now", SERVICE, *CLIENTS)
        until(
            lambda: len(self.lines("open")) == len(_UNITS) + 1, 30, f"{self.name}: the app opens"
        )

    def _say_where(self) -> None:
        ini = self.folder.with_name("office.ini")
        ini.write_text(ini.read_text("utf-8").replace(f"{self.host.root}/", "/"), "utf-8")
        self.evidence.touch()
        self.evidence.chmod(0o666)
        people = (self.host.root / "etc/passwd").read_text("utf-8").splitlines()
        numbers = {line.split(":")[0]: int(line.split(":")[2]) for line in people}
        for user in USERS:
            work = self.folder / "data" / f"{user}.txt"
            work.touch()
            os.chown(work, numbers[user], numbers[user])

    def lines(self, word: str = "") -> list[Line]:
        """Return what the app has written of itself, all or the lines of one word."""
        text = self.evidence.read_text("utf-8")
        split = [line.split() for line in text.splitlines()]
        found = [Line(w, int(pid), float(at), *rest) for w, pid, at, *rest in split]
        return [line for line in found if word in {"", line.word}]

    def version(self) -> str:
        """Return the version that lies in the app's place, "" when none does."""
        file = self.folder / "VERSION"
        lines = file.read_text("utf-8").splitlines() if file.is_file() else []
        return dict(line.split("=", 1) for line in lines).get("app", "")

    def saved(self, user: str) -> list[int]:
        """Return the processes of a user that saved the user's work, by pid."""
        work = (self.folder / "data" / f"{user}.txt").read_text("utf-8").splitlines()
        return [int(line.split()[1]) for line in work if line.startswith("saved ")]
