"""One workstation of the demo, and what the demo's office is made of."""

import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from coordinator.cli.demo_drafts import Drafts
from coordinator.cli.demo_processes import Process, spawn
from coordinator.standin.make_release import Size

_SCRIPTS = Path(__file__).parents[1] / "standin"


@dataclass
class Workstation:
    """One PC of the demo: a folder of its own, an agent, the app and its users."""

    name: str
    place: Path
    port: int
    agent: Process | None = None
    programs: list[Process] = field(default_factory=list)
    host_id: str = ""
    proc: None = None  # its processes are this machine's

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

    @property
    def autosaves(self) -> Path:
        """Where the agent copies what the app has saved by itself."""
        return self.state / "autosaves"

    def open_app(self, user: str, *options: str) -> Process:
        """Open the app for one user."""
        return self.start(self.folder / "officeapp.py", user, *options)

    def start(self, program: Path, *words: str) -> Process:
        """Start one of the programs of the app, or a copy of one."""
        command = [sys.executable, "-I", str(program), *words]
        process = spawn(command, self.place / "app.log")
        self.programs.append(process)
        return process


class Way(StrEnum):
    """How the demo's release is put in place."""

    REPLACE_FOLDER = "replace-folder"
    STAY = "stay"  # the same, but for a part that is left where it is
    INSTALLER = "installer"


@dataclass(frozen=True, slots=True)
class Wares:
    """What the office works with: the app's profile, its size, and whether its data is shared."""

    profile: Path = _SCRIPTS / "profile.toml"
    size: Size = Size()  # noqa: RUF009 - frozen
    apply: Way = Way.REPLACE_FOLDER
    shares_data: bool = False
    one_way: bool = False  # the old release cannot read what the new one has made of the data
    drafts: Drafts | None = None  # where somebody has unsaved work, if anybody has

    def profile_text(self) -> str:
        """Return the profile: how it applies a release, where its data and its autosaves are."""
        text = self.profile.read_text("utf-8").replace(
            _WAYS[Way.REPLACE_FOLDER], _WAYS[self.apply]
        )
        if self.drafts and self.drafts.pattern:
            text = text.replace(_CLOSE, f'{_CLOSE}autosave = ["{self.drafts.pattern}"]\n')
        if not self.shares_data:
            return text
        shared = _SHARED_DATA.format(old_reads_new="false" if self.one_way else "true")
        return text.replace(_OWN_DATA, shared)


_WAYS = {
    Way.REPLACE_FOLDER: """kind = "replace-folder"
keep = ["config/**", "prefs/**", "certs/**", "data/**", "archive/**"]
""",
    Way.STAY: """kind = "replace-folder"
keep = ["config/**", "prefs/**", "certs/**", "data/**"]
stay = ["archive"]
""",
    Way.INSTALLER: """kind = "installer"
program = "setup/install"
arguments = ["{folder}"]
""",
}
_CLOSE = """[close]
"""
_OWN_DATA = """[data]
scope = "host"
"""
_SHARED_DATA = """[data]  # on the first workstation, whose agent.toml names the folder
scope = "shared"
holder = "server"
folders = ["/opt/roundsman-demo/share"]
old_reads_new = {old_reads_new}
"""
