"""Host id -> link: greets new links, pings them all, and calls hosts over them.

The deny-list is asked before every call, so a revoked host hears nothing more. Of two links of
one host the newer wins, but only once the older has stopped answering: otherwise two machines
hold one certificate, and that is an alarm which stays.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from agent.wire.contract import Hello
from agent.wire.errors import LinkBusy, LinkError, LinkLost, LinkRefusal, LinkRefused
from agent.wire.link import AgentLink
from agent.wire.tls import Identity
from coordinator.fleet.defects import log_defect
from coordinator.fleet.greeting import check_known, greet, linked_already, linked_by, said_by
from coordinator.fleet.standing import Standing, Standings

_log = logging.getLogger(__name__)
_GREET_EVERY = 3  # pings

Order = tuple[str, object]
"""A method of the contract and the message that it takes."""


def _nobody(_identity: Identity) -> bool:
    return False


def _bare_ping(_host_id: str) -> Sequence[Order]:
    return ()


def _unheard(_host_id: str, _order: Order, _answer: object) -> None:
    return


def _unminded(_host_id: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class HubOptions:
    """What a hub is told; seconds unless said otherwise.

    Attributes:
        is_refused: true for an identity that was revoked; asked before every call, so it should
            look into memory, and must not raise.
        on_ping: what to say to a host instead of a bare ping; () for the ping. Called right
            before it is said, in a thread of the hub.
        on_answer: hears the host's answer to such an order, or the `LinkError`.
        on_lost: hears of each host whose link has ended.
    """

    version: str
    is_refused: Callable[[Identity], bool] = _nobody
    on_ping: Callable[[str], Sequence[Order]] = _bare_ping
    on_answer: Callable[[str, Order, object], None] = _unheard
    on_lost: Callable[[str], None] = _unminded
    ping_every: float = 10.0
    ping_deadline: float = 5.0
    hello_deadline: float = 5.0
    clone_deadline: float = 3.0
    fan_out: int = 200  # hosts called at a time
    greeters: int = 16  # links greeted at a time


class Hub:
    """The links of this coordinator; all methods may be called from any thread."""

    def __init__(self, options: HubOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._links: dict[str, AgentLink] = {}
        self._greeting: set[AgentLink] = set()
        self._standings = Standings()
        self._beats = 0
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(options.greeters, "greeter")
        self._pinger = threading.Thread(target=self._ping_on, name="pinger", daemon=True)

    def start(self) -> None:
        """Begin to ping."""
        self._pinger.start()

    def close(self) -> None:
        """End every link and every thread."""
        with self._lock:
            self._stopping.set()
            links = [*self._links.values(), *self._greeting]
        for link in links:
            link.close("the coordinator stops")
        self._pool.shutdown()
        if self._pinger.ident is not None:
            self._pinger.join()

    def welcome(self, sock: ssl.SSLSocket, identity: Identity, address: str) -> None:
        """Take over a new link; it is greeted in a thread of the hub."""
        link = AgentLink(sock, identity, address)
        with self._lock:
            if not self._stopping.is_set():
                self._greeting.add(link)
                self._pool.submit(self._greet, link).add_done_callback(log_defect)
                return
        link.close("the coordinator stops")

    def call(self, host_id: str, method: str, request: object, deadline: float) -> Any:
        """Return one host's answer, as `AgentLink.call` does.

        Raises:
            LinkError: `LinkLost` when it has no link, `LinkRefused` when it is revoked.
        """
        link = self._link_of(host_id)
        try:
            return link.call(method, request, deadline)
        finally:
            self._note_end(link)

    def call_all(
        self, requests: Mapping[str, object], method: str, deadline: float
    ) -> dict[str, Any]:
        """Ask many hosts at a time; return each one's answer, or its `LinkError`."""

        def ask(host_id: str) -> Any:
            return self._answer_or_error(host_id, (method, requests[host_id]), deadline)

        asked = self._fan_out(ask, list(requests))
        return {host_id: future.result() for host_id, future in asked.items()}

    def beat(self, over: float = 0.0) -> None:
        """Ping every link once, or say what `on_ping` has for it; spread over so many seconds."""
        self._beats += 1
        with self._lock:
            hosts = list(self._links)
        with ThreadPoolExecutor(min(len(hosts), self._options.fan_out) or 1, "ping") as pool:
            for host_id in hosts:
                pool.submit(self._beat_one, host_id).add_done_callback(log_defect)
                if over and self._stopping.wait(over / len(hosts)):
                    return

    def drop(self, host_id: str, why: str = "revoked") -> None:
        """End a host's link at once; a call in progress ends as unknown."""
        with self._lock:
            link = self._links.get(host_id)
        if link is not None:
            link.close(why)
            self._note_end(link)

    def clear_alarm(self, host_id: str) -> None:
        """Forget that another machine was seen with this host's certificate."""
        self._standings.note(host_id, clone_address="", clone_seen=None)

    def linked(self) -> frozenset[str]:
        """Return the ids of the hosts that can be called now."""
        with self._lock:
            return frozenset(name for name, link in self._links.items() if not link.is_over)

    def standings(self) -> dict[str, Standing]:
        """Return what is known of every host that was heard of since the start."""
        known = self._standings.all()
        with self._lock:
            links = dict(self._links)
        for host_id, link in links.items():
            known[host_id] = _with_link(known.get(host_id, Standing(host_id)), link)
        return known

    def standing(self, host_id: str) -> Standing:
        """Return what is known of one host; an empty standing when it was not heard of."""
        known = self._standings.of(host_id)
        with self._lock:
            link = self._links.get(host_id)
        return known if link is None else _with_link(known, link)

    def _ping_on(self) -> None:
        next_at = time.monotonic() + self._options.ping_every
        while not self._stopping.wait(max(0.0, next_at - time.monotonic())):
            next_at = time.monotonic() + self._options.ping_every
            self.beat(self._options.ping_every / 2)  # else a large office answers all at once

    def _beat_one(self, host_id: str) -> None:
        orders = self._options.on_ping(host_id)
        for order in orders:
            answer = self._answer_or_error(host_id, order, self._options.ping_deadline)
            self._options.on_answer(host_id, order, answer)
        is_due = not self._beats % _GREET_EVERY  # somebody may have set its clock, or ours
        if is_due or not orders:
            self._ping(host_id, greet_anew=is_due)

    def _ping(self, host_id: str, *, greet_anew: bool) -> None:
        with suppress(LinkError):
            link = self._link_of(host_id)
            try:
                if not greet_anew:
                    link.ping(self._options.ping_deadline)
                else:
                    hello = greet(link, self._options.version, self._options.ping_deadline)
                    self._standings.note(host_id, **said_by(hello))
            finally:
                self._note_end(link)

    def _answer_or_error(self, host_id: str, order: Order, deadline: float) -> Any:
        try:
            return self.call(host_id, *order, deadline)
        except LinkError as error:
            return error

    def _fan_out(self, act: Callable[[str], Any], hosts: Sequence[str]) -> dict[str, Future[Any]]:
        if not hosts:
            return {}
        with ThreadPoolExecutor(min(len(hosts), self._options.fan_out), "fan-out") as pool:
            return {host_id: pool.submit(act, host_id) for host_id in hosts}

    def _link_of(self, host_id: str) -> AgentLink:
        with self._lock:
            link = self._links.get(host_id)
        if link is None:
            raise LinkLost(f"{host_id}: not linked")
        if self._options.is_refused(link.identity):
            self.drop(host_id)
            raise LinkRefused(LinkRefusal.REVOKED, f"{host_id}: its certificate was revoked")
        return link

    def _note_end(self, link: AgentLink) -> None:
        host_id = link.identity.id
        with self._lock:
            if not link.is_over or self._links.get(host_id) is not link:
                return
            del self._links[host_id]
        self._options.on_lost(host_id)
        self._standings.note(
            host_id, linked=False, since=datetime.now(UTC), last_heard=link.last_heard
        )
        _log.info("host lost", extra={"host": host_id, "why": link.why_over})

    def _greet(self, link: AgentLink) -> None:
        try:
            hello = greet(link, self._options.version, self._options.hello_deadline)
            self._admit(link, hello)
        except LinkRefused as error:
            link.refuse(error.refusal)
            self._note_refusal(link, error)
        except LinkError as error:
            link.close(str(error))
            self._standings.note(link.identity.id, problem=str(error))
            _log.warning("link not greeted", extra={"host": link.identity.id, "why": str(error)})
        finally:
            with self._lock:
                self._greeting.discard(link)

    def _admit(self, link: AgentLink, hello: Hello) -> None:
        host_id = link.identity.id
        while older := self._enter(link, hello):
            with suppress(LinkBusy):  # in use: look again
                try:
                    older.ping(self._options.clone_deadline)
                except LinkLost:
                    self._note_end(older)
                    continue
                raise linked_already(self._standings.of(host_id).hello, hello, older.address)

    def _enter(self, link: AgentLink, hello: Hello) -> AgentLink | None:
        """Put the link in its host's place; return the link that holds the place already."""
        host_id = link.identity.id
        with self._lock:
            if self._stopping.is_set():
                raise LinkLost("the coordinator stops")
            older = self._links.get(host_id)
            if older is not None and not older.is_over:
                return older
            check_known(self._standings.of(host_id), hello, link.address)
            self._links[host_id] = link
            self._standings.note(host_id, **linked_by(link, hello))
        _log.info("host linked", extra={"host": host_id, "address": link.address})
        return None

    def _note_refusal(self, link: AgentLink, error: LinkRefused) -> None:
        host_id = link.identity.id
        fields = {"host": host_id, "address": link.address, "why": str(error)}
        if error.refusal is LinkRefusal.ALREADY_LINKED:
            _log.info("link refused", extra=fields)
            return
        _log.warning("link refused", extra=fields)
        if error.refusal is LinkRefusal.CLONE:
            now = datetime.now(UTC)
            self._standings.note(host_id, clone_address=link.address, clone_seen=now)
        else:
            self._standings.note(host_id, refusal=error.refusal, problem=str(error))


def _with_link(standing: Standing, link: AgentLink) -> Standing:
    return replace(standing, linked=not link.is_over, last_heard=link.last_heard)
