"""A host in memory, and what else an agent's core is given."""

import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.config import AppPlace, Config, Coordinator
from agent.platforms.base import (
    CloseRung,
    Ended,
    Going,
    PrintJob,
    Process,
    ServiceControl,
    Session,
)
from agent.platforms.linux_files import LinuxFiles
from agent.steps.table import Answer, Refused, Seat, Work
from agent.wire.contract import (
    Direction,
    Fence,
    Refusal,
    StartOrder,
    StepName,
    StepParams,
    Target,
)
from agent.wire.manifest import Manifest
from agent.wire.notices import Notice
from agent.wire.profile import (
    App,
    Apply,
    ApplyKind,
    Backup,
    Close,
    Data,
    Health,
    Profile,
    ServiceManager,
    ServiceManagerKind,
    VersionKind,
    VersionReader,
    Windowless,
)

HOST = "pc-03-1f2e3d"
ROLLOUT = "01JD0000000000000000000000"
LATER_ROLLOUT = "01JD0000000000000000000001"
PROFILE = Target("profiles/bench-app.toml", "a" * 64)
FENCE = Fence(3, "abc123")
PARAMS = StepParams(PROFILE)


@dataclass
class FakeServices:
    """Services of a host in memory."""

    platform: "FakePlatform"
    running: dict[str, Process] = field(default_factory=dict)

    def main_process(self, unit: str) -> Process | None:
        process = self.running.get(unit)
        return process if process and self.platform.is_alive(process) else None

    def stop(self, unit: str) -> None:
        if process := self.running.pop(unit, None):
            self.platform.close(process, CloseRung.KILL)

    def start(self, unit: str) -> None:
        if not self.main_process(unit):
            self.running[unit] = self.platform.start_program([f"/usr/{unit}"], Path("/"), "")

    def prepare(self, unit: str) -> None:
        """A stop takes no time here."""

    def free(self, unit: str) -> None:
        """It is free at any time."""

    def leave(self, unit: str) -> None:
        """Nothing is left of a stop here."""


class FakePlatform(LinuxFiles):
    """A `Platform` whose processes and time are made up; its files are real."""

    name = "fake"

    def __init__(self) -> None:
        self.now = 1000.0
        self.boot = "boot-1"
        self.table: dict[int, Process] = {}
        self.stubborn: set[int] = set()
        self.closed: list[tuple[int, CloseRung]] = []
        self.looks = 0
        self.services: ServiceControl = FakeServices(self)
        self._pids = itertools.count(100)
        self._lock = threading.Lock()

    def open(self, exe: str, *, user: str = "marie", parent: int = 0, age: float = 0) -> Process:
        """Have somebody start a program; `age` in seconds."""
        with self._lock:
            process = Process(
                next(self._pids), self.now - age, user, "7", exe, (exe,), "/", parent
            )
            self.table[process.pid] = process
            return process

    def processes(self) -> Sequence[Process]:
        with self._lock:
            self.looks += 1
            return list(self.table.values())

    def is_alive(self, process: Process) -> bool:
        return self.table.get(process.pid) == process

    def close(self, process: Process, rung: CloseRung) -> None:
        if not self.is_alive(process):
            return
        self.closed.append((process.pid, rung))
        gentle = rung not in {CloseRung.TERMINATE, CloseRung.KILL}
        if not gentle and (rung is CloseRung.KILL or process.pid not in self.stubborn):
            with self._lock:
                self.table.pop(process.pid, None)

    def start_program(
        self, argv: Sequence[str], cwd: Path, user: str, session: str = ""
    ) -> Process:
        if argv[0].startswith("/no-such"):
            raise OSError(f'cannot start "{argv[0]}": there is none')
        if session and (session, user) not in {(s.id, s.user) for s in self.sessions()}:
            raise OSError(f'cannot start "{argv[0]}": session {session} of {user} has ended')
        return self.open(argv[0], user=user or "root")

    def service_of(self, process: Process) -> str:
        return ""

    def listening(self) -> Mapping[int, tuple[int, ...]]:
        return {}

    def run(self, argv: Sequence[str], cwd: Path, seconds: float, going: Going) -> Ended:
        going()
        return Ended(0, "")

    def run_as_nobody(self, argv: Sequence[str], cwd: Path, seconds: float) -> Ended:
        return Ended(0, "1.0\n")

    def sessions(self) -> Sequence[Session]:
        return [Session("7", "marie", active=True)]

    def home(self, user: str) -> Path | None:
        return None

    def print_jobs(self) -> Sequence[PrintJob]:
        return ()

    def free_bytes(self, folder: Path) -> int:
        return 10**9

    def boot_id(self) -> str:
        return self.boot

    def clock(self) -> float:
        return self.now


