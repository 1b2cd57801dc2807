"""The daemon: opens everything, in order, and closes it in the reverse order.

Only this module and the demo see the whole coordinator. What a crash leaves behind is taken up
by the engine at the next start: stopping in order is a courtesy to the links, nothing more.
"""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from agent.wire.tls import Credentials, Identity, Role, Side, make_context
from coordinator import __version__
from coordinator.api.app import make_app
from coordinator.api.office import Office
from coordinator.engine import Engine
from coordinator.fences import Fences, Rivals
from coordinator.fleet.asker import Asker
from coordinator.fleet.ca import Authority
from coordinator.fleet.door import enrolment_routes
from coordinator.fleet.enrolment import Directions, Enrolment
from coordinator.fleet.errands import Errands
from coordinator.fleet.hub import Hub, HubOptions, Order
from coordinator.fleet.keeper import Keeper
from coordinator.fleet.listener import Listener
from coordinator.fleet.orphans import Orphans
from coordinator.fleet.outlooks import Outlooks
from coordinator.fleet.outside import Outside, World
from coordinator.fleet.stager import Stager
from coordinator.fleet.standing import seconds_ahead
from coordinator.fleet.stepper import Stepper
from coordinator.fleet.surveyor import Surveyor
from coordinator.fleet.trust import Trust, steady
from coordinator.fleet.turn import Turn
from coordinator.freshness import Freshness
from coordinator.https import HttpsServer, opened
from coordinator.model import Plan
from coordinator.notify.postman import Postman
from coordinator.planning.ulid import RANDOM_BYTES, make_ulid
from coordinator.releases.bulk import Bulk, bulk_routes
from coordinator.releases.gate import LicenceGate
from coordinator.releases.licences import Licences
from coordinator.releases.packages import PackageStore
from coordinator.releases.patches import Patcher
from coordinator.releases.repository import Repository
from coordinator.releases.survey_gate import SurveyGate
from coordinator.releases.tickets import Tickets
from coordinator.releases.titles import title_of
from coordinator.settings import Settings
from coordinator.store.cordons import Cordons
from coordinator.store.database import DatabaseLock, open_database
from coordinator.store.enrolment import Book
from coordinator.store.fleet import Catalogue, Fleet, People
from coordinator.store.history import History
from coordinator.store.marks import Marks
from coordinator.store.members import Members
from coordinator.store.outbox import Outbox, post_nowhere
from coordinator.store.rollouts import Rollouts
from coordinator.store.stagings import Stagings
from coordinator.supplies import Supplies
from coordinator.tidier import what_is_daily
from coordinator.upkeep import Upkeep
from coordinator.walk.ports import Port


