"""A small app on a real disk with real processes, its next release, and a `Work` for the steps."""

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.platforms.base import Platform, Process, Session
from agent.platforms.linux import Linux
from agent.programs import all_programs
from agent.steps.table import (
    Answer,
    Folders,
    Guard,
    Installation,
    Memo,
    Packages,
    People,
    Refused,
    Seat,
)
from agent.wire.contract import Finding, Refusal, StepName, StepParams, Target
from agent.wire.manifest import FileEntry, Manifest
from agent.wire.notices import Notice
from agent.wire.profile import Profile
from agent.wire.profile_reader import read_profile
from tests.until import until

SPEED = 20.0  # a second's pause takes a twentieth of one here
ROLLOUT = "01JD0000000000000000000000"
PROFILE = """
[profile]
name = "bench-app"
title = "Bench App"
help = "ask the vendor"

[app]
folders = ["{folder}"]
programs = ["bin/app"]
kill = {kill}
version = {{ file = "version.txt", pattern = '^app=(.+)$' }}

[close]
windowless = "end"

[service_manager]
kind = "program"
programs = ["bin/manager"]
start = ["bin/manager", "{{port}}"]
version = {{ file = "version.txt", pattern = '^service_manager=(.+)$' }}

[updater]
programs = ["bin/updater"]

[apply]
kind = "replace-folder"
keep = ["prefs/**", "certs/*.pem"]

[health]
port = "{{port}}"
http = "http://127.0.0.1:{{port}}/version"
http_pattern = 'version (\\S+)'
timeout = {timeout}
soak = {soak}
"""
WAITING = "import signal\nsignal.pause()\n"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.pause()\n"
MANAGER = """
import http.server, pathlib, sys
text = pathlib.Path(__file__).parent.parent.joinpath("version.txt").read_text()
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("version " + text.split("=")[-1]).encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def script(code: str) -> bytes:
    return f"#!{sys.executable} -I\n{code}".encode()


def release(version: str, manager: str = "") -> dict[str, bytes]:
    """The files of one release of the app."""
    return {
        "version.txt": f"app={version}\nservice_manager={manager or version}\n".encode(),
        "bin/app": script(WAITING),
        "bin/manager": script(MANAGER),
        "bin/updater": script(WAITING),
        "lib/code.bin": version.encode() * 50,
        "prefs/default.ini": f"shipped with {version}".encode(),
    }


def write_tree(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if path.startswith("bin/"):
            target.chmod(0o755)


def manifest_of(
    files: Mapping[str, bytes], version: str = "1.1", app: str = "bench-app"
) -> Manifest:
    entries = tuple(
        FileEntry(
            path,
            0o755 if path.startswith("bin/") else 0o644,
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
        for path, content in files.items()
    )
    return Manifest(app, version, "client", "linux", "0" * 64, 1, entries)


def zip_of(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


class FastLinux(Linux):
    """The real thing, with a clock that jumps ahead at every pause, and people as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0
        self.logged_in: list[Session] = []
        self.homes: dict[str, Path] = {}

    def home(self, user: str) -> Path | None:
        return self.homes.get(user) or super().home(user)

    def sessions(self) -> Sequence[Session]:
        return tuple(self.logged_in)

    def clock(self) -> float:
        return super().clock() + self.skipped


class SmallMemo:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def put(self, key: str, value: str) -> None:
        self.kept[key] = value


@dataclass
class SmallPackages:
    """One profile and one package, taken as verified."""

    the_profile: Profile
    the_manifest: Manifest
    content: Path
    fetched: int = 0

    def profile(self, target: Target) -> Profile:
        return self.the_profile

    def manifest(self, target: Target, *, afresh: bool = False) -> Manifest:
        return self.the_manifest

    def assemble(self, manifest: Manifest, ticket: str, work: object, into: Path) -> bool:
        return False

    def fetch(self, manifest: Manifest, ticket: str, work: object) -> Path:
        self.fetched += 1
        if not self.content.exists():
            raise Refused(Refusal.PACKAGE_ABSENT, "no package")
        return self.content


@dataclass
class SmallGuard:
    spared: list[Process] = field(default_factory=list)
    lets: list[set[str]] = field(default_factory=list)

    def spare(self, process: Process) -> None:
        self.spared.append(process)

    def spare_none(self) -> None:
        self.spared.clear()

    def let(self, users: Collection[str]) -> None:
        self.lets.append(set(users))


@dataclass
class SmallPeople:
    """People who never answer; what they were told is kept. `at` says who is there."""

    notices: list[Notice] = field(default_factory=list)
    hushed: int = 0
    hushed_in: list[str] = field(default_factory=list)
    shown_in: list[Collection[str]] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)
    at: list[Seat] = field(default_factory=list)
    said: list[Answer] = field(default_factory=list)
    asked_to_close: list[int] = field(default_factory=list)
    offers: dict[tuple[str, str], Callable[[], None]] = field(default_factory=dict)

    def seats(self) -> Sequence[Seat]:
        return tuple(self.at)

    def show(self, notice: Notice, sessions: Collection[str] = ()) -> None:
        self.notices.append(notice)
        self.shown_in.append(sessions)
        self.heard.set()

    def hush(self, sessions: Collection[str] = ()) -> None:
        self.hushed += not sessions
        self.hushed_in += sessions

    def close_windows(self, processes: Iterable[Process]) -> None:
        self.asked_to_close += [process.pid for process in processes]

    def answers(self) -> list[Answer]:
        said, self.said = self.said, []
        return said

    def offer(self, session: str, user: str, opens: Callable[[], None]) -> None:
        self.offers[session, user] = opens