@dataclass
class FakePackages:
    """One profile, taken as verified, unless `signed` says otherwise."""

    the_profile: Profile
    signed: bool = True
    asked: int = 0

    def profile(self, target: Target) -> Profile:
        self.asked += 1
        if not self.signed:
            raise Refused(Refusal.NOT_SIGNED, f"{target.name} is not signed")
        return self.the_profile

    def manifest(self, target: Target, *, afresh: bool = False) -> Manifest:
        raise Refused(Refusal.NOT_SIGNED, target.name)

    def assemble(self, manifest: Manifest, ticket: str, work: object, into: Path) -> bool:
        return False

    def fetch(self, manifest: Manifest, ticket: str, work: Work) -> Path:
        raise Refused(Refusal.PACKAGE_ABSENT, manifest.app)


class FakeGuard:
    """A guard that spares whom it is told."""

    def spare(self, process: Process) -> None:
        pass

    def spare_none(self) -> None:
        pass

    def let(self, users: Collection[str]) -> None:
        pass


@dataclass
class FakePeople:
    """Remembers what people were told."""

    said: list[str] = field(default_factory=list)
    shown: list[Notice] = field(default_factory=list)
    here: Sequence[Seat] = ()
    told: list[tuple[str, ...]] = field(default_factory=list)  # sessions, of each notice

    def seats(self) -> Sequence[Seat]:
        return self.here

    def show(self, notice: Notice, sessions: Collection[str] = ()) -> None:
        self.said.append(notice.message)
        self.shown.append(notice)
        self.told.append(tuple(sessions))

    def hush(self, sessions: Collection[str] = ()) -> None:
        self.said.append("")

    def close_windows(self, processes: Iterable[Process]) -> None:
        pass

    def answers(self) -> list[Answer]:
        return []

    def offer(self, session: str, user: str, opens: Callable[[], None]) -> None:
        pass


_VERSION = VersionReader(VersionKind.FILE, "version", "(.*)")


def profile_of(name: str = "bench-app", updater: tuple[str, ...] = ("bin/updater",)) -> Profile:
    """A profile whose programs are bin/app, bin/manager and bin/updater."""
    return Profile(
        name=name,
        title="Bench App",
        help="ask the vendor",
        app=App(
            ("/opt/bench-app",),
            ("bin/app",),
            VersionReader(VersionKind.FILE, "version", "(.*)"),
            kill=True,
        ),
        close=Close(windowless=Windowless.END),
        service_manager=ServiceManager(
            ServiceManagerKind.PROGRAM, ("bin/manager",), ("bin/manager",), "", None
        ),
        updater_programs=updater,
        apply=Apply(ApplyKind.REPLACE_FOLDER),
        backup=Backup(),
        data=Data(),
        health=Health("", "", "", 30.0, 1.0),
        estimate_seconds=60.0,
        grace_seconds=60.0,
        closed_while_others_update=True,
    )


def config_of(folder: Path) -> Config:
    """An agent whose state is in `folder`/state and whose app is in `folder`/app."""
    state, app = folder / "state", folder / "app"
    state.mkdir(mode=0o700, exist_ok=True)
    app.mkdir(exist_ok=True)
    coordinators = (Coordinator("127.0.0.1:7701", "https://127.0.0.1:7702"),)
    return Config(HOST, state, coordinators, {"bench-app": AppPlace(app, {"port": "8085"})})


def step_id(step: StepName, rollout: str = ROLLOUT) -> str:
    return f"{rollout}/{HOST}/{step}"


@dataclass(frozen=True)
class Orders:
    """Makes start orders for one step."""

    step: StepName = StepName.APPLY_RELEASE
    rollout: str = ROLLOUT

    def start(
        self,
        direction: Direction = Direction.DO,
        attempt: int = 1,
        fence: Fence = FENCE,
        params: StepParams = PARAMS,
        not_after: float = 60.0,
    ) -> StartOrder:
        return StartOrder(
            step_id(self.step, self.rollout), direction, attempt, fence, not_after, params
        )