class Daemon:
    """Everything the coordinator runs, wired together."""

    def __init__(self, settings: Settings, *, take_over: bool = False) -> None:
        self._settings = settings
        self._take_over = take_over
        self._open = ExitStack()

    def start(self) -> None:
        """Open everything; when something cannot be opened, close what was and say why."""
        with self._open:
            self._start()
            self._open = self._open.pop_all()

    def stop(self) -> None:
        """Close everything, last opened first."""
        self._open.close()

    def _start(self) -> None:
        settings = self._settings
        lock = DatabaseLock(settings.lock_file)
        lock.take()
        self._open.callback(lock.release)
        database = open_database(settings.database)
        self._open.callback(database.dispose)
        self._outbox = Outbox(database, settings.mail.recipients if settings.mail else ())
        has_mail = settings.mail is not None
        self._rollouts = Rollouts(database, post=self._outbox.post if has_mail else post_nowhere)
        self._members = Members(database)
        self._fleet = Fleet(database, note=self._members.note)
        self._catalogue = Catalogue(database)
        self._stagings = Stagings(database)
        self._book = Book(database, note=self._members.note)
        self._fences = Fences(self._rollouts)
        self._rivals = Rivals(self._fences, take_over=self._take_over)
        self._open_links(Cordons(database, self._outbox.opened if has_mail else post_nowhere))
        self._repository = Repository(settings.repository_folder)
        self._packages = PackageStore(settings.packages_folder)
        self._open.enter_context(Patcher(self._packages.blobs))
        self._tickets = Tickets.open(settings.tickets_file)
        self._open_engine()
        self._postman = self._open_mail()
        self._open_https(People(database), Marks(database))
        self._upkeep = Upkeep(
            Freshness(self._repository, self._outbox if has_mail else None, People(database)),
            self._engine,
            History(database),
            settings.history_days,
            self._renew_certificate,
        )
        self._upkeep.look()

    # -- links ---------------------------------------------------------------------------

    def _open_links(self, cordons: Cordons) -> None:
        settings = self._settings
        self._authority = Authority.open(settings.ca_folder)
        self._pair = self._authority.issue_coordinator(settings.ca_folder, settings.coordinator_id)
        self._stopping = threading.Event()
        trust = self._trust = Trust(steady, time.time)
        options = HubOptions(
            version=__version__,
            is_refused=self._is_refused,
            on_ping=self._orders,
            on_answer=self._heard,
            on_lost=self._lost,
        )
        self._hub = Hub(options)
        told, fence = Outlooks(self._rollouts), self._fences.current
        self._keeper = Keeper(cordons, self._hub, fence, self._plan_of, trust, told.of)
        self._keeper.lift_strays()
        self._orphans = Orphans(self._keeper.cause, lambda key: self._plan_of(key) is not None)
        self._stepper = Stepper(self._hub, self._stopping, fence, trust)
        ca = settings.ca_folder / "ca.pem"
        credentials = Credentials(self._pair.key, self._pair.certificate, ca)
        self._hub.start()
        self._open.callback(self._hub.close)
        self._listener: Listener = opened(
            lambda: Listener(
                (settings.listen, settings.link_port),
                make_context(Side.SERVER, credentials),
                self._hub.welcome,
                self._is_refused,
            ),
            settings.link_port,
        )
        self._listener.start()
        self._open.callback(self._listener.close)

    def _orders(self, host_id: str) -> Sequence[Order]:
        return self._keeper.orders(host_id) or self._orphans.orders(host_id)

    def _heard(self, host_id: str, order: Order, answer: object) -> None:
        self._keeper.heard(host_id, order[1], answer)
        self._orphans.heard(host_id, answer)

    def _lost(self, host_id: str) -> None:
        self._trust.forget(host_id)
        self._orphans.lost(host_id)

    def _is_refused(self, identity: Identity) -> bool:
        return identity.role is not Role.AGENT or identity.id not in self._members

    def _plan_of(self, rollout_id: str) -> Plan | None:
        row = self._rollouts.find(rollout_id)
        return None if row is None else row.plan

    # -- engine --------------------------------------------------------------------------

    def _open_engine(self) -> None:
        self._supplies = Supplies(
            self._fleet, self._hub, self._catalogue, self._repository, self._tickets
        )
        self._licences = Licences(self._settings.licences_folder)
        gate = LicenceGate(
            self._repository, self._licences, self._rollouts, self._fleet, time.time
        )
        ahead = partial(seconds_ahead, self._hub.standing)
        self._world = World(
            rollouts=self._rollouts,
            keeper=self._keeper,
            stepper=self._stepper,
            fence=self._fences.current,
            ticket=self._supplies.ticket,
            permit=gate.refusal,
            judge=SurveyGate(self._repository, self._fleet, ahead, time.time).refusal,
        )
        self._engine = Engine(
            self._settings.database, self._settings.coordinator_id, self._rollouts, self._take_up
        )
        self._engine.launch()
        self._open.callback(self._engine.close)
        self._open.callback(self._stopping.set)

    def _take_up(self, plan: Plan) -> Port:
        self._fences.take_up(plan.id)
        return Outside(plan, self._world)

    def _open_mail(self) -> Postman | None:
        if self._settings.mail is None:
            return None
        title = partial(title_of, self._repository)
        postman = Postman(self._settings.mail, self._outbox, self._rollouts, title)
        postman.start()
        self._open.callback(postman.stop)
        return postman

    # -- https ---------------------------------------------------------------------------

    def _open_https(self, people: People, marks: Marks) -> None:
        settings = self._settings
        asker = Asker(self._stepper, self._fences.current, _new_ulid)
        self._open_stager(asker)
        enrolment = Enrolment(self._book, self._authority, self._directions)
        office = Office(
            fleet=self._fleet,
            rollouts=self._rollouts,
            people=people,
            catalogue=self._catalogue,
            engine=self._engine,
            hub=self._hub,
            surveyor=Surveyor(asker),
            errands=Errands(asker, self._keeper),
            turn=Turn(self._hub, self._fences.current),
            repository=self._repository,
            packages=self._packages,
            licences=self._licences,
            enrolment=enrolment,
            codes=lambda rollout, host: self._keeper.codes(rollout).get(host, ""),
            uploads=settings.home / "uploads",
            waiting=self._book.waiting,
            sealed=self._keeper.sealed,
            orphans=self._orphans.hosts,
            led_elsewhere=lambda: self._rivals.led_elsewhere(self._hub.standings()),
            postman=self._postman,
            feeds=settings.feeds,
            stagings=self._stagings,
            keep=settings.keep,
            site=settings.site,
            version=__version__,
        )
        self._daily = what_is_daily(office, settings.feeds_at, self._outbox, marks)
        is_member = self._members.__contains__
        bulk = Bulk(self._repository.folder, self._packages, self._tickets, is_member)
        ours = enrolment_routes(self._authority.certificate_pem, enrolment)
        app = make_app(office, [*ours, *bulk_routes(bulk)])
        self._https = HttpsServer(app, settings, self._pair)
        self._https.start()
        self._open.callback(self._https.stop)

    def _open_stager(self, asker: Asker) -> None:
        stager = Stager(asker, self._hub, self._stagings, self._supplies, self._fences.current)
        stager.start()
        self._open.callback(stager.stop)

    def _directions(self) -> Directions:
        root = self._repository.root_of_trust()
        return Directions(self._settings.coordinators, root.sha256, root.version)

    # -- while it serves -----------------------------------------------------------------

    def look(self) -> None:
        """Do what is due: upkeep, what is daily, ending what is broken, telling of rivals."""
        self._upkeep.look()
        for daily in self._daily:
            daily.look()
        self._engine.end_broken()
        self._rivals.look(self._hub.standings())

    def _renew_certificate(self) -> None:
        """Have new connections shown a new certificate once the old one is near its end."""
        folder = self._settings.ca_folder
        pair = self._authority.issue_coordinator(folder, self._settings.coordinator_id)
        for context in (self._listener.context, self._https.context):
            context.load_cert_chain(pair.certificate, pair.key)


def _new_ulid() -> str:
    return make_ulid(time.time(), os.urandom(RANDOM_BYTES))
