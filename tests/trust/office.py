"""A coordinator's HTTPS with everything behind it, real, on loopback, in a thread."""

import contextlib
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from agent.enrol import enrol
from agent.wire.contract import Target
from agent.wire.enrolment import Coordinator
from agent.wire.https import Https
from agent.wire.manifest import Manifest, write_manifest
from coordinator.fleet.ca import Authority
from coordinator.fleet.door import enrolment_routes, server_context
from coordinator.fleet.enrolment import Directions, Enrolment
from coordinator.fleet.enrolment_book import Approval, Place
from coordinator.https import configured, listen
from coordinator.model import HostStanding
from coordinator.releases.bulk import Bulk, bulk_routes
from coordinator.releases.keys import SIGNING_KEY, make_signing_key, sign
from coordinator.releases.packages import Label, PackageStore, manifest_name
from coordinator.releases.repository import Repository, init_repository
from coordinator.releases.tickets import Tickets
from tests.trust.memory_book import MemoryBook
from tests.until import until

PASSPHRASE = "correct horse battery"
PLACE = Place("main", "office", "workstation")


@dataclass
class Clock:
    """Real time, and as much later as a test says."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@contextlib.contextmanager
def serving(routes: Sequence[BaseRoute], context: ssl.SSLContext) -> Iterator[str]:
    """Serve the routes on a free port; yields host:port, ends in order."""
    listener = listen("127.0.0.1", 0)
    config = configured(Starlette(routes=list(routes)), context, grace=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started, 10, "uvicorn up")
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


@dataclass
class Office:
    """One coordinator, with its folders below `folder`."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    address: str = ""
    extra: list[Route] = field(default_factory=list)  # served before our own

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self.signing = self.folder / "signing"
        self.authority = Authority.open(self.data / "ca", self.clock)
        self.book = MemoryBook()
        signer = make_signing_key(self.signing, PASSPHRASE)
        self.repository: Repository = init_repository(self.data / "releases", signer, self.clock)
        self.packages = PackageStore(self.data / "packages")
        self.tickets = Tickets.open(self.data / "ticket.key", self.clock)
        self.enrolment = Enrolment(self.book, self.authority, self.directions, self.clock)

    def directions(self) -> Directions:
        root = self.repository.root_of_trust()
        here = (Coordinator("127.0.0.1:7701", self.address),)
        return Directions(here, root.sha256, root.version)

    def routes(self) -> list[Route]:
        bulk = Bulk(self.repository.folder, self.packages, self.tickets, self.is_member)
        ours = enrolment_routes(self.authority.certificate_pem, self.enrolment)
        return [*self.extra, *ours, *bulk_routes(bulk)]

    def is_member(self, host_id: str) -> bool:
        return self.book.standing(host_id) is HostStanding.ENROLLED

    @contextlib.contextmanager
    def open(self) -> Iterator["Office"]:
        pair = self.authority.issue_coordinator(self.data / "coordinator")
        with serving(self.routes(), server_context(pair)) as self.address:
            yield self

    def token(self, approval: Approval = Approval.AUTOMATIC, uses: int = 1) -> str:
        return self.enrolment.make_token(PLACE, approval, uses)

    def enrol(self, name: str = "PC-01") -> tuple[Path, str]:
        """Enrol one host; return its state folder and its id."""
        state = self.folder / name
        return state, enrol(self.token(), name, state, never).host_id

    def https(self, state: Path) -> Https:
        return Https(self.address, state / "ca.pem")

    def add_package(self, zip_file: Path, version: str = "1.1") -> tuple[Manifest, Target]:
        label = Label("standin", version, "workstation", "linux")
        manifest = self.packages.build(zip_file, label)
        return manifest, self.repository.add(manifest_name(label), write_manifest(manifest))

    def signed(self) -> bytes:
        return sign(self.repository.unsigned(), self.signing / SIGNING_KEY, PASSPHRASE)

    def publish(self) -> None:
        self.repository.publish(self.signed())


def never(_seconds: float) -> bool:
    return False


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


Action = Callable[[], object]
