"""A coordinator's HTTPS over the real store; engine, links and surveys are fakes."""

import contextlib
import os
import shutil
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from starlette.routing import Mount

from agent.wire.contract import (
    CancelOrder,
    CordonMode,
    Fence,
    Finding,
    Sight,
    StepReport,
    StepState,
    Target,
)
from agent.wire.enrolment import Coordinator
from agent.wire.errors import LinkError
from coordinator.access import CA_FILE, Access, new_token, read_access, token_hash, write_access
from coordinator.api.app import make_app
from coordinator.api.asks import PackageAsk, ProfileAsk
from coordinator.api.client import Client
from coordinator.api.office import Office
from coordinator.api.roles import OperatorRole
from coordinator.fleet.asker import Asker
from coordinator.fleet.ca import Authority
from coordinator.fleet.door import enrolment_routes, server_context
from coordinator.fleet.enrolment import Directions, Enrolment
from coordinator.fleet.errands import Errands
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.standing import Standing
from coordinator.fleet.stepper import Stepper
from coordinator.fleet.trust import Trust
from coordinator.fleet.turn import Turn
from coordinator.mail_settings import MailSettings
from coordinator.model import Host, HostStanding, Keep, Plan, SurveyOf
from coordinator.notify.line import Patience
from coordinator.notify.postman import Postman
from coordinator.planning.ulid import RANDOM_BYTES, make_ulid
from coordinator.releases.bulk import Bulk, bulk_routes
from coordinator.releases.downloads import Downloads
from coordinator.releases.keys import SIGNING_KEY
from coordinator.releases.licences import Licences
from coordinator.releases.packages import PackageStore
from coordinator.releases.repository import Repository
from coordinator.releases.tickets import Tickets
from coordinator.settings import Settings, read_settings
from coordinator.setup import set_up
from coordinator.signing import sign_list
from coordinator.store.cordons import Cordons
from coordinator.store.database import open_database
from coordinator.store.enrolment import Book
from coordinator.store.fleet import Catalogue, Fleet, People
from coordinator.store.outbox import Outbox
from coordinator.store.rollouts import Rollouts
from coordinator.store.stagings import Stagings
from coordinator.walk.back import Return
from coordinator.walk.ports import Command, News
from coordinator.walk.states import HostState, RolloutState
from tests.trust.office import Clock, serving

PASSPHRASE = "correct horse battery"
PROFILE = (Path(__file__).parents[2] / "coordinator/profiles/office-maker.toml").read_text("utf-8")
APP = "office-maker"


class FakeEngine:
    """Keeps what it is told; nothing walks."""

    def __init__(self, rollouts: Rollouts) -> None:
        self._rollouts = rollouts
        self.said: list[Command] = []
        self.taken_back: list[Return] = []

    def submit(self, plan: Plan, by: str) -> int:
        return self._rollouts.begin(plan, by, lambda _connection: None)

    def say(self, rollout: str, command: Command) -> None:
        self._rollouts.say(rollout, command)
        self.said.append(command)

    def take_back(self, order: Return) -> None:
        self._rollouts.begin_again(order.plan, lambda _connection: None)
        self.taken_back.append(order)


@dataclass
class FakeLinks:
    """Knows of the links it is told of."""

    known: dict[str, Standing] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def standings(self) -> Mapping[str, Standing]:
        return self.known

    def standing(self, host_id: str) -> Standing:
        return self.known.get(host_id, Standing(host_id))

    def drop(self, host_id: str, why: str = "revoked") -> None:
        self.dropped.append(f"{host_id}: {why}")


@dataclass
class FakeSurveyor:
    """Says of every host what it is told; well, on Linux with 1.0, unless told otherwise."""

    said: dict[str, SurveyOf] = field(default_factory=dict)

    def survey(self, host_ids: Collection[str], profile: Target) -> Mapping[str, SurveyOf]:
        well = SurveyOf({"app_version": "1.0", "system": "linux"})
        return {h: self.said.get(h, well) for h in host_ids}


def _fence() -> Fence:
    return Fence(1, "ab")


def _new_id() -> str:
    return make_ulid(time.time(), os.urandom(RANDOM_BYTES))


def make_home(folder: Path) -> None:
    """Make a coordinator's home and an operator's folder, as `roundsman init` does."""
    settings = Settings(home=folder / "home", addresses=("127.0.0.1",))
    set_up(settings, folder / "operator", "ann", lambda: PASSPHRASE)