@dataclass
class SmallWork:
    """The `Work` of one step; `memos` outlives it, as the journal does."""

    step_id: str
    profile: Profile
    installation: Installation
    folders: Folders
    platform: Platform
    packages: Packages
    params: StepParams
    memo: Memo
    owed: Memo
    guard: Guard
    people: People
    memos: dict[StepName, Memo]
    ticket: str = ""
    limit: float = float("inf")
    facts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    told: list[tuple[int, int]] = field(default_factory=list)

    def memo_of(self, step: StepName) -> Memo:
        return self.memos[step]

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))

    def pause(self, seconds: float) -> None:
        threading.Event().wait(seconds / SPEED)
        if isinstance(self.platform, FastLinux):
            self.platform.skipped += seconds

    def seconds_left(self) -> float:
        return self.limit - self.platform.clock()

    def fact(self, key: str, value: str) -> None:
        self.facts[key] = value

    def find(self, finding: Finding) -> None:
        self.findings.append(finding)

    @property
    def found(self) -> set[str]:
        return {finding.code for finding in self.findings}


@dataclass
class AtPause:
    """A `pause` of this work that does something at the nth one."""

    work: SmallWork
    nth: int
    act: Callable[[], object]

    def __post_init__(self) -> None:
        self.work.pause = self  # type: ignore[method-assign]

    def __call__(self, seconds: float) -> None:
        self.nth -= 1
        if self.nth == 0:
            self.act()
        SmallWork.pause(self.work, seconds)


class Bench:
    """One host: the app at 1.0, the package of 1.1, and a `Work` for any step on them."""

    def __init__(self, root: Path, *, timeout: str = "10", port: int = 0):
        self.root = root
        self.app = root / "office" / "app"
        state = root / "state"
        for folder in (state / "staging", state / "backups", state / "autosaves"):
            folder.mkdir(parents=True, mode=0o700)
        write_tree(self.app, self.installed())
        (self.app / "certs" / "server.pem").chmod(0o600)
        os.utime(self.app / "prefs" / "user.ini", ns=(1, 1_234_567_891_234_567_891))
        self.release = release("1.1")
        text = PROFILE.format(folder=self.app, kill="false", timeout=timeout, soak=5)
        self.profile = read_profile(text, "bench.toml")
        self.platform: Platform = FastLinux()
        self.values = {"port": str(port)}
        self.folders = Folders(
            download=state / "downloads",
            incoming=state / "staging" / "incoming",
            outgoing=self.app.parent / f"app_old.{ROLLOUT}",
            discarded=state / "staging" / "discarded",
            backup=state / "backups" / ROLLOUT,
            autosaves=state / "autosaves" / ROLLOUT,
            ready=state / "staging" / "ready",
        )
        content = zip_of(root / "package.zip", self.release)
        self.packages = SmallPackages(self.profile, manifest_of(self.release), content)
        self.owed = SmallMemo()
        self.memos: dict[StepName, Memo] = {step: SmallMemo() for step in StepName}
        self.guard, self.people = SmallGuard(), SmallPeople()
        self._children: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def installed() -> dict[str, bytes]:
        return release("1.0") | {
            "prefs/user.ini": b"mine",
            "prefs/default.ini": b"changed by me",
            "certs/server.pem": b"secret",
            "data/old.db": b"not kept",
        }

    def ship(self, files: Mapping[str, bytes], version: str = "1.1") -> None:
        """Have another package instead."""
        self.release = dict(files)
        self.packages.the_manifest = manifest_of(files, version)
        zip_of(self.packages.content, files)

    def work(self, step: StepName = StepName.SURVEY, **params: object) -> SmallWork:
        target = Target("bench", "0" * 64)
        given = {"profile": target, "package": target, "version": "1.1"} | params
        return SmallWork(
            step_id=f"{ROLLOUT}/pc-01/{step}",
            profile=self.profile,
            installation=Installation(self.app, self.values),
            folders=self.folders,
            platform=self.platform,
            packages=self.packages,
            params=StepParams(**given),  # type: ignore[arg-type]
            memo=self.memos[step],
            owed=self.owed,
            guard=self.guard,
            people=self.people,
            memos=self.memos,
        )

    def log_in(self, *people: Session) -> None:
        """Have these people, and nobody else, be logged in."""
        assert isinstance(self.platform, FastLinux)
        self.platform.logged_in = list(people)

    def open_app(
        self, program: str = "bin/app", *words: str, user: str | None = None, session: str = ""
    ) -> subprocess.Popen[bytes]:
        """Open a program of the app, in somebody's session, and return once it can be seen."""
        inside = {"XDG_SESSION_ID": session} if session else {}
        child = subprocess.Popen([self.app / program, *words], env=os.environ | inside, user=user)
        self._children.append(child)
        until(lambda: child.pid in self.running(), what=f"{program} is open")
        return child

    def running(self) -> dict[int, Process]:
        programs = all_programs(self.profile, self.app)
        return {p.pid: p for p in self.platform.processes() if programs.include(p)}

    def close(self) -> None:
        for pid in self.running():
            os.kill(pid, 9)
        for child in self._children:
            child.wait()


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything about every file, link and folder below; the times of files only."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        rights = (about.st_mode, about.st_uid, about.st_gid)
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = (*rights, path.readlink())
        elif path.is_dir():
            found[name] = rights
        else:
            attributes = {key: os.getxattr(path, key) for key in os.listxattr(path)}
            found[name] = (*rights, about.st_mtime_ns, path.read_bytes(), attributes)
    return found