class FakeAgents:
    """Agents that do at once what they are asked, and answer what they are told to."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, str]] = {}  # by step
        self.reports: dict[str, StepReport] = {}  # by step; else done
        self.findings: dict[str, tuple[Finding, ...]] = {}
        self.taken: list[tuple[str, str, str]] = []  # host, step, direction
        self.cordons: list[tuple[str, str, str]] = []  # host, what, rollout
        self.cancelled: list[CancelOrder] = []
        self.silent: LinkError | None = None
        self.hold = Event()
        self.hold.set()

    def call(self, host_id: str, method: str, request: Any, deadline: float) -> Any:
        if self.silent is not None:
            raise self.silent
        if isinstance(request, CancelOrder):
            self.cancelled.append(request)
        if method in {"cordon", "uncordon"}:
            mode = getattr(request, "mode", CordonMode.NONE)
            self.cordons.append((host_id, mode.value, request.rollout))
            return Sight(mode, guarded=True)
        step = request.step_id.rpartition("/")[2]
        if method == "start":
            self.taken.append((host_id, step, request.direction.value))
        if step == "restore-backup" and not self.hold.is_set():
            self.hold.wait(0.05)
            return StepReport(request.step_id, request.direction, StepState.RUNNING, 1, 1, 40, 100)
        done = self.reports.get(step, StepReport("", request.direction, StepState.DONE))
        return replace(
            done,
            step_id=request.step_id,
            direction=request.direction,
            facts=self.facts.get(step, {}),
            findings=self.findings.get(step, ()),
        )

    def call_all(
        self, requests: Mapping[str, Any], method: str, deadline: float
    ) -> dict[str, Any]:
        return {host: self.call(host, method, ask, deadline) for host, ask in requests.items()}


class RealOffice:
    """One coordinator in a folder that `make_home` has made."""

    def __init__(self, folder: Path) -> None:
        self.operator_folder = folder / "operator"
        self.settings = read_settings(folder / "home")
        self.database = open_database(self.settings.database)
        self.authority = Authority.open(self.settings.ca_folder)
        self.repository = Repository(self.settings.repository_folder)
        self.packages = PackageStore(self.settings.packages_folder)
        self.clock = Clock()
        mail = self.settings.mail
        self.outbox = Outbox(self.database, mail.recipients if mail else (), self.clock)
        self.rollouts = Rollouts(self.database, self.clock, self.outbox.post)
        self.postman = None if mail is None else self._postman(mail)
        self.fleet = Fleet(self.database)
        self.people = People(self.database)
        self.cordons = Cordons(self.database)
        self.book = Book(self.database)
        self.engine = FakeEngine(self.rollouts)
        self.links = FakeLinks()
        self.surveyor = FakeSurveyor()
        self.enrolment = Enrolment(self.book, self.authority, self._directions)
        self.address = ""
        self.feeds: dict[str, str] = {}
        self.keep = Keep()
        self.orphans: set[str] = set()
        self.downloads = Downloads(lambda _seconds: None)
        self.agents = FakeAgents()
        self.keeper = self.new_keeper()
        self.stepper = Stepper(self.agents, Event(), _fence)
        self.errands = Errands(Asker(self.stepper, _fence, _new_id), self.keeper)

    def _postman(self, mail: MailSettings) -> Postman:
        return Postman(mail, self.outbox, self.rollouts, lambda plan: plan.app, Patience(2.0, 5.0))

    def new_keeper(self) -> Keeper:
        """Return a keeper as a daemon that starts now has it."""
        return Keeper(self.cordons, self.agents, _fence, self._plan_of, Trust(time.time))

    def _plan_of(self, rollout: str) -> Plan | None:
        row = self.rollouts.find(rollout)
        return row.plan if row else None

    def _directions(self) -> Directions:
        root = self.repository.root_of_trust()
        here = (Coordinator("127.0.0.1:1", self.address),)
        return Directions(here, root.sha256, root.version)

    def office(self) -> Office:
        return Office(
            fleet=self.fleet,
            rollouts=self.rollouts,
            people=self.people,
            catalogue=Catalogue(self.database),
            engine=self.engine,
            hub=self.links,
            surveyor=self.surveyor,
            errands=self.errands,
            stagings=Stagings(self.database),
            turn=Turn(self.agents, _fence),
            repository=self.repository,
            packages=self.packages,
            licences=Licences(self.settings.licences_folder),
            enrolment=self.enrolment,
            codes=self._code,
            uploads=self.settings.home / "uploads",
            waiting=self.book.waiting,
            sealed=self.keeper.sealed,
            orphans=lambda: self.orphans,
            postman=self.postman,
            feeds=self.feeds,
            keep=self.keep,
            downloads=self.downloads,
            version="0.0-test",
            clock=self.clock,
        )

    def _bulk(self) -> Bulk:
        tickets = Tickets.open(self.settings.tickets_file)
        return Bulk(self.repository.folder, self.packages, tickets, lambda _host: True)

    def _code(self, rollout: str, host: str) -> str:
        row = self.cordons.all().get(host)
        return row.code if row is not None and row.rollout == rollout else ""

    @contextlib.contextmanager
    def open(self) -> Iterator["RealOffice"]:
        pair = self.authority.issue_coordinator(self.settings.ca_folder)
        routes = [
            *enrolment_routes(self.authority.certificate_pem, self.enrolment),
            *bulk_routes(self._bulk()),
        ]
        try:
            everything = [Mount("/", make_app(self.office(), routes))]
            with serving(everything, server_context(pair)) as self.address:
                access = read_access(self.operator_folder)
                self.write_access(self.operator_folder, access.token)
                yield self
        finally:
            self.database.dispose()

    def write_access(self, folder: Path, token: str) -> None:
        access = Access(self.address, folder / CA_FILE, token)
        write_access(folder, access, self.authority.certificate_pem)

    def access(self, role: OperatorRole | None = None) -> Access:
        """Return how the first admin, or a new operator of some role, reaches the office."""
        own = read_access(self.operator_folder)
        if role is None:
            return own
        token = new_token()
        self.people.put_operator(f"some {role}", role, token_hash(token))
        return Access(own.address, own.ca, token)

    def client(self, role: OperatorRole | None = None) -> Client:
        return Client(self.access(role), seconds=20)

    # -- what an office has --------------------------------------------------------------

    def add_hosts(self, count: int = 3, group: str = "office") -> list[Host]:
        hosts = [
            Host(
                f"pc-{n:02}-abcdef", f"PC-{n:02}", "main", group, "workstation", 0,
                HostStanding.ENROLLED,
            )
            for n in range(1, count + 1)
        ]  # fmt: skip
        for host in hosts:
            self.fleet.put_host(host, serial="1f")
        return hosts

    def sign(self) -> None:
        """Sign and publish what was added."""
        key = self.settings.signing_folder / SIGNING_KEY
        unsigned = self.repository.unsigned().decode()
        self.repository.publish(sign_list(unsigned, key, PASSPHRASE).encode())

    def start(self, plan: str, state: RolloutState = RolloutState.WALKING) -> str:
        """Start a plan, have it stand somewhere, and return the rollout's id."""
        made = self.rollouts.plan(plan)
        assert made is not None
        self.engine.submit(made, "ann")
        self.tell(made.id, News(state))
        return made.id

    def tell(self, rollout: str, *news: News) -> None:
        for item in news:
            self.rollouts.tell(rollout, item)

    def visit(self, rollout: str, host: str, seconds: float) -> None:
        """Have one host updated in so many seconds."""
        self.tell(rollout, News(RolloutState.WALKING, host=host, state=HostState.UPDATING))
        self.clock.ahead += seconds
        self.tell(rollout, News(RolloutState.WALKING, host=host, state=HostState.UPDATED))

    def seal(self, rollout: str, hosts: Collection[str]) -> None:
        """Have the hosts sealed for a rollout."""
        self.cordons.want(list(hosts), rollout, CordonMode.SEALED)


def make_zip(path: Path, **files: bytes) -> Path:
    """Make a small release."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (files or {"version": b"app=1.1\n"}).items():
            archive.writestr(f"{name}.txt", content)
    return path


def copy_home(template: Path, folder: Path) -> RealOffice:
    """Return an office of its own, made from a home that was made once."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return RealOffice(folder)


def made_ready(office: RealOffice, folder: Path, notes: str = "") -> RealOffice:
    """Return the office with three hosts, a signed profile and a signed package."""
    office.add_hosts()
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        wanted = PackageAsk(app=APP, version="1.1", notes=notes)
        client.add_package(wanted, make_zip(folder / "r.zip"))
    office.sign()
    return office
